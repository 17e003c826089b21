package gateway_test

import (
	"crypto/ed25519"
	"encoding/json"
	"maps"
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

// machine is an access token of the app client's own, whatever a trigger has added.
func (s *site) machine(claims map[string]any) string {
	s.t.Helper()
	all := map[string]any{
		"iss": s.Clients()[0].Issuer, "sub": s.ClientID, "client_id": s.ClientID, "token_use": "access", "scope": "orders/read",
		"cognito:groups": []string{"analysts"}, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	maps.Copy(all, claims)
	token, err := s.MintToken(s.PoolID, all)
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

// TestS560_S561_MachinesByRoute: a route lets machines with its scopes through, and no other
// does, however it is asked about.
func TestS560_S561_MachinesByRoute(t *testing.T) {
	level := codegrant.SignedInWithin(time.Minute)
	s := newSite(t, []gateway.Route{
		{Name: "orders", Path: "/orders", Machines: []string{"orders/read"}, Permissions: analysts},
		{Name: "any", Path: "/any", Machines: []string{"orders/read"}, Actors: []string{codegrant.AnyActor}},
		{Name: "level", Path: "/level", Machines: []string{"orders/read"}, Permissions: []codegrant.Permission{level}},
		{Name: "write", Path: "/write", Machines: []string{"orders/write"}},
		{Name: "groups", Path: "/groups", Permissions: analysts},
		{Name: "scope", Path: "/scope", Permissions: []codegrant.Permission{codegrant.HasScope("orders/read")}},
		{Name: "open", Path: "/open", Public: true},
		{Name: "rest", Path: "/"},
	}, nil)
	person, machine, other := s.acting(nil), s.machine(nil), s.machine(map[string]any{"client_id": "4other", "sub": "4other"})
	for _, tt := range []struct {
		path, token string
		want        int
	}{
		{"/orders", machine, 200}, {"/any", machine, 200}, {"/level", machine, 200}, {"/write", machine, 403},
		{"/", machine, 401}, {"/groups", machine, 401}, {"/scope", machine, 401}, {"/orders", other, 401},
		{"/orders", person, 200}, {"/any", person, 200}, {"/write", person, 200}, {"/groups", person, 200}, {"/scope", person, 403},
		// A server that reads this as the path of the other route is not to be a way around it.
		{"/ORDERS", machine, 403}, {"/orders.json", machine, 403}, {"/ORDERS", person, 200},
	} {
		proof := map[string]string{"Authorization": "Bearer " + tt.token, "X-Auth-Machine": "forged"}
		client, subject := "", "s-1"
		if tt.token != person {
			client, subject = s.ClientID, ""
		}
		told := func(h http.Header) bool {
			return h.Get("X-Auth-Machine") == client && h.Get("X-Auth-Subject") == subject && (client == "" || h.Get("X-Auth-Groups") == "" && h.Get("X-Auth-Scopes") == "orders/read")
		}
		response, body := s.ask(http.DefaultClient, "GET", tt.path, proof)
		var got seen
		_ = json.Unmarshal([]byte(body), &got)
		if response.StatusCode != tt.want || tt.want == 200 && !told(got.Header) {
			t.Errorf("%s as %q: %d %s", tt.path, client, response.StatusCode, body)
		}
		host := strings.TrimPrefix(s.url, "http://")
		for _, kind := range []string{"nginx", "forward"} {
			response, body := s.ask(http.DefaultClient, "GET", "/auth/check", merge(asked(kind, "GET", host, tt.path), "Authorization", proof["Authorization"]))
			if response.StatusCode != tt.want || tt.want == 200 && !told(response.Header) {
				t.Errorf("%s as %q, asked by %s: %d %v %s", tt.path, client, kind, response.StatusCode, response.Header, body)
			}
		}
		w := httptest.NewRecorder() // as ext_authz and SPOE ask
		pass := s.gateway.CheckOriginal(w, asOriginal(t, s, "GET", tt.path, http.Header{"Authorization": {proof["Authorization"]}}), nil)
		if (pass != nil) != (tt.want == 200) || pass == nil && w.Code != tt.want || pass != nil && !told(pass.Set) {
			t.Errorf("%s as %q, original: %d %+v", tt.path, client, w.Code, pass)
		}
	}
	// On a public route a machine is nobody.
	got := s.echoed(http.DefaultClient, "/open", map[string]string{"Authorization": "Bearer " + machine})
	if got.Header.Get("X-Auth-Subject") != "" || got.Header.Get("X-Auth-Machine") != "" || got.Header.Get("X-Auth-Scopes") != "" {
		t.Errorf("%v", got.Header)
	}
}

// TestS561_MachinesInAssertions: an assertion about a machine names no subject, whom a
// verifier would take for a person.
func TestS561_MachinesInAssertions(t *testing.T) {
	_, key, _ := ed25519.GenerateKey(nil)
	s := newSite(t, []gateway.Route{{Name: "any", Path: "/", Assertion: true, Machines: []string{"orders/read"}}}, func(g *gateway.Config, _ *codegrant.Config) {
		g.Assertions = &gateway.Assertions{Keys: []ed25519.PrivateKey{key}, Issuer: "https://gate.example.com"}
	})
	for _, tt := range []struct{ token, subject, machine string }{
		{s.machine(nil), "", s.ClientID}, {s.acting(nil), "s-1", ""}, {s.machine(nil), "", s.ClientID},
	} {
		raw := s.echoed(http.DefaultClient, "/x", map[string]string{"Authorization": "Bearer " + tt.token}).Header.Get("X-Auth-Assertion")
		parsed, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.EdDSA})
		if err != nil {
			t.Fatal(err)
		}
		var own struct {
			Sub     string `json:"sub"`
			Machine string `json:"machine"`
		}
		if err := parsed.Claims(key.Public(), &own); err != nil || own.Sub != tt.subject || own.Machine != tt.machine {
			t.Errorf("%+v, %v, want %+v", own, err, tt)
		}
	}
}

// TestMachinesThatMakeNoSense are faults of the configuration.
func TestMachinesThatMakeNoSense(t *testing.T) {
	s := newSite(t, nil, nil)
	for _, r := range []gateway.Route{{Public: true, Machines: []string{"a"}}, {Machines: []string{""}}, {Machines: []string{"a"}, Guard: noGuard{}}} {
		_, err := gateway.New(gateway.Config{Tenants: []gateway.Tenant{{Auth: s.auth}}, Routes: []gateway.Route{r}})
		if err == nil || !strings.Contains(err.Error(), "machines: ") {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

type noGuard struct{ gateway.Guard }
