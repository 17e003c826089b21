//go:build unix

package serve

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestServeOnAUnixSocket: requests and operations come in there, the other end counts as
// 127.0.0.1, and nothing is left behind.
func TestServeOnAUnixSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "cg") // t.TempDir is too long a path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	main, ops := filepath.Join(dir, "http"), filepath.Join(dir, "ops")
	over := func(path string) *http.Client {
		transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}}
		t.Cleanup(transport.CloseIdleConnections)
		return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	g := newGate(t, oneUpstream+"ops_listen: unix:"+ops+"\nsocket_mode: \"0600\"\ntrusted_proxies: 127.0.0.1\n")
	text, err := os.ReadFile(g.config)
	if err != nil {
		t.Fatal(err)
	}
	g.writeFile("codegrant.yaml", strings.Replace(string(text), "listen: "+strings.TrimPrefix(g.url, "http://"), "listen: unix:"+main, 1))
	g.start()
	for _, path := range []string{main, ops} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	g.until("it is ready", func() bool {
		r, err := over(ops).Get("http://codegrant/readyz")
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		return r.StatusCode == 200
	})

	// A proxy's question, as nginx asks it.
	check := func(client string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://codegrant/auth/check", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{
			"X-Forwarded-For": {client}, "X-Original-Method": {"GET"}, "X-Original-Url": {g.url + "/orders"}, "X-Forwarded-Proto": {"http"},
		}
		a, err := over(main).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		return a
	}
	if a := check("192.0.2.7"); a.StatusCode != 401 {
		t.Errorf("a question about a stranger: %d %v", a.StatusCode, a.Header)
	}
	if g.logged("request", "192.0.2.7") == nil {
		t.Error("the client that the proxy names is not in the log")
	}
	if status := g.end(); status != 0 {
		t.Errorf("it ended with %d", status)
	}
	for _, path := range []string{main, ops} {
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s is left behind", path)
		}
	}
}
