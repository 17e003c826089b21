package codegrant_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/session"
)

func inCookies(c *codegrant.Config) { c.CookieSessions = true }

const alicesOwnPage = "alice@example.com [admins analysts] 0 by session"

func signedInByCookies(t *testing.T, change func(*codegrant.Config)) (*platform, *codegranttest.Browser) {
	t.Helper()
	p := newPlatform(t)
	p.backend("a.example.test", func(c *codegrant.Config) {
		inCookies(c)
		if change != nil {
			change(c)
		}
	})
	browser := p.browser()
	if page := browser.SignIn("https://a.example.test/", "alice@example.com", codegranttest.Password); page.Body != alicesOwnPage {
		t.Fatalf("%d %s", page.Status, page.Body)
	}
	return p, browser
}

func TestCookieSessions(t *testing.T) {
	p, browser := signedInByCookies(t, nil)
	held := jarOf(t, browser, "https://a.example.test/")
	for name, value := range held {
		if !strings.HasPrefix(name, "__Host-codegrant") || len(value)+len(name) > 4096 || strings.Contains(value, ".eyJ") {
			t.Errorf("cookie %s of %d bytes", name, len(value))
		}
	}
	if len(jarOf(t, browser, "https://b.example.test/")) != 0 {
		t.Error("the cookies are on other hosts too")
	}
	calls := p.Calls("token")
	p.now.Advance(2 * time.Hour)
	if page := browser.Open("https://a.example.test/"); page.Body != alicesOwnPage || p.Calls("token") != calls+1 {
		t.Errorf("refreshed %d times: %s", p.Calls("token")-calls, page.Body)
	}
	if page := browser.Open("https://a.example.test/"); page.Body != alicesOwnPage || p.Calls("token") != calls+1 {
		t.Errorf("the refreshed tokens were not kept: %s", page.Body)
	}
	browser.Open("https://a.example.test/auth/logout")
	if held := jarOf(t, browser, "https://a.example.test/"); held["__Host-codegrant"] != "" || held["__Host-codegrant-1"] != "" || p.Calls("revoke") != 1 {
		t.Errorf("after sign-out: %v, %d revocations", held, p.Calls("revoke"))
	}
	if !strings.Contains(p.log.String(), "nobody but the browser can end one") {
		t.Error("the log does not say what this mode cannot do")
	}
}

func TestCookieSessionsEndWhenIdle(t *testing.T) {
	p, browser := signedInByCookies(t, func(c *codegrant.Config) { c.IdleTimeout = time.Hour })
	for range 5 {
		p.now.Advance(50 * time.Minute) // used in time, each time
		if page := browser.Open("https://a.example.test/"); page.Body != alicesOwnPage {
			t.Fatalf("%s", page.Body)
		}
	}
	p.now.Advance(61 * time.Minute)
	if r := get(t, browser.Client, "https://a.example.test/"); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("idle: %d", r.StatusCode)
	}
}

func TestS027_S060_CookieSessionsAreNotForged(t *testing.T) {
	p, browser := signedInByCookies(t, nil)
	p.backend("b.example.test", func(c *codegrant.Config) { inCookies(c); c.Keys = session.RandomKeyring() })
	held := jarOf(t, browser, "https://a.example.test/")
	ask := func(host string, change func(name, value string) string) int {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		for name, value := range held {
			r.AddCookie(&http.Cookie{Name: name, Value: change(name, value)})
		}
		w := httptest.NewRecorder()
		p.hosts[host].ServeHTTP(w, r)
		return w.Code
	}
	if got := ask("a.example.test", func(_, v string) string { return v }); got != http.StatusOK {
		t.Fatalf("as it is: %d", got)
	}
	for name, change := range map[string]func(name, value string) string{
		"cut":           func(_, v string) string { return v[:len(v)-9] },
		"one bit":       func(_, v string) string { return v[:40] + string(v[40]^1) + v[41:] },
		"one part only": func(n, v string) string { return map[bool]string{true: v, false: "x"}[n == "__Host-codegrant"] },
		"swapped":       func(n, _ string) string { return held["__Host-codegrant-1"] },
	} {
		if got := ask("a.example.test", change); got != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, got)
		}
	}
	if got := ask("b.example.test", func(_, v string) string { return v }); got != http.StatusUnauthorized {
		t.Errorf("under other keys: %d", got)
	}
}

func TestCookieSessionsThatAreTooLarge(t *testing.T) {
	p := newPlatform(t)
	p.backend("a.example.test", inCookies)
	var groups []string
	for i := range 150 {
		groups = append(groups, fmt.Sprintf("%s-%d", session.NewHandle().RecordID(), i))
	}
	p.AddUser("carol", "carol@example.com", groups...)
	page := p.browser().SignIn("https://a.example.test/", "carol@example.com", codegranttest.Password)
	if page.Status != http.StatusBadRequest || !strings.Contains(p.log.String(), "keep sessions in a store") {
		t.Errorf("%d %s", page.Status, page.Body)
	}
}

func TestCookieSessionsConfiguration(t *testing.T) {
	pool := codegranttest.NewPool(t, nil).Register("http://localhost:8080")
	for _, c := range []codegrant.Config{
		{Pool: pool, CookieSessions: true, Sessions: session.NewMemoryStore(session.MemoryConfig{})},
		{Pool: pool, CookieSessions: true, BaseURL: "https://a.example.com", InsecureSharedTokensDomain: "example.com"},
	} {
		if _, err := codegrant.New(c); err == nil || !strings.Contains(err.Error(), "CookieSessions") {
			t.Errorf("%v", err)
		}
	}
}
