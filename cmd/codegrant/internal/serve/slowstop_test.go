package serve

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/session"
)

// TestS650_AStopKeepsWhatARefreshBrings: nobody waits for the refresh any more, the
// process is told to stop, and the pool, which has rotated the token, takes its time.
func TestS650_AStopKeepsWhatARefreshBrings(t *testing.T) {
	for _, tt := range []struct{ takes, stop time.Duration }{
		{15 * time.Second, 14 * time.Second}, {24 * time.Second, 23 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) { stopWithinARefresh(t, tt.takes, tt.stop) })
	}
}

// stopWithinARefresh has the pool's answer take that long, and the stop wait for it.
func stopWithinARefresh(t *testing.T, takes, stop time.Duration) {
	quiet := slog.New(slog.DiscardHandler)
	pool, err := localpool.New(localpool.Config{Seed: localpool.DefaultSeed("http://localhost"), BaseURL: "http://127.0.0.1:9229", Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	client := pool.Clients()[0]
	if err := pool.RegisterURLs(client.ID, "http://localhost/auth/callback", "http://localhost/"); err != nil {
		t.Fatal(err)
	}
	if err := pool.SetRotation(client.ID, true, 0); err != nil {
		t.Fatal(err)
	}
	var late atomic.Int64 // how long the pool takes over tokens
	asPool := roundTrip(func(r *http.Request) (*http.Response, error) {
		answer := answerOf(pool, r) // which rotates first, and answers then
		if r.URL.Path == "/oauth2/token" {
			select {
			case <-time.After(time.Duration(late.Load())):
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		}
		return answer, nil
	})
	store := session.NewMemoryStore(session.MemoryConfig{})
	keys, err := session.NewKeyring([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	// serving is a process over that store, as one that comes after another is.
	serving := func() *process {
		auth, err := codegrant.New(codegrant.Config{
			Pool:    cognito.Pool{ID: client.PoolID, Domain: "http://127.0.0.1:9229", Issuer: client.Issuer, ClientID: client.ID, ClientSecret: cognito.Secret(client.Secret)},
			BaseURL: "http://localhost", Sessions: store, Keys: keys, Logger: quiet, HTTPClient: &http.Client{Transport: asPool},
		})
		if err != nil {
			t.Fatal(err)
		}
		g := &generation{Settings: &settings.Settings{}, stores: &stores{end: func() {}}, process: &process{log: quiet, transport: gateway.NewTransport()}}
		g.stores.holders.Store(1)
		if g.gateway, err = gateway.New(gateway.Config{Tenants: []gateway.Tenant{{Name: "people", Auth: auth, Prefix: "/auth", Issuer: client.Issuer}}, Logger: quiet}); err != nil {
			t.Fatal(err)
		}
		g.process.current.Store(g)
		g.process.open.Add(1)
		return g.process
	}
	first := serving()
	serves := first
	alice := codegranttest.NewBrowser(t)
	alice.Client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.URL.Host == "127.0.0.1:9229" {
			return asPool(r)
		}
		return answerOf(serves.current.Load().gateway, r), nil
	})
	alice.SignIn("http://localhost/auth/login", "alice@example.com", codegranttest.Password)
	if page := alice.Open("http://localhost/auth/user"); page.Status != 200 {
		t.Fatalf("not signed in: %d %s", page.Status, page.Body)
	}

	time.Sleep(61 * time.Minute)
	late.Store(int64(takes))
	ctx, goAway := context.WithTimeout(t.Context(), time.Second)
	defer goAway()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/auth/user", nil)
	if err != nil {
		t.Fatal(err)
	}
	if response, err := alice.Client.Do(r); err == nil {
		response.Body.Close()
	}
	began := time.Now()
	if err := first.close(); err != nil {
		t.Errorf("a refresh of %v: the stop gave up: %v", takes, err)
	}
	if took := time.Since(began); took < stop-time.Second || took > stop+time.Second {
		t.Errorf("a refresh of %v: stopped after %v", takes, took)
	}
	late.Store(0)
	before := pool.Calls(localpool.Token)
	serves = serving()
	if page := alice.Open("http://localhost/auth/user"); page.Status != 200 || pool.Calls(localpool.Token) != before {
		t.Errorf("a refresh of %v, and the next process: %d, %d calls of the token endpoint", takes, page.Status, pool.Calls(localpool.Token)-before)
	}
	if err := serves.close(); err != nil {
		t.Error(err)
	}
}

// answerOf hands a client's request to a server without a network between them.
func answerOf(h http.Handler, r *http.Request) *http.Response {
	in := httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.RequestURI(), r.Body)
	in.Host, in.Header = r.URL.Host, r.Header
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, in)
	response := answer.Result()
	response.Request = r
	return response
}
