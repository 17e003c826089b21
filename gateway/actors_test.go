package gateway_test

import (
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/gateway"
)

// acting is an access token of carol's, in analysts, with whoever acts for her.
func (s *site) acting(act map[string]any) string {
	s.t.Helper()
	claims := map[string]any{
		"iss": s.Clients()[0].Issuer, "sub": "s-1", "client_id": s.ClientID, "token_use": "access", "scope": "openid", "username": "carol",
		"cognito:groups": []string{"analysts"}, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	if act != nil {
		claims["act"] = act
	}
	token, err := s.MintToken(s.PoolID, claims)
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

// TestS610_ActorsByRoute: a route lets its actors through and nobody else's, however it is
// asked about.
func TestS610_ActorsByRoute(t *testing.T) {
	s := newSite(t, []gateway.Route{
		{Name: "agents", Path: "/agents", Actors: []string{"agent-1"}, Permissions: analysts},
		{Name: "any", Path: "/any", Actors: []string{codegrant.AnyActor}},
		{Name: "open", Path: "/open", Public: true},
		{Name: "rest", Path: "/"},
	}, nil)
	type claims = map[string]any
	one, two, twice := claims{"sub": "agent-1"}, claims{"sub": "agent-2"}, claims{"sub": "agent-1", "act": claims{"sub": "agent-2"}}
	for _, tt := range []struct {
		path  string
		act   claims
		want  int
		actor string
	}{
		{"/", nil, 200, ""}, {"/", one, 403, ""}, {"/agents", nil, 200, ""}, {"/agents", one, 200, "agent-1"}, {"/agents", two, 403, ""},
		{"/agents", twice, 200, "agent-1"}, {"/agents", claims{}, 401, ""}, {"/any", two, 200, "agent-2"}, {"/any", claims{"sub": []string{"a"}}, 401, ""},
		// A server that reads this as the path of the other route is not to be a way around it.
		{"/AGENTS", one, 403, ""}, {"/AGENTS", nil, 200, ""}, {"/agents.json", one, 403, ""},
	} {
		proof := map[string]string{"Authorization": "Bearer " + s.acting(tt.act)}
		response, body := s.ask(http.DefaultClient, "GET", tt.path, proof)
		var got seen
		_ = json.Unmarshal([]byte(body), &got)
		if response.StatusCode != tt.want || tt.want == 200 && (got.Header.Get("X-Auth-Actor") != tt.actor || got.Header.Get("X-Auth-Subject") != "s-1") {
			t.Errorf("%s, act %v: %d %s", tt.path, tt.act, response.StatusCode, body)
		}
		if o := s.last(); tt.want == 200 && o.Identity.Actor.String() != tt.actor {
			t.Errorf("%s, act %v: the outcome says %v", tt.path, tt.act, o.Identity.Actor)
		}
		host := strings.TrimPrefix(s.url, "http://")
		for _, kind := range []string{"nginx", "forward"} {
			response, body := s.ask(http.DefaultClient, "GET", "/auth/check", merge(asked(kind, "GET", host, tt.path), "Authorization", proof["Authorization"]))
			if response.StatusCode != tt.want || tt.want == 200 && response.Header.Get("X-Auth-Actor") != tt.actor {
				t.Errorf("%s, asked by %s, act %v: %d %v %s", tt.path, kind, tt.act, response.StatusCode, response.Header, body)
			}
		}
		w := httptest.NewRecorder()
		pass := s.gateway.CheckOriginal(w, asOriginal(t, s, "GET", tt.path, http.Header{"Authorization": {proof["Authorization"]}}), nil)
		if (pass != nil) != (tt.want == 200) || pass == nil && w.Code != tt.want || pass != nil && pass.Set.Get("X-Auth-Actor") != tt.actor {
			t.Errorf("%s, act %v, original: %d %+v", tt.path, tt.act, w.Code, pass)
		}
	}
	// On a public route, whoever acts for somebody is nobody.
	if got := s.echoed(http.DefaultClient, "/open", map[string]string{"Authorization": "Bearer " + s.acting(one)}); got.Header.Get("X-Auth-Subject") != "" {
		t.Errorf("%v", got.Header)
	}
}

// TestS612_ActorsInAssertions: act is as RFC 8693 has it, and one actor's assertion is not
// another one's.
func TestS612_ActorsInAssertions(t *testing.T) {
	_, key, _ := ed25519.GenerateKey(nil)
	s := newSite(t, []gateway.Route{{Name: "any", Path: "/", Assertion: true, Actors: []string{codegrant.AnyActor}}}, func(g *gateway.Config, _ *codegrant.Config) {
		g.Assertions = &gateway.Assertions{Keys: []ed25519.PrivateKey{key}, Issuer: "https://gate.example.com"}
	})
	issuer := s.Clients()[0].Issuer
	type claims = map[string]any
	for _, tt := range []struct {
		act  claims
		want string
	}{
		{nil, ""},
		{claims{"sub": "agent-1"}, `{"iss":"` + issuer + `","sub":"agent-1"}`},
		{claims{"sub": "agent-1", "client_id": "c"}, `{"iss":"` + issuer + `","sub":"agent-1","client_id":"c"}`},
		{claims{"sub": "agent-1", "act": claims{"sub": "c"}}, `{"iss":"` + issuer + `","sub":"agent-1","act":{"iss":"` + issuer + `","sub":"c"}}`},
		{claims{"sub": "agent-1", "iss": "https://o.example.com"}, `{"iss":"https://o.example.com","sub":"agent-1"}`},
		{nil, ""},
	} {
		raw := s.echoed(http.DefaultClient, "/x", map[string]string{"Authorization": "Bearer " + s.acting(tt.act)}).Header.Get("X-Auth-Assertion")
		parsed, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.EdDSA})
		if err != nil {
			t.Fatal(err)
		}
		var own struct {
			Act json.RawMessage `json:"act"`
		}
		if err := parsed.Claims(key.Public(), &own); err != nil || string(own.Act) != tt.want {
			t.Errorf("act %v: %s, %v, want %s", tt.act, own.Act, err, tt.want)
		}
	}
}

// TestActorsThatMakeNoSense are faults of the configuration.
func TestActorsThatMakeNoSense(t *testing.T) {
	s := newSite(t, nil, nil)
	for _, r := range []gateway.Route{{Public: true, Actors: []string{"a"}}, {Actors: []string{""}}, {Actors: []string{"a", codegrant.AnyActor}}} {
		_, err := gateway.New(gateway.Config{Tenants: []gateway.Tenant{{Auth: s.auth}}, Routes: []gateway.Route{r}})
		if err == nil || !strings.Contains(err.Error(), "actors: ") {
			t.Errorf("%+v: %v", r, err)
		}
	}
}
