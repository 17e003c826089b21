package gateway

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codegrant/codegrant"
)

// TestS738_AStreamIsForOneOrganization: what the upstream was told at its beginning. It
// ends within a minute of the person acting for another, whatever the route asks for.
func TestS738_AStreamIsForOneOrganization(t *testing.T) {
	first := &codegrant.Organization{ID: "org_a", Role: "admin"}
	for _, tt := range []struct {
		name  string
		needs []codegrant.Permission
		now   *codegrant.Organization
		ends  bool
	}{
		{"another, in a role that the route asks for", []codegrant.Permission{codegrant.InOrganization("admin")}, &codegrant.Organization{ID: "org_b", Role: "admin"}, true},
		{"none, and the route asks for none", nil, nil, true},
		{"the same", []codegrant.Permission{codegrant.InOrganization("admin")}, &codegrant.Organization{ID: "org_a", Role: "admin"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var acting atomic.Pointer[codegrant.Organization]
				acting.Store(first)
				auth, err := codegrant.New(codegrant.Config{
					Pool: testPool, Authenticators: []codegrant.Authenticator{key{}},
					Organization: func(context.Context, *codegrant.Identity) (*codegrant.Organization, error) { return acting.Load(), nil },
				})
				if err != nil {
					t.Fatal(err)
				}
				g, err := New(Config{Tenants: []Tenant{{Auth: auth}}, Transport: endless{}, Routes: []Route{
					{Path: "/", Upstream: &Upstream{URLs: []string{"http://127.0.0.1:1"}}, Permissions: tt.needs},
				}})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
				r.Header.Set("X-Key", "good")
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					defer func() { _ = recover() }() // http.ErrAbortHandler: the answer had begun
					g.ServeHTTP(httptest.NewRecorder(), r)
				}()
				over := func() bool {
					synctest.Wait()
					select {
					case <-ended:
						return true
					default:
						return false
					}
				}
				time.Sleep(10*recheckEvery + time.Second)
				if over() {
					t.Fatal("it ended while nothing had changed")
				}
				acting.Store(tt.now)
				time.Sleep(recheckEvery)
				if over() != tt.ends {
					t.Errorf("it ended: %t", !tt.ends)
				}
				cancel()
				<-ended
			})
		})
	}
}
