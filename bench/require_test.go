package bench

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/bench/internal/wire"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/session"
)

// ballast stands for what a process in production has in memory. Without it, heaps of
// a few megabytes would have the collector run every few hundred requests, and what is
// measured would be how often that is. It is the same for all rows, and no page of it
// is ever touched.
var ballast = make([]byte, 64<<20)

func TestMain(m *testing.M) {
	// What the collector lets grow is fetched from the system now, page by page, and
	// not in whichever row comes first.
	grown := make([][]byte, 0, len(ballast)>>12)
	for range cap(grown) {
		grown = append(grown, bytes.Repeat([]byte{1}, 1<<12))
	}
	clear(grown)
	runtime.GC()
	status := m.Run()
	runtime.KeepAlive(ballast)
	os.Exit(status)
}

// ok is the handler whose protection is measured: it does nothing.
func ok(http.ResponseWriter, *http.Request) {}

// bareServer serves ok to everybody.
func bareServer(tb testing.TB) string {
	tb.Helper()
	server := httptest.NewServer(http.HandlerFunc(ok))
	tb.Cleanup(server.Close)
	return server.URL
}

// people is how many are signed in at once, each with a session of their own.
const people = 64

// cookies are those of each browser.
type cookies [][]*http.Cookie

// require protects ok.
func require(auth *codegrant.Auth) http.Handler {
	mux := http.NewServeMux()
	auth.Mount(mux, "/auth")
	mux.Handle("/", auth.Require(codegrant.SignedIn())(http.HandlerFunc(ok)))
	return mux
}

// signedIn serves what build makes, with sessions in a store (nil: in memory), and
// returns the cookies of browsers that are signed in.
func signedIn(tb testing.TB, sessions session.Store, build func(*codegrant.Auth) http.Handler) (address string, browsers cookies) {
	tb.Helper()
	pool := newPool(tb)
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	tb.Cleanup(server.Close)
	auth, err := codegrant.New(codegrant.Config{
		Pool:     cognito.Pool{Issuer: pool.URL, Domain: pool.URL, ClientID: clientID},
		BaseURL:  server.URL,
		Logger:   slog.New(slog.DiscardHandler),
		Sessions: sessions,
		Keys:     session.RandomKeyring(),
	})
	if err != nil {
		tb.Fatal(err)
	}
	handler = build(auth)

	origin, err := url.Parse(server.URL)
	if err != nil {
		tb.Fatal(err)
	}
	for range people {
		jar, err := cookiejar.New(nil)
		if err != nil {
			tb.Fatal(err)
		}
		// Where the browser ends does not matter: the sign-in has set its cookie.
		response, err := (&http.Client{Jar: jar}).Get(server.URL + "/auth/login")
		if err != nil {
			tb.Fatal(err)
		}
		response.Body.Close()
		// What remembers where a sign-in ended lasts minutes, a session hours.
		held := slices.DeleteFunc(jar.Cookies(origin), func(c *http.Cookie) bool { return strings.Contains(c.Name, "-request-") })
		if len(held) == 0 {
			tb.Fatalf("sign in: %s at %s", response.Status, response.Request.URL)
		}
		browsers = append(browsers, held)
	}
	return server.URL, browsers
}

// TestProtected sees that what is measured is a session check, and that who is
// measured has a session of their own.
func TestProtected(t *testing.T) {
	address, browsers := signedIn(t, nil, require)
	seen := make(map[string]bool)
	for _, cookies := range browsers {
		if status := ask(t, address, cookies); status != http.StatusOK {
			t.Fatalf("with a session cookie: %d", status)
		}
		seen[cookies[0].Value] = true
	}
	if len(seen) != people {
		t.Errorf("there are %d sessions, want %d", len(seen), people)
	}
	if status := ask(t, address, nil); status != http.StatusUnauthorized {
		t.Errorf("without a session cookie: %d, want 401", status)
	}
}

func ask(tb testing.TB, address string, cookies []*http.Cookie) int {
	tb.Helper()
	request, err := wire.Get(address+"/", cookies)
	if err != nil {
		tb.Fatal(err)
	}
	conn, err := wire.Dial(tb.Context(), request.Address)
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Close()
	status, err := conn.Ask(request.Bytes)
	if err != nil {
		tb.Fatal(err)
	}
	return status
}

// BenchmarkRequire asks an empty handler over loopback, over connections that are
// kept, with and without Require around it, and with sessions in each store that is
// there. All get the same requests, cookies included.
func BenchmarkRequire(b *testing.B) {
	address, browsers := signedIn(b, nil, require)
	contend(b, "bare", bareServer(b)+"/", browsers)
	contend(b, "codegrant", address+"/", browsers)
	for _, s := range stores(b) {
		address, browsers := signedIn(b, s.store, require)
		s.contend(b, address+"/", browsers)
	}
}

// callers is how many connections ask at once, for each core.
const callers = 16

func contend(b *testing.B, name, address string, browsers cookies) {
	b.Run(name, func(b *testing.B) { measure(b, address, browsers, func() {}) })
}

// measure asks one address: how long it takes until the next request is answered,
// and what of the processor this process uses for it, the client included, which is
// the same for all. begin is called when all is warm.
func measure(b *testing.B, address string, browsers cookies, begin func()) {
	b.Helper()
	requests := make([]wire.Request, len(browsers))
	for i, held := range browsers {
		var err error
		if requests[i], err = wire.Get(address, held); err != nil {
			b.Fatal(err)
		}
	}
	conns := make(chan *wire.Conn, callers*runtime.GOMAXPROCS(0))
	for range cap(conns) {
		conn, err := wire.Dial(b.Context(), requests[0].Address)
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		conns <- conn
	}
	// Once around first, all at once, so that stores have their connections and copies.
	var around sync.WaitGroup
	for i := range cap(conns) {
		around.Go(func() {
			conn := <-conns
			defer func() { conns <- conn }()
			for j := i; j < i+len(requests); j++ {
				if status, err := conn.Ask(requests[j%len(requests)].Bytes); err != nil || status != http.StatusOK {
					b.Errorf("get %s: %d, %v", address, status, err)
					return
				}
			}
		})
	}
	if around.Wait(); b.Failed() {
		return
	}
	var turn atomic.Int64
	b.SetParallelism(callers)
	b.ReportAllocs()
	begin()
	b.ResetTimer()
	before := processor(b)
	b.RunParallel(func(pb *testing.PB) {
		conn := <-conns // there is one for each
		for i := int(turn.Add(1)) * 7; pb.Next(); i++ {
			status, err := conn.Ask(requests[i%len(requests)].Bytes)
			if err != nil || status != http.StatusOK {
				b.Errorf("get %s: %d, %v", address, status, err)
				return
			}
		}
	})
	b.ReportMetric(float64(processor(b)-before)/float64(b.N), "cpu-ns/op")
}

// processor is the time on the processor that this process has had.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
