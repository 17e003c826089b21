package gateway

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/session"
)

// within asks a handler of this process, so that no time passes on a network.
type within struct{ http.Handler }

func (w within) RoundTrip(r *http.Request) (*http.Response, error) {
	asked, answer := r.Clone(r.Context()), httptest.NewRecorder()
	if asked.Body == nil {
		asked.Body = http.NoBody
	}
	w.ServeHTTP(answer, asked)
	return answer.Result(), nil
}

// TestS583_S584_AStreamEndsWithAMark: a stream that was let through ends within a minute
// of the mark of its person, whatever let it through, and nobody else's does.
func TestS583_S584_AStreamEndsWithAMark(t *testing.T) {
	for _, kind := range []string{"a bearer token", "a session in a store", "a session in cookies"} {
		t.Run(kind, func(t *testing.T) {
			var shift atomic.Int64
			now := func() time.Time { return time.Now().Add(time.Duration(shift.Load())) }
			pool := codegranttest.NewPool(t, now)
			var auth *codegrant.Auth
			site := pool.App(func(config codegrant.Config) http.Handler {
				config.HTTPClient = &http.Client{Transport: within{pool}}
				config.Now, config.CookieSessions = now, kind == "a session in cookies"
				if !config.CookieSessions {
					config.Sessions = session.NewMemoryStore(session.MemoryConfig{Now: now})
				}
				var err error
				if auth, err = codegrant.New(config); err != nil {
					t.Fatal(err)
				}
				mux := http.NewServeMux()
				auth.Mount(mux, "/auth")
				mux.Handle("/", auth.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					id, _ := codegrant.From(r.Context())
					_ = json.NewEncoder(w).Encode(id.Subject)
				})))
				return mux
			})
			base, err := url.Parse(site)
			if err != nil {
				t.Fatal(err)
			}
			g, err := New(Config{
				Tenants: []Tenant{{Auth: auth}}, Transport: endless{},
				Routes: []Route{{Path: "/", Upstream: &Upstream{URLs: []string{"http://127.0.0.1:1"}}}},
			})
			if err != nil {
				t.Fatal(err)
			}
			// of signs somebody in, and returns who that is and a request of theirs.
			of := func(email string) (subject string, r *http.Request) {
				browser := codegranttest.NewBrowser(t)
				page := browser.SignIn(site+"/", email, codegranttest.Password)
				if err := json.Unmarshal([]byte(page.Body), &subject); err != nil {
					t.Fatalf("%d %s: %v", page.Status, page.Body, err)
				}
				r = httptest.NewRequest(http.MethodGet, "/", nil)
				r.Host = base.Host
				if kind != "a bearer token" {
					for _, c := range browser.Client.Jar.Cookies(base) {
						r.AddCookie(c)
					}
					return subject, r
				}
				client := pool.Clients()[0]
				token, err := pool.MintToken(client.PoolID, map[string]any{
					"iss": client.Issuer, "sub": subject, "client_id": client.ID, "token_use": "access", "scope": "openid", "username": subject,
					"iat": now().Unix(), "auth_time": now().Unix(), "exp": now().Add(time.Hour).Unix(),
				})
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Authorization", "Bearer "+token)
				return subject, r
			}
			alice, hers := of("alice@example.com")
			_, others := of("bob@example.com")
			signedIn := time.Now()
			synctest.Test(t, func(t *testing.T) {
				shift.Store(int64(time.Until(signedIn)))
				open := func(r *http.Request) (ended chan struct{}, w *httptest.ResponseRecorder) {
					ended, w = make(chan struct{}), httptest.NewRecorder()
					go func() {
						defer close(ended)
						defer func() { _ = recover() }() // http.ErrAbortHandler: the answer had begun
						g.ServeHTTP(w, r.WithContext(t.Context()))
					}()
					return ended, w
				}
				marked, answer := open(hers)
				another, _ := open(others)
				over := func(ended chan struct{}) bool {
					synctest.Wait()
					select {
					case <-ended:
						return true
					default:
						return false
					}
				}
				time.Sleep(10*recheckEvery + time.Second)
				if over(marked) || over(another) {
					t.Fatalf("it ended before the mark: %d %s", answer.Code, answer.Body)
				}
				if err := auth.NotBefore(t.Context(), alice, now()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(recheckEvery)
				if !over(marked) {
					t.Error("it goes on after the mark")
				}
				if answer.Code != http.StatusOK {
					t.Errorf("it was answered with %d", answer.Code)
				}
				if over(another) {
					t.Error("somebody else's ended")
				}
			})
		})
	}
}
