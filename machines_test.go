package codegrant_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/replica"
)

// noReplica must not be asked.
type noReplica struct{ replica.Store }

// TestS560_S561_Machines calls with tokens of an app client's own.
func TestS560_S561_Machines(t *testing.T) {
	pool := codegranttest.NewPool(t, nil)
	auth, err := codegrant.New(codegrant.Config{Pool: pool.Register("http://localhost:8080"), Replica: noReplica{}, UserMaxAge: -1})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	token := func(claims map[string]any) string {
		all := map[string]any{
			"iss": pool.Clients()[0].Issuer, "token_use": "access", "client_id": pool.ClientID, "sub": pool.ClientID, "scope": "orders/read orders/write",
			"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "cognito:groups": []string{"admins"}, "acr": loa + "4", "auth_time": now.Unix(),
		}
		maps.Copy(all, claims)
		token, err := pool.MintToken(pool.PoolID, all)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	mine := codegrant.PermissionFunc("mine", func(context.Context, *codegrant.Identity, *http.Request) (bool, error) { return true, nil })
	read, admins := codegrant.Machine("orders/read"), codegrant.InGroup("admins")
	for _, tt := range []struct {
		name   string
		need   []codegrant.Permission
		claims map[string]any
		want   int
	}{
		{"signed in is not enough", nil, nil, 401},
		{"a scope alone is for people's tokens", []codegrant.Permission{codegrant.HasScope("orders/read")}, nil, 401},
		{"groups are for people", []codegrant.Permission{admins}, nil, 401},
		{"not in a group", []codegrant.Permission{codegrant.Not(codegrant.InGroup("x"))}, nil, 401},
		{"a rule of the application", []codegrant.Permission{mine}, nil, 401},
		{"reading", []codegrant.Permission{codegrant.ReadOnly()}, nil, 401},
		{"machines", []codegrant.Permission{read}, nil, 200},
		{"machines, with both scopes", []codegrant.Permission{codegrant.Machine("orders/read", "orders/write")}, nil, 200},
		{"machines, without one of the scopes", []codegrant.Permission{codegrant.Machine("orders/read", "orders/delete")}, nil, 403},
		{"people or machines", []codegrant.Permission{codegrant.Any(admins, read)}, nil, 200},
		{"people or machines, without the scope", []codegrant.Permission{codegrant.Any(admins, mine, codegrant.ReadOnly(), codegrant.Machine("other"))}, nil, 403},
		{"machines that are in a group", []codegrant.Permission{read, admins}, nil, 403},
		{"machines that have signed in", []codegrant.Permission{read, codegrant.SignedIn()}, nil, 403},
		{"machines of a level", []codegrant.Permission{read, codegrant.MinimumLevel(loa + "1")}, nil, 403},
		{"machines that a rule knows", []codegrant.Permission{read, mine}, nil, 200},
		{"machines that read", []codegrant.Permission{codegrant.All(read, codegrant.ReadOnly())}, nil, 200},
		{"a person", []codegrant.Permission{read}, map[string]any{"sub": "s-1", "username": "robin"}, 403},
		{"somebody without a name", []codegrant.Permission{read}, map[string]any{"sub": "s-1"}, 401},
	} {
		for _, nested := range []bool{false, true} {
			var who *codegrant.Identity
			handler := auth.Require(tt.need...)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { who, _ = codegrant.From(r.Context()) }))
			if nested {
				handler = auth.Identify(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if id, ok := codegrant.From(r.Context()); ok && id.Machine {
						t.Errorf("%s: Identify shows a machine", tt.name)
					}
					auth.Require(tt.need...)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { who, _ = codegrant.From(r.Context()) })).ServeHTTP(w, r)
				}))
			}
			w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
			raw := token(tt.claims)
			r.Header.Set("Authorization", "Bearer "+raw)
			handler.ServeHTTP(w, r)
			if w.Code != tt.want || (who != nil) != (tt.want == 200) {
				t.Errorf("%s, nested %v: %d %s", tt.name, nested, w.Code, w.Body)
			}
			if who != nil && (!who.Machine || who.ClientID != pool.ClientID || who.UserID != 0 || len(who.Groups) > 0 || who.Username != "" || who.Email != "" || who.ACR != "") {
				t.Errorf("%s: %+v", tt.name, who)
			}
			_, err := auth.Bearer(t.Context(), raw)
			if tt.claims == nil && !errors.Is(err, codegrant.ErrMachineToken) {
				t.Errorf("%s: Bearer: %v", tt.name, err)
			}
			id, err := auth.BearerOrMachine(t.Context(), raw)
			if err == nil {
				err = auth.Authorize(t.Context(), id, r, tt.need...)
			}
			if (err == nil) != (tt.want == 200) {
				t.Errorf("%s: Authorize: %v", tt.name, err)
			}
			if err := auth.Recheck(r, tt.need...); (err == nil) != (tt.want == 200) {
				t.Errorf("%s: Recheck: %v", tt.name, err)
			}
		}
	}
	r, w := httptest.NewRequest("GET", "/auth/user", nil), httptest.NewRecorder()
	r.Header.Set("Authorization", "Bearer "+token(nil))
	auth.Handler("/auth").ServeHTTP(w, r)
	if w.Code != http.StatusUnauthorized {
		t.Errorf("/auth/user: %d %s", w.Code, w.Body)
	}
}
