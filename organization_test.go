package codegrant_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
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
