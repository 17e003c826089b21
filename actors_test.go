package codegrant_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
)

// acting is an access token of carol's, in analysts, with whoever acts for her; nil: nobody.
func (a *app) acting(t *testing.T, act any, changes ...map[string]any) string {
	t.Helper()
	now := a.now.Now()
	claims := map[string]any{
		"iss": a.Clients()[0].Issuer, "sub": "s-1", "client_id": a.ClientID, "token_use": "access", "scope": "openid", "username": "carol",
		"cognito:groups": []string{"analysts"}, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	if act != nil {
		claims["act"] = act
	}
	for _, c := range changes {
		maps.Copy(claims, c)
	}
	token, err := a.MintToken(a.PoolID, claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

type act = map[string]any

// TestS610_WhoMayActForPeople: nobody, but where somebody says so.
func TestS610_WhoMayActForPeople(t *testing.T) {
	agent, twice := act{"sub": "agent-1"}, act{"sub": "agent-1", "act": act{"sub": "agent-2"}}
	inGroup, agents := codegrant.InGroup("analysts"), codegrant.AllowActors("agent-1")
	type perms = []codegrant.Permission
	for _, tt := range []struct {
		name       string
		everywhere []string // Config.BearerActors
		here       perms
		act        any
		want       int
	}{
		{"the person", nil, nil, nil, 200},
		{"the person, where an agent may too", nil, perms{agents}, nil, 200},
		{"an agent", nil, nil, agent, 403},
		{"an agent, in the person's group", nil, perms{inGroup}, agent, 403},
		{"an agent that may", nil, perms{inGroup, agents}, agent, 200},
		{"an agent that may, for a person who may not", nil, perms{codegrant.InGroup("admins"), agents}, agent, 403},
		{"another agent", nil, perms{agents}, act{"sub": "agent-2"}, 403},
		{"an agent by its app client", nil, perms{agents}, act{"sub": "s-9", "client_id": "agent-1"}, 200},
		{"any agent", nil, perms{codegrant.AllowActors(codegrant.AnyActor)}, act{"sub": "agent-2"}, 200},
		{"no agent", nil, perms{codegrant.AllowActors()}, agent, 403},
		{"the agent of now decides", nil, perms{agents}, twice, 200},
		{"and not the one before", nil, perms{codegrant.AllowActors("agent-2")}, twice, 403},
		{"of another issuer", nil, perms{agents}, act{"sub": "agent-1", "iss": "https://other.example.com"}, 403},
		{"of another issuer, by its name", nil, perms{codegrant.AllowActors("https://other.example.com agent-1")}, act{"sub": "agent-1", "iss": "https://other.example.com"}, 200},
		{"within All", nil, perms{codegrant.All(inGroup, agents)}, agent, 200},
		{"within Any, it opens nothing", nil, perms{codegrant.Any(agents, inGroup)}, agent, 403},
		{"within Not, it opens nothing", nil, perms{codegrant.Not(agents)}, agent, 403},
		{"everywhere", []string{"agent-1"}, nil, agent, 200},
		{"everywhere, but here another one alone", []string{"agent-1"}, perms{codegrant.AllowActors("agent-2")}, agent, 403},
		{"anybody everywhere", []string{codegrant.AnyActor}, perms{inGroup}, agent, 200},
		{"an act that names nobody", []string{codegrant.AnyActor}, perms{codegrant.AllowActors(codegrant.AnyActor)}, act{}, 401},
		{"an act that is not an object", []string{codegrant.AnyActor}, perms{codegrant.AllowActors(codegrant.AnyActor)}, "agent-1", 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newApp(t, func(c *codegrant.Config) { c.BearerActors = tt.everywhere })
			var seen *codegrant.Identity
			note := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen, _ = codegrant.From(r.Context()) })
			ask := func(h http.Handler) *httptest.ResponseRecorder {
				seen = nil
				r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, a.url+"/", nil)
				r.Header.Set("Authorization", "Bearer "+a.acting(t, tt.act))
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				return w
			}
			// Behind Identify, and within a Require that asks for less, it is the same.
			for way, h := range map[string]http.Handler{
				"Require": a.auth.Require(tt.here...)(note), "Identify": a.auth.Identify(a.auth.Require(tt.here...)(note)),
				"nested": a.auth.Require(codegrant.AllowActors(codegrant.AnyActor))(a.auth.Require(tt.here...)(note)),
			} {
				w := ask(h)
				if w.Code != tt.want || (seen != nil) != (tt.want == 200) {
					t.Errorf("%s: status %d, %v: %s", way, w.Code, seen, w.Body)
				}
				if acts, ok := tt.act.(act); seen != nil && ok && !seen.Actor.Is(acts["sub"].(string)) && seen.Actor.Issuer == "" {
					t.Errorf("%s: actor %v", way, seen.Actor)
				}
			}
			err := a.auth.Recheck(withToken(t, a, a.acting(t, tt.act)), tt.here...)
			if (err == nil) != (tt.want == 200) || tt.want == 403 && !errors.Is(err, codegrant.ErrForbidden) || tt.want == 401 && !errors.Is(err, codegrant.ErrInvalid) {
				t.Errorf("Recheck() = %v", err)
			}
			// Where nobody says, and without HTTP, the configuration decides alone.
			acts, ok := tt.act.(act)
			open := tt.act == nil || ok && acts["sub"] != nil && len(tt.everywhere) > 0
			if ask(a.auth.Identify(note)); (seen != nil) != open {
				t.Errorf("Identify: %v", seen)
			}
			id, err := a.auth.Bearer(t.Context(), a.acting(t, tt.act))
			if (id != nil) != open || !open && !errors.Is(err, codegrant.ErrInvalid) {
				t.Errorf("Bearer() = %v, %v", id, err)
			}
		})
	}
}

func withToken(t *testing.T, a *app, token string) *http.Request {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, a.url+"/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// TestS612_ActorsInTheLog: a refusal says who acted, and who acted before.
func TestS612_ActorsInTheLog(t *testing.T) {
	a := newApp(t, nil)
	token := a.acting(t, act{"sub": "agent-1", "act": act{"sub": "agent-2", "act": act{"client_id": "agent-3"}}})
	for path, want := range map[string]int{"/reports/": 403, "/auth/user": 403} {
		if r := get(t, http.DefaultClient, a.url+path, "Authorization", "Bearer "+token); r.StatusCode != want {
			t.Errorf("%s: status %d: %s", path, r.StatusCode, text(t, r))
		}
	}
	if log := a.log.String(); strings.Count(log, "actor=agent-1") != 2 || !strings.Contains(log, `actors_before="[agent-2 agent-3]"`) || !strings.Contains(log, "sub=s-1") {
		t.Error(log)
	}
	a = newApp(t, func(c *codegrant.Config) { c.BearerActors = []string{"agent-1"} })
	r := get(t, http.DefaultClient, a.url+"/auth/user", "Authorization", "Bearer "+a.acting(t, act{"sub": "agent-1"}))
	if body := text(t, r); r.StatusCode != 200 || !strings.Contains(body, `"actor":"agent-1"`) {
		t.Errorf("%d %s", r.StatusCode, body)
	}
}

func TestAllowActorsPanics(t *testing.T) {
	for _, names := range [][]string{{""}, {"a", ""}, {codegrant.AnyActor, "a"}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("AllowActors(%q) did not panic", names)
				}
			}()
			codegrant.AllowActors(names...)
		}()
	}
	a := newApp(t, nil)
	_, err := codegrant.New(codegrant.Config{Pool: a.Register("http://localhost:1"), BearerActors: []string{""}})
	if err == nil || !strings.Contains(err.Error(), "BearerActors") {
		t.Error(err)
	}
	if ok, err := codegrant.AllowActors("x").Check(context.Background(), nil, nil); ok || err != nil {
		t.Error("nobody may", ok, err)
	}
}
