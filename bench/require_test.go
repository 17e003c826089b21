package bench

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/session"
)

// ok is the handler whose protection is measured: it does nothing.
func ok(http.ResponseWriter, *http.Request) {}

// bareServer serves ok to everybody.
func bareServer(tb testing.TB) string {
	tb.Helper()
	server := httptest.NewServer(http.HandlerFunc(ok))
	tb.Cleanup(server.Close)
	return server.URL
}

// protectedServer serves ok to who is signed in, with sessions in memory, and
// returns the cookies of a browser that is.
func protectedServer(tb testing.TB) (address string, cookies []*http.Cookie) {
	tb.Helper()
	return signedIn(tb, nil, func(auth *codegrant.Auth) http.Handler {
		mux := http.NewServeMux()
		auth.Mount(mux, "/auth")
		mux.Handle("/", auth.Require(codegrant.SignedIn())(http.HandlerFunc(ok)))
		return mux
	})
}

// signedIn serves what build makes, with sessions in a store (nil: in memory), and
// returns the cookies of a browser that is signed in.
func signedIn(tb testing.TB, sessions session.Store, build func(*codegrant.Auth) http.Handler) (address string, cookies []*http.Cookie) {
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
	origin, err := url.Parse(server.URL)
	if err != nil {
		tb.Fatal(err)
	}
	if cookies = jar.Cookies(origin); len(cookies) == 0 {
		tb.Fatalf("sign in: %s at %s", response.Status, response.Request.URL)
	}
	return server.URL, cookies
}

// TestProtected sees that what is measured is a session check.
func TestProtected(t *testing.T) {
	address, cookies := protectedServer(t)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	if err := get(client, address, cookies); err != nil {
		t.Errorf("with the session cookie: %v", err)
	}
	if err := get(client, address, nil); err == nil {
		t.Error("without a session cookie the handler was reached")
	}
}

// BenchmarkRequire asks an empty handler over loopback, over connections that are
// kept, with and without Require around it, and with sessions in each store that is
// there. All get the same request, cookies included.
func BenchmarkRequire(b *testing.B) {
	require := func(auth *codegrant.Auth) http.Handler {
		mux := http.NewServeMux()
		auth.Mount(mux, "/auth")
		mux.Handle("/", auth.Require(codegrant.SignedIn())(http.HandlerFunc(ok)))
		return mux
	}
	address, cookies := signedIn(b, nil, require)
	contend(b, "bare", bareServer(b), cookies)
	contend(b, "codegrant", address, cookies)
	for _, s := range stores(b) {
		address, cookies := signedIn(b, s.store, require)
		contend(b, s.name, address, cookies)
	}
}

// contend measures one address.
func contend(b *testing.B, name, address string, cookies []*http.Cookie) {
	b.Run(name, func(b *testing.B) {
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
		defer client.CloseIdleConnections()
		b.SetParallelism(8)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := get(client, address, cookies); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}

func get(client *http.Client, address string, cookies []*http.Cookie) error {
	request, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	for _, cookie := range cookies {
		request.AddCookie(cookie)
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("get %s: %s", address, response.Status)
	}
	return nil
}
