package gateway_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/gateway"
)

// TestS240_WhatTheApplicationSees: a proxy that names what it asks about is told the
// application's own cookies and what it may see of Authorization; nobody else is.
func TestS240_WhatTheApplicationSees(t *testing.T) {
	s := newSite(t, usual(), nil)
	host := strings.TrimPrefix(s.url, "http://")
	alice, nobody := s.signIn("/", "alice@example.com"), codegranttest.NewBrowser(t)
	token, err := s.MintToken(s.PoolID, map[string]any{
		"token_use": "access", "client_id": s.ClientID, "sub": "5d5f1b7c-4e5a-4b5e-9d3c-0f1e2d3c4b5a", "username": "alice", "scope": "openid",
		"iss": s.Clients()[0].Issuer, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(), "auth_time": time.Now().Unix(), "jti": "x",
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"nginx", "caddy"} {
		for _, tt := range []struct {
			name                  string
			browser               *codegranttest.Browser
			cookie, authorization string
			seen, seenToken       string
		}{
			{"a session and theirs", alice, "theirs=1; also=2", "", "theirs=1; also=2", ""},
			{"a token and nothing else", nobody, "", "Bearer " + token, "", ""},
			{"a token that proved it", nobody, "theirs=1", "Bearer " + token, "theirs=1", ""},
		} {
			header := asked(kind, "GET", host, "/rest")
			if tt.cookie != "" {
				header["Cookie"] = tt.cookie
			}
			if tt.authorization != "" {
				header["Authorization"] = tt.authorization
			}
			r, body := s.ask(tt.browser.Client, "GET", "/auth/check", header)
			if r.StatusCode != 200 {
				t.Fatalf("%s, %s: %d %s", kind, tt.name, r.StatusCode, body)
			}
			// The pool's cookies and the upstream's are on the same host.
			if got := r.Header["Cookie"]; len(got) != 1 || !strings.HasPrefix(got[0], tt.seen) || strings.Contains(got[0], "codegrant") || len(r.Header["Authorization"]) != 1 || r.Header.Get("Authorization") != tt.seenToken {
				t.Errorf("%s, %s: cookie %q, authorization %q", kind, tt.name, r.Header["Cookie"], r.Header["Authorization"])
			}
		}
	}
	// Two lines of cookies are all of them; of two that prove something, neither is handed on.
	ask := httptest.NewRequestWithContext(t.Context(), "GET", "/auth/check", nil)
	ask.Host, ask.RemoteAddr = host, "127.0.0.1:1"
	for name, value := range asked("caddy", "GET", host, "/open") {
		ask.Header.Set(name, value)
	}
	ask.Header["Cookie"], ask.Header["Authorization"] = []string{"theirs=1", "also=2"}, []string{"Basic YTpi", "Basic Yzpk"}
	w := httptest.NewRecorder()
	s.gateway.ServeHTTP(w, ask)
	if got := w.Header(); w.Code != 200 || !slices.Equal(got["Cookie"], []string{"theirs=1; also=2"}) || !slices.Equal(got["Authorization"], []string{""}) {
		t.Errorf("of several lines: %d, cookie %q, authorization %q", w.Code, got["Cookie"], got["Authorization"])
	}
	// Scripts of a page can read an answer, and must not read cookies with it.
	plain := newSite(t, nil, nil)
	bob := plain.signIn("/auth/login", "bob@example.com")
	r, _ := plain.ask(bob.Client, "GET", "/auth/check", map[string]string{"Cookie": "theirs=1"})
	if r.StatusCode != 200 || len(r.Header["Cookie"]) > 0 || len(r.Header["Authorization"]) > 0 {
		t.Errorf("of nobody who asks about a request: %d %v", r.StatusCode, r.Header)
	}
}

// TestS241_CookiesForNginx: each cookie of an answer, whatever it decides, has a header
// of its own.
func TestS241_CookiesForNginx(t *testing.T) {
	var ahead atomic.Int64
	s := newSite(t, usual(), func(_ *gateway.Config, c *codegrant.Config) {
		c.CookieSessions = true
		c.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	host := strings.TrimPrefix(s.url, "http://")
	bob := s.signIn("/", "bob@example.com")
	for path, status := range map[string]int{"/rest": 200, "/reports": 403} {
		ahead.Store(int64(time.Hour - 10*time.Second)) // tokens are about to end
		jar := bob.Client.Jar
		c := *bob.Client
		r, _ := s.ask(&c, "GET", "/auth/check", asked("nginx", "GET", host, path))
		cookies := r.Header["Set-Cookie"]
		if r.StatusCode != status || len(cookies) < 2 {
			t.Fatalf("%s: %d with %d cookies; it was to refresh", path, r.StatusCode, len(cookies))
		}
		for i, cookie := range cookies {
			if got := r.Header.Get(gateway.CookieHeader + strconv.Itoa(i+1)); got != cookie {
				t.Errorf("%s: cookie %d is %q, want %q", path, i+1, got, cookie)
			}
		}
		bob.Client.Jar = jar
	}
	r, _ := s.ask(bob.Client, "GET", "/auth/check", asked("caddy", "GET", host, "/rest"))
	for name := range r.Header {
		if strings.HasPrefix(name, http.CanonicalHeaderKey(gateway.CookieHeader)) {
			t.Errorf("Caddy is told %s", name)
		}
	}
	// More than there are headers for: nobody is let through with a part of them.
	many := newSite(t, usual(), nil)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.Header.Get("X-Cookies"))
		for i := range n {
			w.Header().Add("Set-Cookie", fmt.Sprintf("c%d=1", i))
		}
		many.gateway.ServeHTTP(w, r)
	}))
	defer front.Close()
	for n, status := range map[int]int{16: 200, 17: 503} {
		question := asked("nginx", "GET", strings.TrimPrefix(many.url, "http://"), "/open")
		question["X-Cookies"] = strconv.Itoa(n)
		request, err := http.NewRequestWithContext(t.Context(), "GET", front.URL+"/auth/check", nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range question {
			request.Header.Set(name, value)
		}
		r, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if r.Body.Close(); r.StatusCode != status || status == 503 && r.Header["X-Auth-Subject"] != nil {
			t.Errorf("%d cookies: %d %v", n, r.StatusCode, r.Header)
		}
	}
}
