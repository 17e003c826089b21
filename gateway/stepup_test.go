package gateway_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/gateway"
)

func stepRoutes() []gateway.Route {
	return []gateway.Route{
		{Name: "payments", Path: "/payments", Permissions: []codegrant.Permission{codegrant.MinimumLevel("urn:cognito:loa:3"), codegrant.SignedInWithin(5 * time.Minute)}},
		{Name: "rest", Path: "/"},
	}
}

// bearer is the header of a token that the pool has signed with these claims besides.
func (s *site) bearer(more map[string]any) map[string]string {
	s.t.Helper()
	now := time.Now()
	claims := map[string]any{
		"iss": s.Clients()[0].Issuer, "sub": "5c9b2c9e-0001-7000-8000-000000000001", "username": "robin", "client_id": s.ClientID,
		"token_use": "access", "scope": "openid", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "auth_time": now.Unix(),
	}
	maps.Copy(claims, more)
	token, err := s.MintToken(s.PoolID, claims)
	if err != nil {
		s.t.Fatal(err)
	}
	return map[string]string{"Authorization": "Bearer " + token}
}

// TestStepUp asks on every surface: what a browser and a program are told is the same.
func TestStepUp(t *testing.T) {
	s := newSite(t, stepRoutes(), nil)
	host := strings.TrimPrefix(s.url, "http://")
	alice := s.signIn("/", "alice@example.com").Client
	page := []string{"Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "same-origin"}
	const demand = "acr_values=urn%3Acognito%3Aloa%3A3+urn%3Acognito%3Aloa%3A4&max_age=300"
	to := "/auth/login?" + demand + "&redirect_uri=%2Fpayments%2F7%3Fx%3D1"

	r, _ := s.ask(alice, "GET", "/payments/7?x=1", merge(map[string]string{}, page...))
	if r.StatusCode != 302 || r.Header.Get("Location") != to || s.last().Decision != gateway.Unauthorized {
		t.Errorf("a page: %d %v, %+v", r.StatusCode, r.Header, s.last())
	}
	r, _ = s.ask(alice, "GET", "/auth/check", merge(asked("caddy", "GET", host, "/payments/7?x=1"), page...))
	if r.StatusCode != 302 || r.Header.Get("Location") != s.url+to {
		t.Errorf("a page that Caddy asks about: %d %v", r.StatusCode, r.Header)
	}
	r, _ = s.ask(alice, "GET", "/auth/check", merge(asked("nginx", "GET", host, "/payments/7?x=1"), page...))
	if r.StatusCode != 401 || r.Header.Get(gateway.RedirectHeader) != s.url+to {
		t.Errorf("a page that nginx asks about: %d %v", r.StatusCode, r.Header)
	}
	r, body := s.ask(alice, "POST", "/payments/7", merge(map[string]string{"Origin": s.url}, page...))
	if r.StatusCode != 401 || !strings.Contains(body, "Nothing has been changed") {
		t.Errorf("a form: %d %s", r.StatusCode, body)
	}
	r, _ = s.ask(alice, "GET", "/auth/check", merge(merge(asked("nginx", "POST", host, "/payments/7"), page...), "Origin", s.url))
	if r.StatusCode != 401 || r.Header.Get(gateway.RedirectHeader) != s.url+"/auth/step-up?"+demand+"&redirect_uri=%2F" {
		t.Errorf("a form that nginx asks about: %d %v", r.StatusCode, r.Header)
	}
	w := httptest.NewRecorder()
	header := cookiesIn(t, s, alice)
	header.Set("Accept", "application/json")
	if pass := s.gateway.CheckOriginal(w, asOriginal(t, s, "GET", "/payments/7", header), nil); pass != nil || w.Code != 401 ||
		!strings.Contains(w.Header().Get("WWW-Authenticate"), `error="insufficient_user_authentication"`) {
		t.Errorf("a program that Envoy or HAProxy asks about: %d %v", w.Code, w.Header())
	}
	w = httptest.NewRecorder()
	if pass := s.gateway.CheckOriginal(w, asOriginal(t, s, "GET", "/rest", header), url.Values{"acr": {"urn:cognito:loa:4"}, "max_age": {"60"}}); pass != nil || w.Code != 401 ||
		!strings.Contains(w.Header().Get("WWW-Authenticate"), `acr_values="urn:cognito:loa:4", max_age="60"`) {
		t.Errorf("a proxy that asks for more: %d %v", w.Code, w.Header())
	}
	for _, query := range []string{"?acr=", "?max_age=0", "?max_age=-1", "?max_age=1h"} {
		if r, _ := s.ask(alice, "GET", "/auth/check"+query, asked("caddy", "GET", host, "/rest")); r.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", query, r.StatusCode)
		}
	}
}

// TestUpstreamsAreToldHow: at which level somebody has signed in, by what, and when.
func TestUpstreamsAreToldHow(t *testing.T) {
	s := newSite(t, stepRoutes(), nil)
	at := time.Now().Add(-time.Minute).Unix()
	got := s.echoed(http.DefaultClient, "/payments", s.bearer(map[string]any{"acr": "urn:cognito:loa:4", "amr": []string{"pwd", "otp", "a,b"}, "auth_time": at}))
	for name, want := range map[string]string{"X-Auth-Acr": "urn:cognito:loa:4", "X-Auth-Amr": "pwd,otp,a%2Cb", "X-Auth-Time": strconv.FormatInt(at, 10)} {
		if got.Header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Header.Get(name), want)
		}
	}
	got = s.echoed(http.DefaultClient, "/rest", s.bearer(map[string]any{"auth_time": 0}))
	for _, name := range []string{"X-Auth-Acr", "X-Auth-Amr"} {
		if values := got.Header[name]; len(values) != 1 || values[0] != "" {
			t.Errorf("%s of a token that does not say: %q", name, values)
		}
	}
	r, _ := s.ask(http.DefaultClient, "GET", "/payments", merge(s.bearer(map[string]any{"acr": "urn:cognito:loa:2"}), "X-Auth-Acr", "urn:cognito:loa:4"))
	if r.StatusCode != http.StatusUnauthorized {
		t.Errorf("a client that says so itself: %d", r.StatusCode)
	}
}
