package gateway_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/internal/testenv"
)

// TestS830_StreamsKeepNoPorts: a stream has a connection of its own, and its port is free when it
// has ended. A client that asks for short ones without end takes no ports away from others.
func TestS830_StreamsKeepNoPorts(t *testing.T) {
	sockets := testenv.File(t, "/proc/net/tcp", "procfs of Linux")
	long := strings.Repeat("data: 0123456789\n\n", 20_000)
	server := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/none":
			w.WriteHeader(http.StatusNoContent)
		case "/closed": // by the server, before or after the gateway
			w.Header().Set("Connection", "close")
			fmt.Fprint(w, "short")
		case "/chunks":
			fmt.Fprint(w, long)
		case "/length":
			w.Header().Set("Content-Length", strconv.Itoa(len(long)))
			fmt.Fprint(w, long)
		default:
			fmt.Fprint(w, "short")
		}
	})
	s := newSite(t, []gateway.Route{{Path: "/", Public: true, Upstream: &gateway.Upstream{URLs: []string{server}}}}, nil)
	kinds := []struct{ path, body string }{{"/", "short"}, {"/none", ""}, {"/", "short"}, {"/closed", "short"}, {"/", "short"}, {"/chunks", long}, {"/", "short"}, {"/length", long}}
	for n := range 2000 {
		kind := kinds[n%len(kinds)]
		if n%80 >= len(kinds) {
			kind = kinds[0]
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+kind.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "application/json, text/event-stream")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || string(body) != kind.body {
			t.Fatalf("%s: %d, %d bytes of %d, %v", kind.path, response.StatusCode, len(body), len(kind.body), err)
		}
	}
	if n := timeWaits(t, sockets, server); n > 0 {
		t.Errorf("%d ports to the upstream are in TIME-WAIT", n)
	}
}

// timeWaits counts sockets to a server of IPv4 that wait for what may still be under way.
func timeWaits(t *testing.T, sockets, server string) (n int) {
	t.Helper()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(server, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(sockets)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) { // sl local remote state ...
		if f := strings.Fields(line); len(f) > 3 && f[3] == "06" && strings.HasSuffix(f[2], fmt.Sprintf(":%04X", number)) {
			n++
		}
	}
	return n
}
