package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/gateway"
)

// handover gives what the test says.
type handover func(id *codegrant.Identity) (string, error)

func (f handover) Token(_ context.Context, id *codegrant.Identity) (string, error) { return f(id) }

// elsewhere sends people on.
type elsewhere struct{ error }

func (elsewhere) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "/consent", http.StatusSeeOther)
}

// TestS705_TheUpstreamGetsItsOwnToken, or sees nothing of the request: for sessions and for
// bearer tokens, however a token cannot be had.
func TestS705_TheUpstreamGetsItsOwnToken(t *testing.T) {
	var give handover
	route := gateway.Route{Name: "orders", Path: "/orders", Actors: []string{"agent-1"}, SendGroups: []string{"admins"}, Handover: handover(func(id *codegrant.Identity) (string, error) { return give(id) })}
	s := newSite(t, []gateway.Route{route, {Path: "/"}}, nil)
	alice := s.signIn("/", "alice@example.com")
	own := map[string]string{"Authorization": "Bearer " + s.acting(nil)}
	for _, tt := range []struct {
		name   string
		token  string
		err    error
		status int
		says   gateway.Decision
	}{
		{"a token", "for-orders.a-b_c~/+=", nil, 200, gateway.Passed},
		{"refused", "", fmt.Errorf("%w: no", codegrant.ErrForbidden), 403, gateway.Forbidden},
		{"refused, with a token all the same", "for-orders", fmt.Errorf("%w: no", codegrant.ErrForbidden), 403, gateway.Forbidden},
		{"away", "", fmt.Errorf("%w: no", codegrant.ErrUnavailable), 503, gateway.Unavailable},
		{"some fault", "", errors.New("no"), 403, gateway.Forbidden},
		{"another page first", "", fmt.Errorf("first: %w", elsewhere{errors.New("consent")}), 303, gateway.Forbidden},
		{"no token", "", nil, 503, gateway.Unavailable},
		{"one that ends the header", "a\r\nX-Auth-Subject: b", nil, 503, gateway.Unavailable},
		{"two", "a, Bearer b", nil, 503, gateway.Unavailable},
		{"a huge one", strings.Repeat("a", 1<<20), nil, 503, gateway.Unavailable},
	} {
		asked := 0
		give = func(id *codegrant.Identity) (string, error) {
			asked++
			if id.AccessToken() == "" {
				t.Error("who hands over cannot see the person's token")
			}
			return tt.token, tt.err
		}
		for kind, client := range map[string]*http.Client{"a session": alice.Client, "a token": http.DefaultClient} {
			header := map[string]string{}
			if kind == "a token" {
				header = own
			}
			response, body := s.ask(client, "GET", "/orders/1", header)
			if response.StatusCode != tt.status || s.last().Decision != tt.says {
				t.Errorf("%s, by %s: %d, %s\n%s", tt.name, kind, response.StatusCode, s.last().Decision, body)
			}
			reached := strings.Contains(body, `"Header"`)
			if reached != (tt.status == 200) || reached && !strings.Contains(body, `"Authorization":["Bearer `+tt.token+`"]`) {
				t.Errorf("%s, by %s: the upstream saw %s", tt.name, kind, body)
			}
			if tt.status == 503 && response.Header.Get("Retry-After") == "" {
				t.Errorf("%s: no Retry-After", tt.name)
			}
		}
		if asked != 2 {
			t.Errorf("%s: asked %d times", tt.name, asked)
		}
		// Nobody, and who may not pass, are asked for nothing.
		for _, header := range []map[string]string{nil, {"Authorization": "Bearer " + s.acting(map[string]any{"sub": "agent-2"})}} {
			if response, _ := s.ask(http.DefaultClient, "GET", "/orders/1", header); response.StatusCode != 401 && response.StatusCode != 403 || asked != 2 {
				t.Errorf("%s: %d, asked %d times", tt.name, response.StatusCode, asked)
			}
		}
	}
	// A proxy would send on what the client sent.
	host := strings.TrimPrefix(s.url, "http://")
	give = func(*codegrant.Identity) (string, error) { return "for-orders", nil }
	for _, kind := range []string{"nginx", "forward"} {
		if response, _ := s.ask(http.DefaultClient, "GET", "/auth/check", merge(asked(kind, "GET", host, "/orders/1"), "Authorization", own["Authorization"])); response.StatusCode != 403 {
			t.Errorf("asked by %s: %d", kind, response.StatusCode)
		}
	}
	w := httptest.NewRecorder()
	if pass := s.gateway.CheckOriginal(w, asOriginal(t, s, "GET", "/orders/1", http.Header{"Authorization": {own["Authorization"]}}), nil); pass != nil || w.Code != 403 {
		t.Errorf("original: %d", w.Code)
	}
}

// TestHandoversThatMakeNoSense are faults of the configuration.
func TestHandoversThatMakeNoSense(t *testing.T) {
	s := newSite(t, nil, nil)
	h := handover(func(*codegrant.Identity) (string, error) { return "", nil })
	up := &gateway.Upstream{URLs: []string{"http://127.0.0.1:1"}}
	for _, r := range []gateway.Route{
		{Handover: h}, {Handover: h, Upstream: up, Public: true}, {Handover: h, Upstream: up, Machines: []string{"orders/read"}},
		{Handover: h, Upstream: up, PassAccessToken: true}, {Handover: h, Upstream: up, PassAuthorization: true},
	} {
		if _, err := gateway.New(gateway.Config{Tenants: []gateway.Tenant{{Auth: s.auth}}, Routes: []gateway.Route{r}}); err == nil || !strings.Contains(err.Error(), "hands on") {
			t.Errorf("%+v: %v", r, err)
		}
	}
}
