package codegranttest_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/cognito"
)

// newAuth needs no pool: nothing asks it.
func newAuth(t *testing.T, change func(*codegrant.Config)) *codegrant.Auth {
	t.Helper()
	config := codegrant.Config{
		Pool:   cognito.Pool{ID: "eu-west-1_Ab12Cd34E", Domain: "https://auth.example.com", ClientID: "client"},
		Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&config)
	}
	auth, err := codegrant.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return auth
}

func whoAsks(w http.ResponseWriter, r *http.Request) {
	id, ok := codegrant.From(r.Context())
	if !ok {
		http.Error(w, "nobody", http.StatusTeapot)
		return
	}
	claim, _ := id.Claim("custom:tenant")
	fmt.Fprintf(w, "%s %s %s", id.Username, claim, id.AccessToken().Reveal())
}

func TestWithIdentity(t *testing.T) {
	auth, other := newAuth(t, nil), newAuth(t, nil)
	levels := newAuth(t, func(c *codegrant.Config) { c.Levels = []string{"low", "high"} })
	bare := http.Handler(http.HandlerFunc(whoAsks))
	carol := &codegrant.Identity{Subject: "c-1", Username: "carol", Groups: []string{"staff"}, ACR: "high"}
	machine := &codegrant.Identity{Subject: "m", ClientID: "m", Machine: true, Scopes: []string{"orders/read"}}
	agent := &codegrant.Identity{Subject: "c-1", Username: "carol", Actor: &codegrant.Actor{Subject: "agent"}}

	for _, tt := range []struct {
		name    string
		handler http.Handler
		id      *codegrant.Identity
		method  string
		want    int
	}{
		{"a handler behind nothing", bare, carol, "GET", 200},
		{"behind nothing, nobody", bare, nil, "GET", 418},
		{"Identify", auth.Identify(bare), carol, "GET", 200},
		{"Identify, nobody", auth.Identify(bare), nil, "GET", 418},
		{"Require", auth.Require()(bare), carol, "POST", 200},
		{"Require, nobody", auth.Require()(bare), nil, "GET", 401},
		{"the group", auth.Require(codegrant.InGroup("staff"))(bare), carol, "GET", 200},
		{"another group", auth.Require(codegrant.InGroup("admins"))(bare), carol, "GET", 403},
		{"one within another", auth.Require()(auth.Require(codegrant.InGroup("admins"))(bare)), carol, "GET", 403},
		{"one within that of another service", other.Require()(auth.Require(codegrant.InGroup("staff"))(bare)), carol, "GET", 200},
		{"levels of the configuration", levels.Require(codegrant.MinimumLevel("high"))(bare), carol, "GET", 200},
		{"a machine", auth.Require(codegrant.Machine("orders/read"))(bare), machine, "GET", 200},
		{"a machine where people are meant", auth.Require()(bare), machine, "GET", 401},
		{"an agent where nobody named it", auth.Require()(bare), agent, "GET", 403},
		{"an agent that may", auth.Require(codegrant.AllowActors("agent"))(bare), agent, "GET", 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx := codegranttest.WithIdentity(t.Context(), tt.id)
			w := httptest.NewRecorder()
			tt.handler.ServeHTTP(w, httptest.NewRequestWithContext(ctx, tt.method, "http://localhost:8080/orders", nil))
			if w.Code != tt.want {
				t.Errorf("status %d, want %d: %s", w.Code, tt.want, w.Body)
			}
		})
	}

	ctx := codegranttest.WithIdentity(t.Context(), carol)
	if id, ok := codegrant.From(ctx); !ok || id != carol {
		t.Errorf("From = %v, %v; want the identity that the test has", id, ok)
	}
	r := httptest.NewRequestWithContext(ctx, "GET", "http://localhost:8080/socket", nil)
	if err := auth.Recheck(r); err != nil {
		t.Errorf("Recheck = %v", err)
	}
	if err := auth.Recheck(r, codegrant.InGroup("admins")); !errors.Is(err, codegrant.ErrForbidden) {
		t.Errorf("Recheck for a group that carol is not in = %v", err)
	}
	brief := *carol
	brief.Expires = time.Now().Add(time.Hour)
	watched, stop := auth.Watch(r.WithContext(codegranttest.WithIdentity(t.Context(), &brief)))
	if watched.Err() != nil {
		t.Errorf("Watch: %v", watched.Err())
	}
	stop()
	if watched.Err() == nil {
		t.Error("Watch goes on after its stop")
	}
}

func TestWithTokens(t *testing.T) {
	carol := &codegrant.Identity{Username: "carol"}
	ctx := codegranttest.WithTokens(t.Context(), carol, map[string]any{"custom:tenant": "north"}, "the access token")
	w := httptest.NewRecorder()
	newAuth(t, nil).Require()(http.HandlerFunc(whoAsks)).ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "http://localhost:8080/", nil))
	if got, want := w.Body.String(), `carol "north" the access token`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	id, _ := codegrant.From(ctx)
	if raw, ok := id.Claim("email"); ok || raw != nil {
		t.Errorf("a claim that the test did not give: %s", raw)
	}
	if groups := slices.Clone(id.Groups); len(groups) != 0 {
		t.Errorf("groups %v", groups)
	}
}
