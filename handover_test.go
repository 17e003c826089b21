package codegrant_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
)

// tokensOf signs somebody in at a sibling and returns what a client of its own
// would hold.
func tokensOf(t *testing.T, p *platform, email string) map[string]string {
	t.Helper()
	browser := p.browser()
	browser.SignIn("https://shared.example.test/", email, codegranttest.Password)
	held := jarOf(t, browser, "https://shared.example.test/")
	for name := range held {
		if strings.Contains(name, "request") { // where the sign-in ended
			delete(held, name)
		}
	}
	if len(held) != 3 {
		t.Fatalf("tokens of %s: %d", email, len(held))
	}
	return held
}

func handOver(t *testing.T, client *http.Client, target, body string, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestHandOver(t *testing.T) {
	p := newPlatform(t)
	p.backend("shared.example.test", sharing)
	p.backend("a.example.test", func(c *codegrant.Config) {
		c.AcceptTokens, c.TrustedOrigins = true, []string{"https://spa.example.net"}
	})
	p.backend("off.example.test", func(*codegrant.Config) {})
	alice, bob := tokensOf(t, p, "alice@example.com"), tokensOf(t, p, "bob@example.com")
	good := asJSON(t, alice)
	const target = "https://a.example.test/auth/session"

	t.Run("opens a session", func(t *testing.T) {
		browser := p.browser()
		r := handOver(t, browser.Client, target, good, "Sec-Fetch-Site", "same-origin", "Origin", "https://a.example.test")
		var user struct {
			Email  string `json:"email"`
			Method string `json:"method"`
		}
		if err := json.NewDecoder(r.Body).Decode(&user); r.StatusCode != http.StatusCreated || err != nil || user.Email != "alice@example.com" || user.Method != "session" {
			t.Fatalf("%d %v %+v", r.StatusCode, err, user)
		}
		if page := browser.Open("https://a.example.test/"); page.Body != "alice@example.com [admins analysts] 0 by session" {
			t.Errorf("then: %d %q", page.Status, page.Body)
		}
	})
	t.Run("a listed origin may, and read the answer", func(t *testing.T) {
		browser := p.browser()
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodOptions, target, nil)
		r.Header.Set("Origin", "https://spa.example.net")
		r.Header.Set("Access-Control-Request-Method", "POST")
		preflight, err := browser.Client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		preflight.Body.Close()
		if preflight.StatusCode != http.StatusNoContent || preflight.Header.Get("Access-Control-Allow-Headers") != "Content-Type" {
			t.Errorf("preflight: %d %v", preflight.StatusCode, preflight.Header)
		}
		response := handOver(t, browser.Client, target, good, "Sec-Fetch-Site", "cross-site", "Origin", "https://spa.example.net")
		if response.StatusCode != http.StatusCreated || response.Header.Get("Access-Control-Allow-Origin") != "https://spa.example.net" ||
			response.Header.Get("Access-Control-Allow-Credentials") != "true" {
			t.Errorf("%d %v", response.StatusCode, response.Header)
		}
	})
	other, err := p.MintToken(p.PoolID, map[string]any{"token_use": "id", "aud": "another-client"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, target, body string
		header             []string
		status             int
	}{
		{"off by default", "https://off.example.test/auth/session", good, nil, http.StatusNotFound},
		{"another site", target, good, []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, http.StatusForbidden},
		{"a sibling's page", target, good, []string{"Sec-Fetch-Site", "same-site", "Origin", "https://evil.example.test"}, http.StatusForbidden},
		{"a plain form", target, url.Values{"id_token": {alice["id_token"]}}.Encode(), []string{"Content-Type", "application/x-www-form-urlencoded"}, http.StatusUnsupportedMediaType},
		{"a form that looks like JSON", target, good, []string{"Content-Type", "text/plain"}, http.StatusUnsupportedMediaType},
		{"tokens of two people", target, asJSON(t, map[string]string{"id_token": bob["id_token"], "access_token": alice["access_token"]}), nil, http.StatusUnauthorized},
		{"swapped", target, asJSON(t, map[string]string{"id_token": alice["access_token"], "access_token": alice["id_token"]}), nil, http.StatusUnauthorized},
		{"another client's token", target, asJSON(t, map[string]string{"id_token": other, "access_token": alice["access_token"]}), nil, http.StatusUnauthorized},
		{"no access token", target, asJSON(t, map[string]string{"id_token": alice["id_token"]}), nil, http.StatusBadRequest},
		{"an unknown member", target, `{"id_token":"a","access_token":"b","roles":["admin"]}`, nil, http.StatusBadRequest},
		{"two documents", target, good + good, nil, http.StatusBadRequest},
		{"not JSON", target, "{", nil, http.StatusBadRequest},
		{"too large", target, `{"id_token":"` + strings.Repeat("a", 5<<20) + `"}`, nil, http.StatusRequestEntityTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := handOver(t, p.browser().Client, tt.target, tt.body, tt.header...)
			if r.StatusCode != tt.status || len(r.Header["Set-Cookie"]) != 0 {
				t.Errorf("%d, want %d; cookies %v", r.StatusCode, tt.status, r.Header["Set-Cookie"])
			}
		})
	}
	if strings.Contains(p.log.String(), alice["access_token"]) || strings.Contains(p.log.String(), alice["id_token"]) {
		t.Error("a token is in the log")
	}
	t.Run("never by a link", func(t *testing.T) {
		browser := p.browser()
		query := url.Values{"id_token": {alice["id_token"]}, "access_token": {alice["access_token"]}, "refresh_token": {alice["refresh_token"]}}
		browser.Open("https://a.example.test/auth/login?" + query.Encode())
		if r := get(t, browser.Client, "https://a.example.test/"); r.StatusCode != http.StatusUnauthorized {
			t.Errorf("tokens in a URL signed somebody in: %d", r.StatusCode)
		}
		r := get(t, browser.Client, target+"?"+query.Encode())
		if r.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("GET: %d", r.StatusCode)
		}
	})
}
