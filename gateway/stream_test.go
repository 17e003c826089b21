package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant/gateway"
)

// TestS830_StreamsOfEvents: a stream has a connection to the upstream that nobody else uses. It
// ends with the stream, and a fault of the upstream is seen as it is of any other request.
func TestS830_StreamsOfEvents(t *testing.T) {
	var mu sync.Mutex
	from := make(map[string]int) // how many requests came by each connection
	left := make(chan string, 8) // paths of streams whose connection has ended
	server := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		from[r.RemoteAddr]++
		mu.Unlock()
		if r.URL.Path == "/silent" {
			<-r.Context().Done()
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: one\n\n")
		_ = http.NewResponseController(w).Flush()
		switch r.URL.Path {
		case "/cut":
			panic(http.ErrAbortHandler)
		case "/whole":
			return
		}
		<-r.Context().Done()
		left <- r.URL.Path
	})
	s := newSite(t, []gateway.Route{
		{Path: "/", Public: true, Upstream: &gateway.Upstream{URLs: []string{server}}},
		{Path: "/silent", Public: true, Upstream: &gateway.Upstream{URLs: []string{server}, Timeout: 50 * time.Millisecond}},
		{Path: "/gone", Public: true, Upstream: &gateway.Upstream{URLs: []string{gone(t)}}},
		{Path: "/second", Public: true, Upstream: &gateway.Upstream{URLs: []string{gone(t), gone(t), server}, Retries: 2}},
	}, nil)
	open := func(path string) (*http.Response, context.CancelFunc) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "text/event-stream")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		return response, cancel
	}
	for path, want := range map[string]int{"/silent": 504, "/gone": 502, "/whole": 200, "/cut": 200} {
		response, cancel := open(path)
		body, err := io.ReadAll(response.Body)
		if response.StatusCode != want || (err != nil) != (path == "/cut") || want == 200 && string(body) != "data: one\n\n" {
			t.Errorf("%s: %d %q, %v; want %d", path, response.StatusCode, body, err, want)
		}
		response.Body.Close()
		cancel()
	}
	for _, path := range []string{"/a", "/second", "/a"} {
		response, cancel := open(path)
		if _, err := io.ReadFull(response.Body, make([]byte, len("data: one\n\n"))); err != nil || response.StatusCode != 200 {
			t.Errorf("%s: %d, %v", path, response.StatusCode, err)
		}
		cancel() // the client leaves
		response.Body.Close()
		select {
		case got := <-left:
			if got != path {
				t.Errorf("%s ends with %s", got, path)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s: the upstream is not told in a minute that the client has left", path)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(from) != 6 {
		t.Errorf("6 streams came by %d connections: %v", len(from), from)
	}
}
