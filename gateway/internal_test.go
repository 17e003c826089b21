package gateway

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
)

func FuzzTarget(f *testing.F) {
	for _, seed := range []string{"/", "/a/b", "/a.b/c-d_e.f", "/a..b", "/.a", "/a/.", "/a%20b", "/%c3%bc", "/a/../b", "/%2e%2e/", "//a", "/a;b", "/a%2fb", "/\\a", "/%", "/a?b"} {
		f.Add(seed, "x=1&y=%20", "Example.com:443")
		f.Add(seed, "", "127.0.0.1")
	}
	f.Fuzz(func(t *testing.T, raw, query, host string) {
		got, err := newTarget(http.MethodGet, host, raw, query)
		if err != nil {
			return
		}
		again, err := newTarget(http.MethodGet, got.host, got.raw, got.query)
		if err != nil || again.path != got.path || again.raw != got.raw || again.host != got.host {
			t.Fatalf("not stable: %+v, then %+v, %v", got, again, err)
		}
		// What is taken at first sight is what a closer look makes of it.
		if closer, err := newTarget(http.MethodGet, host, raw, "x"); query == "" && (err != nil || closer.path != got.path || closer.raw != got.raw) {
			t.Fatalf("%+v, and %+v, %v at a closer look", got, closer, err)
		}
		for segment := range strings.SplitSeq(got.path, "/") {
			if segment == ".." || segment == "." {
				t.Fatalf("dot segment in %q", got.path)
			}
		}
		if strings.ContainsAny(got.path, "\\;#\x00\r\n") || strings.Contains(got.path, "//") || strings.ContainsAny(got.raw, " \r\n") {
			t.Fatalf("ambiguous %q", got.path)
		}
	})
}

func FuzzHeaderValue(f *testing.F) {
	for _, seed := range []string{"", "alice", "a,b", "50%", " x ", "ü\r\nX: y", "\x00", strings.Repeat("a", 5000)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, got := range []string{encode(s, false), encodeList([]string{s, s})} {
			if len(got) > maxHeaderValue || strings.ContainsFunc(got, func(r rune) bool { return r < 0x20 || r > 0x7e }) || got != strings.TrimSpace(got) {
				t.Fatalf("%q of %q", got, s)
			}
		}
		if strings.Contains(encode(s, true), ",") {
			t.Fatalf("a comma in an item of %q", s)
		}
	})
}

// TestALongRequestEndsWithTheSession: a stream goes on while its permission does.
func TestALongRequestEndsWithTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		auth, route := testAuth(t)
		g, err := New(Config{Tenants: []Tenant{{Auth: auth}}, Routes: []Route{route}, Transport: endless{}})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("X-Key", "good")
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			defer func() { _ = recover() }() // http.ErrAbortHandler: the answer had begun
			g.ServeHTTP(httptest.NewRecorder(), r)
		}()
		time.Sleep(10*recheckEvery + time.Second)
		synctest.Wait()
		select {
		case <-ended:
			t.Fatal("it ended while the permission stood")
		default:
		}
		revoked.Store(true)
		defer revoked.Store(false)
		time.Sleep(recheckEvery + time.Second)
		synctest.Wait()
		select {
		case <-ended:
		default:
			t.Fatal("it goes on after the permission is gone")
		}
	})
}

var revoked atomic.Bool

type key struct{}

func (key) Authenticate(r *http.Request) (*codegrant.Identity, error) {
	if r.Header.Get("X-Key") != "good" || revoked.Load() {
		return nil, nil
	}
	return &codegrant.Identity{Subject: "robot"}, nil
}

func (key) Challenge(error) string { return "" }

// endless is a server that never finishes.
type endless struct{}

func (endless) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: waiting{r.Context()}, Request: r}, nil
}

type waiting struct{ ctx context.Context }

func (w waiting) Read([]byte) (int, error) { <-w.ctx.Done(); return 0, w.ctx.Err() }
func (w waiting) Close() error             { return nil }

func testAuth(t *testing.T) (*codegrant.Auth, Route) {
	t.Helper()
	auth, err := codegrant.New(codegrant.Config{Pool: testPool, Authenticators: []codegrant.Authenticator{key{}}})
	if err != nil {
		t.Fatal(err)
	}
	return auth, Route{Path: "/", Upstream: &Upstream{URLs: []string{"http://127.0.0.1:1"}}}
}

var testPool = cognito.Pool{ID: "eu-west-1_Ab12Cd34E", Domain: "acme.auth.eu-west-1.amazoncognito.com", ClientID: "c1"}
