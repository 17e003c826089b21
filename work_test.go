package codegrant_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
)

// works keeps what it hears of work.
type works struct {
	mu    sync.Mutex
	heard []string
	seen  []any // by requests to the pool, in their contexts
}

type workTestKey struct{}

func (w *works) begin(ctx context.Context, work string) (context.Context, func(error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heard = append(w.heard, work)
	return context.WithValue(ctx, workTestKey{}, fmt.Sprint(ctx.Value(workTestKey{}), " ", work)), func(err error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.heard = append(w.heard, fmt.Sprint(work, " ended: ", err))
	}
}

func (w *works) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost {
		w.mu.Lock()
		w.seen = append(w.seen, r.Context().Value(workTestKey{}))
		w.mu.Unlock()
	}
	return http.DefaultTransport.RoundTrip(r)
}

// TestOnWork: work has the values of the request that caused it, and the context that
// OnWork returns, whether sessions are in a store or in cookies.
func TestOnWork(t *testing.T) {
	for name, cookies := range map[string]bool{"in a store": false, "in cookies": true} {
		t.Run(name, func(t *testing.T) {
			var w works
			var auth *codegrant.Auth
			pool := codegranttest.NewPool(t, nil)
			now := new(clock)
			url := pool.App(func(config codegrant.Config) http.Handler {
				config.Now, config.CookieSessions = now.Now, cookies
				config.OnWork, config.HTTPClient = w.begin, &http.Client{Transport: &w}
				var err error
				if auth, err = codegrant.New(config); err != nil {
					t.Fatal(err)
				}
				mux := http.NewServeMux()
				auth.Mount(mux, "/auth")
				mux.Handle("/", auth.Require()(http.NotFoundHandler()))
				return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					mux.ServeHTTP(rw, r.WithContext(context.WithValue(r.Context(), workTestKey{}, "request")))
				})
			})
			browser := codegranttest.NewBrowser(t)
			browser.SignIn(url+"/", "alice@example.com", codegranttest.Password)
			now.Advance(59*time.Minute + 50*time.Second)
			get(t, browser.Client, url+"/")
			if err := auth.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			browser.Open(url + "/auth/logout")
			if err := auth.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if want := []string{"refresh", "refresh ended: <nil>", "revocation", "revocation ended: <nil>"}; !slices.Equal(w.heard, want) {
				t.Errorf("heard %q, want %q", w.heard, want)
			}
			if want := "[request request refresh request revocation]"; fmt.Sprint(w.seen) != want {
				t.Errorf("requests to the pool saw %v, want %s", w.seen, want)
			}
		})
	}
}

// TestOnWorkPanics: whoever hears of work cannot leave a session without an answer.
func TestOnWorkPanics(t *testing.T) {
	for _, where := range []string{"begin", "end"} {
		t.Run(where, func(t *testing.T) {
			broken := true
			a := newApp(t, func(c *codegrant.Config) {
				c.OnWork = func(ctx context.Context, _ string) (context.Context, func(error)) {
					if broken && where == "begin" {
						panic("at the start")
					}
					return ctx, func(error) {
						if broken {
							panic("at the end")
						}
					}
				}
			})
			browser := codegranttest.NewBrowser(t)
			browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
			a.now.Advance(61 * time.Minute)
			start := time.Now()
			get(t, browser.Client, a.url+"/auth/user")
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("the request waited %v", took)
			}
			// It may say so after the request was answered.
			for deadline := time.Now().Add(time.Minute); !strings.Contains(a.log.String(), "panicked"); time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("the log does not say so")
				}
			}
			broken = false
			a.now.Advance(time.Minute)
			if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 200 {
				t.Errorf("later: %d", r.StatusCode)
			}
		})
	}
}
