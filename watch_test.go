package codegrant_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/session"
)

// lasting is somebody who is let through and then watched.
type lasting struct {
	ctx  context.Context
	stop context.CancelFunc
}

// watch lets a request through Require and watches it as a WebSocket of the handler's would.
func watch(t *testing.T, auth *codegrant.Auth, r *http.Request, permissions ...codegrant.Permission) lasting {
	t.Helper()
	var l lasting
	w := httptest.NewRecorder()
	auth.Require()(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		l.ctx, l.stop = auth.Watch(r, permissions...)
	})).ServeHTTP(w, r)
	if l.ctx == nil {
		t.Fatalf("not let through: %d %s", w.Code, w.Body)
	}
	t.Cleanup(l.stop)
	return l
}

// after sleeps and says why the context has ended, if it has.
func (l lasting) after(d time.Duration) error {
	time.Sleep(d)
	synctest.Wait()
	return context.Cause(l.ctx)
}

// TestS680_WatchEndsWithTheSession: what lasts in a handler of the application's ends
// within a minute of the session, however that ended, and goes on until then.
func TestS680_WatchEndsWithTheSession(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *app){
		"deleted from the store": func(t *testing.T, a *app) {
			records, err := a.sessions.List(t.Context(), session.Query{})
			if err != nil || len(records) != 1 {
				t.Fatalf("%d sessions, %v", len(records), err)
			}
			if err := a.sessions.Delete(t.Context(), records[0].ID); err != nil {
				t.Fatal(err)
			}
		},
		"its idle end": func(_ *testing.T, a *app) { a.now.Advance(13 * time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, nil)
			browser := codegranttest.NewBrowser(t)
			browser.SignIn(a.url+"/reports/", "alice@example.com", codegranttest.Password)
			base, _ := url.Parse(a.url)
			cookies, signedIn := browser.Client.Jar.Cookies(base), time.Now()
			synctest.Test(t, func(t *testing.T) {
				a.now.Advance(time.Until(signedIn))
				r := httptest.NewRequest("GET", a.url+"/socket", nil)
				for _, c := range cookies {
					r.AddCookie(c)
				}
				l := watch(t, a.auth, r, codegrant.InGroup("analysts"))
				if err := l.after(30 * time.Minute); err != nil {
					t.Fatalf("it ends while the session lasts: %v", err)
				}
				end(t, a)
				if err := l.after(time.Minute + time.Second); !errors.Is(err, codegrant.ErrInvalid) {
					t.Errorf("cause %v", err)
				}
			})
		})
	}
}

// badge is a proof that a test can take back, or hide.
type badge struct {
	until  time.Time
	fault  atomic.Pointer[error]
	asked  atomic.Int64
	absent atomic.Bool
}

func (b *badge) Challenge(error) string { return "" }
func (b *badge) Authenticate(r *http.Request) (*codegrant.Identity, error) {
	b.asked.Add(1)
	if fault := b.fault.Load(); fault != nil {
		return nil, *fault
	}
	if b.absent.Load() || r.Header.Get("X-Badge") == "" {
		return nil, nil
	}
	return &codegrant.Identity{Subject: "carol", Username: "carol", Groups: []string{"staff"}, Expires: b.until}, nil
}

func (b *badge) fails(err error) { b.fault.Store(&err) }

func TestS680_WatchEndsWithTheProof(t *testing.T) {
	type key struct{}
	request := func(t *testing.T) *http.Request {
		r := httptest.NewRequestWithContext(context.WithValue(t.Context(), key{}, "of the request"), "GET", "http://localhost:8080/socket", strings.NewReader("body"))
		r.Header.Set("X-Badge", "carol")
		return r
	}
	begin := func(t *testing.T, change func(*badge)) (*codegrant.Auth, *badge) {
		b := new(badge)
		if change != nil {
			change(b)
		}
		auth, err := codegrant.New(codegrant.Config{
			Pool:           cognito.Pool{ID: "eu-west-1_Ab12Cd34E", Domain: "https://auth.example.com", ClientID: "client"},
			Authenticators: []codegrant.Authenticator{b}, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		return auth, b
	}
	var taken atomic.Bool
	member := codegrant.PermissionFunc("membership", func(ctx context.Context, _ *codegrant.Identity, r *http.Request) (bool, error) {
		if ctx.Value(key{}) != "of the request" || r.Header.Get("X-Badge") == "" {
			return false, errors.New("it is asked about another request")
		}
		return !taken.Load(), nil
	})
	for _, tt := range []struct {
		name string
		run  func(t *testing.T)
	}{
		{"a proof that is refused", func(t *testing.T) {
			auth, b := begin(t, nil)
			l := watch(t, auth, request(t), member)
			if err := l.after(10 * time.Minute); err != nil {
				t.Fatal(err)
			}
			b.fails(fmt.Errorf("%w: it was taken back", codegrant.ErrInvalid))
			if err := l.after(time.Minute); !errors.Is(err, codegrant.ErrInvalid) {
				t.Errorf("cause %v", err)
			}
		}},
		{"a proof that is gone", func(t *testing.T) {
			auth, b := begin(t, nil)
			l := watch(t, auth, request(t))
			b.absent.Store(true)
			if err := l.after(time.Minute); !errors.Is(err, codegrant.ErrSessionEnded) {
				t.Errorf("cause %v", err)
			}
		}},
		{"a permission that is taken away", func(t *testing.T) {
			auth, _ := begin(t, nil)
			l := watch(t, auth, request(t), member)
			taken.Store(true)
			defer taken.Store(false)
			if err := l.after(time.Minute); !errors.Is(err, codegrant.ErrForbidden) {
				t.Errorf("cause %v", err)
			}
		}},
		{"at the proof's end, not a minute later", func(t *testing.T) {
			auth, b := begin(t, func(b *badge) { b.until = time.Now().Add(90*time.Second + time.Millisecond) })
			l := watch(t, auth, request(t))
			if err := l.after(90 * time.Second); err != nil {
				t.Fatal(err)
			}
			b.absent.Store(true)
			if err := l.after(2 * time.Second); !errors.Is(err, codegrant.ErrSessionEnded) {
				t.Errorf("cause %v", err)
			}
		}},
		{"not while nobody can say", func(t *testing.T) {
			auth, b := begin(t, nil)
			l := watch(t, auth, request(t))
			b.fails(fmt.Errorf("%w: the store is away", codegrant.ErrUnavailable))
			if err := l.after(time.Hour); err != nil {
				t.Errorf("cause %v", err)
			}
			if n := b.asked.Load(); n < 55 || n > 65 {
				t.Errorf("asked %d times in an hour", n)
			}
		}},
		{"a clock that is ahead is asked no faster than once a second", func(t *testing.T) {
			auth, b := begin(t, func(b *badge) { b.until = time.Now().Add(-time.Hour) })
			l := watch(t, auth, request(t))
			if err := l.after(time.Minute); err != nil {
				t.Fatal(err)
			}
			if n := b.asked.Load(); n > 62 {
				t.Errorf("asked %d times in a minute", n)
			}
		}},
		{"a permission that panics", func(t *testing.T) {
			auth, _ := begin(t, nil)
			l := watch(t, auth, request(t), codegrant.PermissionFunc("moody", func(context.Context, *codegrant.Identity, *http.Request) (bool, error) {
				panic("the application's")
			}))
			if err := l.after(time.Minute); !errors.Is(err, codegrant.ErrForbidden) {
				t.Errorf("cause %v", err)
			}
		}},
		{"at once where nobody let it through", func(t *testing.T) {
			auth, b := begin(t, nil)
			b.absent.Store(true)
			ctx, stop := auth.Watch(request(t))
			defer stop()
			if err := (lasting{ctx, stop}).after(0); !errors.Is(err, codegrant.ErrInvalid) {
				t.Errorf("cause %v", err)
			}
		}},
		{"when it is stopped, and asks no more", func(t *testing.T) {
			auth, b := begin(t, nil)
			l := watch(t, auth, request(t))
			l.stop()
			l.stop()
			before := b.asked.Load()
			if err := l.after(10 * time.Minute); !errors.Is(err, context.Canceled) || b.asked.Load() != before {
				t.Errorf("cause %v, asked %d times more", err, b.asked.Load()-before)
			}
		}},
		{"with the request, and asks no more", func(t *testing.T) {
			auth, b := begin(t, nil)
			r := request(t)
			ctx, end := context.WithCancel(r.Context())
			l := watch(t, auth, r.WithContext(ctx))
			if l.ctx.Value(key{}) != "of the request" {
				t.Error("the context lacks the values of the request's")
			}
			end()
			before := b.asked.Load()
			if err := l.after(10 * time.Minute); !errors.Is(err, context.Canceled) || b.asked.Load() != before {
				t.Errorf("cause %v, asked %d times more", err, b.asked.Load()-before)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) { synctest.Test(t, tt.run) })
	}
}
