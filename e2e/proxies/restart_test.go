package proxies

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/codegrant/codegrant/internal/proxytest"
)

// stops is how often a gateway is restarted: CODEGRANT_TEST_STOPS, or once.
func stops(t *testing.T) int {
	text := os.Getenv("CODEGRANT_TEST_STOPS")
	if text == "" {
		return 1
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("CODEGRANT_TEST_STOPS is to be a number: %v", err)
	}
	return n
}

// TestS295_ARestartBehindAProxyLosesNothing: each proxy asks a gateway, or sends it the
// requests, while that is told to read its configuration again, and is restarted with
// sockets that systemd holds. Everybody is answered.
//
// CODEGRANT_TEST_STOPS=20 has it happen 20 times, behind older versions too.
func TestS295_ARestartBehindAProxyLosesNothing(t *testing.T) {
	newest := make(map[string]string) // by example
	for _, p := range proxytest.All() {
		newest[p.Example] = p.Name
	}
	for _, p := range proxytest.All() {
		if os.Getenv("CODEGRANT_TEST_STOPS") == "" && newest[p.Example] != p.Name {
			continue
		}
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			p.Require(t)
			w := newWorldOn(t, &p, true)
			asked, end := w.visitors()
			more := func() {
				before := asked()
				eventually(t, "forty more are answered", func() bool { return asked() >= before+40 })
			}
			for range stops(t) {
				if err := w.gateway.Process.Signal(syscall.SIGHUP); err != nil {
					t.Fatal(err)
				}
				more()
				w.stop()
				w.launch()
				more()
			}
			if lost := end(); len(lost) > 0 {
				t.Errorf("of %d requests, %d were lost: %.2000q", asked(), len(lost), lost)
			} else {
				t.Logf("%d requests, none lost", asked())
			}
		})
	}
}

// visitors has somebody who is signed in and somebody who is not ask all the time, on
// connections that are kept and on one each, until the returned function is called.
func (w *world) visitors() (asked func() int, end func() (lost []string)) {
	var all sync.WaitGroup
	var n atomic.Int64
	var mu sync.Mutex
	var lost []string
	done := make(chan struct{})
	for i := range 8 {
		path, cookies := "/orders", w.alice
		if i%2 == 1 {
			path, cookies = "/public/x", ""
		}
		client := &http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: tlsConfig("http/1.1"), DisableKeepAlives: i >= 4}}
		all.Go(func() {
			defer client.CloseIdleConnections()
			for tick := time.NewTicker(10 * time.Millisecond); ; {
				select {
				case <-done:
					return
				case <-tick.C:
				}
				if err := visit(client, w.url(path), cookies); err != nil {
					mu.Lock()
					lost = append(lost, fmt.Sprint(time.Now().UTC().Format("15:04:05.000 "), path, ": ", err))
					mu.Unlock()
				}
				n.Add(1)
			}
		})
	}
	return func() int { return int(n.Load()) }, func() []string { close(done); all.Wait(); return lost }
}

func visit(client *http.Client, url, cookies string) error {
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "application/json")
	if cookies != "" {
		r.Header.Set("Cookie", cookies)
	}
	response, err := client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %.100s", response.StatusCode, strings.TrimSpace(string(body)))
	}
	return err
}
