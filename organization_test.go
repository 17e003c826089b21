package codegrant_test

import (
	"context"
	"errors"
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
	"github.com/codegrant/codegrant/session"
)

func TestInOrganization(t *testing.T) {
	acme := &codegrant.Organization{ID: "org_1", Name: "Acme", Role: "member"}
	for _, tt := range []struct {
		name  string
		id    *codegrant.Identity
		roles []string
		want  bool
	}{
		{"nobody", nil, nil, false},
		{"of none", &codegrant.Identity{Subject: "a"}, nil, false},
		{"of one without an ID", &codegrant.Identity{Subject: "a", Organization: &codegrant.Organization{Role: "member"}}, nil, false},
		{"of one", &codegrant.Identity{Subject: "a", Organization: acme}, nil, true},
		{"in the role", &codegrant.Identity{Subject: "a", Organization: acme}, []string{"admin", "member"}, true},
		{"in another role", &codegrant.Identity{Subject: "a", Organization: acme}, []string{"admin"}, false},
		{"the role in other letters", &codegrant.Identity{Subject: "a", Organization: acme}, []string{"Member"}, false},
		{"a machine", &codegrant.Identity{Subject: "a", Organization: acme, Machine: true}, nil, false},
	} {
		ok, err := codegrant.InOrganization(tt.roles...).Check(t.Context(), tt.id, httptest.NewRequest("GET", "/", nil))
		if err != nil || ok != tt.want {
			t.Errorf("%s: %t, %v", tt.name, ok, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("an empty role is taken")
		}
	}()
	codegrant.InOrganization("")
}

// TestS738_AskedEachTime: with every request, and again of one that lasts; what cannot be
// found out is 503, or ErrUnavailable, and never a yes.
func TestS738_AskedEachTime(t *testing.T) {
	pool := codegranttest.NewPool(t, nil)
	acting, fault := &codegrant.Organization{ID: "org_1", Role: "admin"}, error(nil)
	var lasting *http.Request
	var auth *codegrant.Auth
	need := codegrant.InOrganization("admin")
	app := pool.App(func(c codegrant.Config) http.Handler {
		c.Organization = func(_ context.Context, id *codegrant.Identity) (*codegrant.Organization, error) {
			if id.SessionID() == "" && id.Method == codegrant.MethodSession {
				t.Error("it is not told which session it is")
			}
			return acting, fault
		}
		var err error
		if auth, err = codegrant.New(c); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = auth.Close(context.Background()) })
		mux := http.NewServeMux()
		auth.Mount(mux, "/auth")
		mux.Handle("/", auth.Require(need)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			lasting = r.Clone(context.WithoutCancel(r.Context()))
		})))
		return mux
	})
	b := codegranttest.NewBrowser(t)
	if page := b.SignIn(app+"/", "alice@example.com", codegranttest.Password); page.Status != http.StatusOK {
		t.Fatal(page.Status)
	}
	for _, tt := range []struct {
		name   string
		acting *codegrant.Organization
		fault  error
		status int
		err    error
	}{
		{"in the role", &codegrant.Organization{ID: "org_1", Role: "admin"}, nil, http.StatusOK, nil},
		{"in another", &codegrant.Organization{ID: "org_1", Role: "member"}, nil, http.StatusForbidden, codegrant.ErrForbidden},
		{"in none", nil, nil, http.StatusForbidden, codegrant.ErrForbidden},
		{"not known", nil, errors.New("the database is away"), http.StatusServiceUnavailable, codegrant.ErrUnavailable},
		{"one without an ID", &codegrant.Organization{Role: "admin"}, nil, http.StatusServiceUnavailable, codegrant.ErrUnavailable},
		{"again", &codegrant.Organization{ID: "org_1", Role: "admin"}, nil, http.StatusOK, nil},
	} {
		acting, fault = tt.acting, tt.fault
		if page := b.Open(app + "/"); page.Status != tt.status {
			t.Errorf("%s: %d, want %d", tt.name, page.Status, tt.status)
		}
		if err := auth.Recheck(lasting, need); !errors.Is(err, tt.err) {
			t.Errorf("%s: a request that lasts: %v, want %v", tt.name, err, tt.err)
		}
	}
}

// TestS738_ARequestThatLastsIsForOneOrganization: who was let through for one and acts for
// another now, or for none, is out, whatever the permission asks.
func TestS738_ARequestThatLastsIsForOneOrganization(t *testing.T) {
	a := &codegrant.Organization{ID: "org_a", Role: "admin"}
	for _, tt := range []struct {
		name        string
		was, is     *codegrant.Organization
		permissions []codegrant.Permission
		want        error
	}{
		{"another, in a role that is asked for", a, &codegrant.Organization{ID: "org_b", Role: "admin"}, []codegrant.Permission{codegrant.InOrganization("admin")}, codegrant.ErrForbidden},
		{"another", a, &codegrant.Organization{ID: "org_b", Role: "admin"}, nil, codegrant.ErrForbidden},
		{"none", a, nil, nil, codegrant.ErrForbidden},
		{"another role", a, &codegrant.Organization{ID: "org_a", Role: "member"}, nil, codegrant.ErrForbidden},
		{"the same with another name", a, &codegrant.Organization{ID: "org_a", Name: "Renamed", Role: "admin"}, []codegrant.Permission{codegrant.InOrganization("admin")}, nil},
		{"none before", nil, a, nil, nil},
		{"none before and none now", nil, nil, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var acting atomic.Pointer[codegrant.Organization]
				acting.Store(tt.was)
				auth, err := codegrant.New(codegrant.Config{
					Pool:           cognito.Pool{ID: "eu-west-1_Ab12Cd34E", Domain: "https://auth.example.com", ClientID: "client"},
					Authenticators: []codegrant.Authenticator{new(badge)}, Logger: slog.New(slog.DiscardHandler),
					Organization: func(context.Context, *codegrant.Identity) (*codegrant.Organization, error) { return acting.Load(), nil },
				})
				if err != nil {
					t.Fatal(err)
				}
				r := httptest.NewRequest("GET", "http://localhost:8080/socket", nil)
				r.Header.Set("X-Badge", "carol")
				watched := watch(t, auth, r, tt.permissions...)
				fresh, stop := auth.Watch(r, tt.permissions...) // which nobody let through
				defer stop()
				var lasting *http.Request
				auth.Require()(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { lasting = r })).ServeHTTP(httptest.NewRecorder(), r)
				if err := errors.Join(watched.after(10*time.Minute), context.Cause(fresh), auth.Recheck(lasting, tt.permissions...)); err != nil {
					t.Fatalf("it ends while nothing has changed: %v", err)
				}
				acting.Store(tt.is)
				if err := auth.Recheck(lasting, tt.permissions...); !errors.Is(err, tt.want) {
					t.Errorf("Recheck: %v, want %v", err, tt.want)
				}
				if err := watched.after(time.Minute + time.Second); !errors.Is(err, tt.want) {
					t.Errorf("Watch: %v, want %v", err, tt.want)
				}
				if err := context.Cause(fresh); !errors.Is(err, tt.want) {
					t.Errorf("Watch of a request that passed nothing: %v, want %v", err, tt.want)
				}
			})
		})
	}
}

// TestS729_EveryKeeperKeepsTheOrganization: also after the tokens of the session before have
// ended.
func TestS729_EveryKeeperKeepsTheOrganization(t *testing.T) {
	for name, way := range map[string]func(*codegrant.Config){
		"in a store":    func(c *codegrant.Config) { c.Sessions = session.NewMemoryStore(session.MemoryConfig{}) },
		"in cookies":    func(c *codegrant.Config) { c.CookieSessions = true },
		"shared tokens": sharing,
	} {
		for when, later := range map[string]time.Duration{"soon": time.Minute, "after the tokens ended": 2 * time.Hour} {
			t.Run(name+"/"+when, func(t *testing.T) {
				p := newPlatform(t)
				var before, was []string
				p.backend(movingHost, func(c *codegrant.Config) {
					way(c)
					c.Keys = session.RandomKeyring()
					c.Organization = func(_ context.Context, id *codegrant.Identity) (*codegrant.Organization, error) {
						before = append(before, id.SessionID())
						return nil, nil
					}
					c.KeepOrganization = func(_ context.Context, _ *codegrant.Identity, w string) error {
						was = append(was, w)
						return nil
					}
				})
				b := p.browser()
				const url = "https://" + movingHost + "/"
				b.SignIn(url, "alice@example.com", codegranttest.Password)
				b.Open(url)
				last := before[len(before)-1]
				p.now.Advance(later)
				b.SignIn(url+"auth/login?prompt=login&redirect_uri=%2F", "alice@example.com", codegranttest.Password)
				if len(was) != 1 || was[0] != last {
					t.Errorf("kept of %q, want %q", was, last)
				}
				b.SignIn(url+"auth/login?prompt=login&redirect_uri=%2F", "bob@example.com", codegranttest.Password)
				if len(was) != 1 {
					t.Errorf("somebody else keeps that of %q", was)
				}
			})
		}
	}
}
