package proxies

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// seen is a request as the application got it.
type seen struct {
	Method, Target, Host string
	Header, Trailer      http.Header
	Body                 int
}

// application tells what it saw, and remembers it by the query of the request: an
// answer may be another one's. It agrees to every upgrade.
type application struct {
	*httptest.Server
	mu    sync.Mutex
	probe map[string]seen
}

func newApplication(t *testing.T) *application {
	a := &application{probe: make(map[string]seen)}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

func (a *application) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, _ := io.Copy(io.Discard, r.Body)
	got := seen{r.Method, r.RequestURI, r.Host, r.Header.Clone(), r.Trailer.Clone(), int(n)}
	a.mu.Lock()
	a.probe[r.URL.Query().Get("probe")] = got
	a.mu.Unlock()
	if upgrade := r.Header.Get("Upgrade"); upgrade != "" {
		conn, both, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		// The answer to the key of RFC 6455's example.
		fmt.Fprintf(both, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", upgrade)
		_ = both.Flush()
		line, err := both.ReadString('\n')
		if err == nil {
			fmt.Fprintf(both, "heard %s", line)
			_ = both.Flush()
		}
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "public, max-age=60")
	w.Header().Add("Set-Cookie", "theirs=1; Path=/; Secure")
	w.Header().Add("Set-Cookie", "also=2; Path=/; Secure")
	_ = json.NewEncoder(w).Encode(got)
}

// saw returns what came with a probe.
func (a *application) saw(probe string) (seen, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	got, ok := a.probe[probe]
	return got, ok
}

// fold makes one name of those that WSGI, Rack, CGI and PHP make one variable of, and
// of some more.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		}
		return '-'
	}, name)
}

// folded is what an application that folds names reads: the values of all headers, and
// of all trailers, that have one name to it.
func (s seen) folded() map[string][]string {
	all := make(map[string][]string)
	for _, part := range []http.Header{s.Header, s.Trailer} {
		for name, values := range part {
			all[fold(name)] = append(all[fold(name)], values...)
		}
	}
	return all
}

func echoes(tunnel *bufio.ReadWriter) error {
	if _, err := tunnel.WriteString("hello\n"); err != nil {
		return err
	}
	if err := tunnel.Flush(); err != nil {
		return err
	}
	line, err := tunnel.ReadString('\n')
	if err != nil || line != "heard hello\n" {
		return fmt.Errorf("through the WebSocket came %q: %w", line, err)
	}
	return nil
}
