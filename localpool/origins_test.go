package localpool_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/localpool"
)

// TestS142_OAuthOrigins: scripts of pages of this machine, of an app, and of an origin
// that is allowed by name call the OAuth endpoints; those of strangers do not.
func TestS142_OAuthOrigins(t *testing.T) {
	seed, err := localpool.ParseSeed([]byte(behaviorSeed))
	if err != nil {
		t.Fatal(err)
	}
	pool, err := localpool.New(localpool.Config{Seed: seed, AllowOrigins: []string{"https://named.example"}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	call := func(method, path, origin string, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "http://127.0.0.1:9229"+path, nil)
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		pool.ServeHTTP(w, r)
		return w
	}
	for path, methods := range map[string]string{
		"/oauth2/token": "POST", "/oauth2/userInfo": "GET, POST", "/oauth2/revoke": "POST",
		"/local_Shop1/.well-known/openid-configuration": "GET", "/local_Shop1/.well-known/jwks.json": "GET",
	} {
		for origin, trusted := range map[string]bool{
			"http://localhost:3000": true, "http://127.0.0.1:4": true, "http://[::1]:5173": true, "http://shop.localhost:8080": true,
			"https://named.example": true, "https://app.example.com": true, // of a callback URL
			"https://evil.example": false, "http://named.example": false, "https://named.example:444": false, "https://named.example.evil.example": false,
			"http://localhost.evil.example": false, "null": false,
		} {
			w := call("OPTIONS", path, origin, "Access-Control-Request-Method", methods[:3], "Access-Control-Request-Headers", "content-type,x-amz-user-agent")
			h := w.Header()
			if got := h.Get("Access-Control-Allow-Origin") == "*" && w.Code == http.StatusNoContent && h.Get("Access-Control-Allow-Methods") == methods && h.Get("Access-Control-Allow-Headers") == "content-type,x-amz-user-agent"; got != trusted {
				t.Errorf("preflight of %s from %s: status %d, %v", path, origin, w.Code, h)
			}
			w = call(methods[:3]+strings.Repeat("T", strings.Count(methods[:3], "POS")), path, origin)
			if got := w.Header().Get("Access-Control-Allow-Origin") == "*" && w.Code != http.StatusForbidden; got != trusted {
				t.Errorf("%s from %s: status %d, %v", path, origin, w.Code, w.Header())
			}
		}
		if w := call("GET", path, ""); w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s without an origin: %v", path, w.Header())
		}
	}
	// The pages are for navigation alone.
	if w := call("OPTIONS", "/login?client_id=spa", "http://localhost:3000"); w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("the login page: %v", w.Header())
	}
	if w := call("OPTIONS", "/oauth2/token", "https://named.example", "Access-Control-Request-Private-Network", "true"); w.Header().Get("Access-Control-Allow-Private-Network") != "true" {
		t.Errorf("an allowed page on a public network: %v", w.Header())
	}
	for _, origin := range []string{"", "*", "null", "named.example", "https://named.example/", "https://*.example", "ftp://named.example", "https://Named.example", "https://user@named.example"} {
		if _, err := localpool.New(localpool.Config{AllowOrigins: []string{origin}, Logger: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), "is not of the form") {
			t.Errorf("origin %q: %v", origin, err)
		}
	}
}

// TestOAuthFaults: bodies and headers of refusals that clients tell apart.
func TestOAuthFaults(t *testing.T) {
	c := newContract(t)
	for _, tt := range []struct{ name, method, path, form, authorization, body, authenticate string }{
		{name: "no client", method: "POST", path: "/oauth2/token", form: "grant_type=refresh_token&refresh_token=x", body: `{"error":"invalid_request"}`},
		{name: "unknown client", method: "POST", path: "/oauth2/token", form: "grant_type=refresh_token&refresh_token=x&client_id=nobody", body: `{"error":"invalid_client"}`},
		{name: "wrong secret", method: "POST", path: "/oauth2/token", form: "grant_type=refresh_token&refresh_token=x&client_id=web&client_secret=y", body: `{"error":"invalid_client","error_description":"invalid_client_secret"}`},
		{name: "another client in the body", method: "POST", path: "/oauth2/token", form: "grant_type=refresh_token&refresh_token=x&client_id=spa", authorization: "Basic d2ViOng=", body: `{"error":"invalid_client"}`},
		{name: "no refresh token", method: "POST", path: "/oauth2/token", form: "grant_type=refresh_token&client_id=spa", body: `{"error":"invalid_request"}`},
		{name: "unknown refresh token", method: "POST", path: "/oauth2/token", form: "grant_type=refresh_token&refresh_token=x&client_id=spa", body: `{"error":"invalid_grant"}`},
		{name: "unknown grant", method: "POST", path: "/oauth2/token", form: "grant_type=password&client_id=spa", body: `{"error":"unsupported_grant_type"}`},
		{name: "a grant that is not allowed", method: "POST", path: "/oauth2/token", form: "grant_type=client_credentials&client_id=spa", body: `{"error":"unauthorized_client"}`},
		{name: "no bearer", method: "GET", path: "/oauth2/userInfo", body: `{"error":"invalid_request","error_description":"Bad OAuth2 request at UserInfo Endpoint"}`, authenticate: `error="invalid_request", error_description="Bad OAuth2 request at UserInfo Endpoint"`},
		{name: "a bad bearer", method: "GET", path: "/oauth2/userInfo", authorization: "Bearer x", body: `{"error":"invalid_token","error_description":"Access token is invalid"}`, authenticate: `error="invalid_token", error_description="Access token is invalid"`},
		{name: "revoking an access token", method: "POST", path: "/oauth2/revoke", form: "client_id=spa&token=a.b.c", body: `{"error":"unsupported_token_type"}`},
		{name: "revoking nothing", method: "POST", path: "/oauth2/revoke", form: "client_id=spa", body: `{"error":"invalid_request"}`},
		{name: "revoking as nobody", method: "POST", path: "/oauth2/revoke", form: "client_id=nobody&token=x", body: `{"error":"invalid_client"}`},
	} {
		r, err := http.NewRequestWithContext(t.Context(), tt.method, c.url+tt.path, strings.NewReader(tt.form))
		c.ok(err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if tt.authorization != "" {
			r.Header.Set("Authorization", tt.authorization)
		}
		a := c.send(r)
		if a.body != tt.body || a.header.Get("WWW-Authenticate") != tt.authenticate || a.status < 400 || a.status > 401 {
			t.Errorf("%s: status %d, %s, WWW-Authenticate %s", tt.name, a.status, a.body, a.header.Get("WWW-Authenticate"))
		}
	}
}
