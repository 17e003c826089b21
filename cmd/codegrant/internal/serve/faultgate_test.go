package serve

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/console"
	"github.com/codegrant/codegrant/internal/testenv"
)

// faultGate is a gateway that something happens to, with its address of operations.
type faultGate struct {
	*gate
	address string // of operations
	sync    string // of those of codegrant sync; empty: none
	synced  *lockedBuffer
	person  *codegranttest.Browser // who is signed in
	expires time.Time              // of its certificate
	tap     *tap                   // before what the configuration needs
	instead func(http.Handler)     // answers in place of the pool's API, to codegrant sync
}

// tap is the address of a server, which can be taken away while it is used.
type tap struct {
	address  string
	listener net.Listener

	mu    sync.Mutex
	away  bool
	conns []net.Conn
}

// tapped puts a tap before a server, and returns its address.
func (g *faultGate) tapped(to string) string {
	g.t.Helper()
	g.tap = &tap{address: testenv.FreeAddress(g.t)}
	var err error
	if g.tap.listener, err = net.Listen("tcp", g.tap.address); err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(g.tap.cut)
	go g.tap.serve(to)
	return g.tap.address
}

func (t *tap) serve(to string) {
	for {
		near, err := t.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", to)
		if err != nil {
			near.Close()
			continue
		}
		t.mu.Lock()
		t.conns = append(t.conns, near, far)
		away := t.away
		t.mu.Unlock()
		if away {
			near.Close()
			far.Close()
		}
		for _, pair := range [][2]net.Conn{{near, far}, {far, near}} {
			go func() {
				_, _ = io.Copy(pair[0], pair[1])
				pair[0].Close()
			}()
		}
	}
}

// cut ends its connections, and takes no more.
func (t *tap) cut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.away = true
	t.listener.Close()
	for _, c := range t.conns {
		c.Close()
	}
}

// takeAway takes the server away that the configuration needs.
func (g *faultGate) takeAway() { g.tap.cut() }

// tappedURL is a server's URL with a tap before it.
func (g *faultGate) tappedURL(raw string) string {
	g.t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		g.t.Fatal(err)
	}
	u.Host = g.tapped(u.Host)
	return u.String()
}

// followWell has codegrant sync make passes that succeed, until something else answers in
// place of the pool's API.
func (g *faultGate) followWell() {
	target, err := url.Parse(g.pool.URL)
	if err != nil {
		g.t.Fatal(err)
	}
	var api atomic.Pointer[http.Handler]
	g.instead = func(h http.Handler) { api.Store(&h) }
	g.instead(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }})
	aws := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*api.Load()).ServeHTTP(w, r) }))
	g.t.Cleanup(aws.Close)
	g.follow(aws.URL)
	g.until("a pass is done", func() bool {
		return strings.Contains(g.metrics(), `codegrant_sync_failing{pool="default"} 0`) && g.facts("Synchronization")["default"].Text == "the last pass is done"
	})
}

// said reports whether the log has a line, or that of codegrant sync where it is named.
func (g *faultGate) said(line string) bool {
	log := g.log
	if ours, ok := strings.CutPrefix(line, "sync: "); ok {
		log, line = g.synced, ours
	}
	return log != nil && strings.Contains(log.String(), line)
}

// found reports whether doctor has a finding.
func (g *faultGate) found(check, text, fix string) bool {
	var out strings.Builder
	terminal.Run(g.t.Context(), []string{"doctor", "--json", "--config", g.config, "--timeout", "30s"}, &out, io.Discard, new(operatorsCommands))
	var findings []struct{ Check, Found, Fix string }
	if err := json.Unmarshal([]byte(out.String()), &findings); err != nil {
		g.t.Fatalf("%v: %s", err, out.String())
	}
	for _, f := range findings {
		if f.Check == check && strings.Contains(f.Found, text) && strings.Contains(f.Fix, fix) {
			return true
		}
	}
	return false
}

// pass has codegrant sync make one pass.
func (g *faultGate) pass() { g.passOf(0) }

// passOf has it end with a status.
func (g *faultGate) passOf(want int, flags ...string) {
	g.t.Helper()
	var out lockedBuffer
	if status := terminal.Run(g.t.Context(), append([]string{"sync", "--full", "--config", g.config}, flags...), &out, &out, new(operatorsCommands)); status != want {
		g.t.Fatalf("codegrant sync --full %q: %d %s", flags, status, &out)
	}
}

// signIn tries to sign in as alice; whether that succeeds is the fault's business.
func (g *faultGate) signIn() {
	b := codegranttest.NewBrowser(g.t)
	page := b.Open(g.url + "/")
	if len(page.Forms) == 0 {
		return
	}
	b.Submit(page, page.Forms[0], map[string]string{"username": "alice@example.com", "password": codegranttest.Password})
}

// follow has codegrant sync make passes, one soon after another unless flags say otherwise.
func (g *faultGate) follow(endpoint string, flags ...string) {
	ctx, cancel := context.WithCancel(context.Background())
	g.sync, g.synced = testenv.FreeAddress(g.t), new(lockedBuffer)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		terminal.Run(ctx, append([]string{"sync", "--every", "200ms", "--full", "--config", g.config, "--ops-listen", g.sync, "--endpoint", endpoint}, flags...), io.Discard, g.synced, new(operatorsCommands))
	}()
	g.t.Cleanup(func() { cancel(); <-ended })
}

func (g *faultGate) metrics() string {
	text := ""
	for _, address := range []string{g.address, g.sync} {
		if address == "" {
			continue
		}
		if r, err := http.Get("http://" + address + "/metrics"); err == nil {
			body, _ := io.ReadAll(r.Body)
			r.Body.Close()
			text += string(body)
		}
	}
	return text
}

// shows reports whether the state that the console shows has a fact.
func (g *faultGate) shows(want [4]string) bool {
	r, err := http.Get("http://" + g.address + "/state")
	if err != nil {
		return false
	}
	defer r.Body.Close()
	var state console.State
	if err := json.NewDecoder(r.Body).Decode(&state); err != nil {
		g.t.Fatalf("%d %v", r.StatusCode, err)
	}
	for _, panel := range state.Panels {
		for _, f := range panel.Facts {
			if panel.Title == want[0] && f.Name == want[1] && string(f.Level) == want[2] && strings.Contains(f.Text+" "+f.Detail, want[3]) {
				return true
			}
		}
	}
	return false
}

func refusing(status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "away", status) })
}
