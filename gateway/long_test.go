package gateway

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/session"
)

// TestS055_S075_AStreamIsNoUseAndLosesNoToken: asking again about a request that lasts
// keeps no session alive, and has no tokens renewed that only an answer could bring.
func TestS055_S075_AStreamIsNoUseAndLosesNoToken(t *testing.T) {
	for name, cookies := range map[string]bool{"in a store": false, "in cookies": true} {
		t.Run(name, func(t *testing.T) {
			var shift atomic.Int64
			now := func() time.Time { return time.Now().Add(time.Duration(shift.Load())) }
			pool := codegranttest.NewPool(t, now)
			store := session.NewMemoryStore(session.MemoryConfig{Now: now})
			var auth *codegrant.Auth
			site := pool.App(func(config codegrant.Config) http.Handler {
				config.Now, config.CookieSessions = now, cookies
				if !cookies {
					config.Sessions = store
				}
				var err error
				if auth, err = codegrant.New(config); err != nil {
					t.Fatal(err)
				}
				mux := http.NewServeMux()
				auth.Mount(mux, "/auth")
				mux.Handle("/", auth.Require()(http.NotFoundHandler()))
				return mux
			})
			browser := codegranttest.NewBrowser(t)
			browser.SignIn(site+"/", "alice@example.com", codegranttest.Password)
			g, err := New(Config{Tenants: []Tenant{{Auth: auth}}, Routes: []Route{{Path: "/", Upstream: &Upstream{URLs: []string{"http://127.0.0.1:1"}}}}})
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(site)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodGet, site+"/", nil)
			for _, c := range browser.Client.Jar.Cookies(u) {
				r.AddCookie(c)
			}
			c := &call{Context: context.Background(), gateway: g, tenant: g.tenants[0], asked: r, asker: r.Context()}
			c.route = g.table.routes[0]
			before := pool.Calls(localpool.Token)
			var lasted time.Duration
			for lasted = 0; lasted < 14*time.Hour && c.stands(); lasted += 30 * time.Minute {
				shift.Add(int64(30 * time.Minute))
			}
			if err := auth.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			refreshed := pool.Calls(localpool.Token) - before
			if cookies && (lasted > time.Hour || refreshed != 0) {
				t.Errorf("it lasted %v, beyond its access token, and had tokens refreshed %d times", lasted, refreshed)
			}
			if !cookies && (lasted < 11*time.Hour || lasted > 12*time.Hour) {
				t.Errorf("it lasted %v, and the session is idle after 12 hours", lasted)
			}
		})
	}
}
