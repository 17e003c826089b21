package codegrant_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/session"
)

// switched is an application whose people move from one pool to another.
type switched struct {
	*platform
	now *codegranttest.Pool // the new one
	way func(*codegrant.Config)
}

const movingHost = "a.example.test"

func newSwitched(t *testing.T, way func(*codegrant.Config)) *switched {
	t.Helper()
	s := &switched{platform: newPlatform(t), way: way}
	s.now = codegranttest.NewPool(t, s.platform.now.Now)
	s.backend(movingHost, way)
	return s
}

// change has the application sign people in at the new pool.
func (s *switched) change(more func(*codegrant.Config)) {
	s.t.Helper()
	s.backend(movingHost, func(c *codegrant.Config) {
		s.way(c)
		old := c.Pool
		c.Pool, c.OldPool = s.now.Register("https://"+movingHost), &old
		if more != nil {
			more(c)
		}
	})
}

// ask sends the cookies that somebody held at some time.
func (s *switched) ask(held map[string]string) int {
	r := httptest.NewRequest(http.MethodGet, "https://"+movingHost+"/", nil)
	for name, value := range held {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	s.hosts[movingHost].ServeHTTP(w, r)
	return w.Code
}

// TestS771_SessionsOfTheOldPoolLiveOn: after the change to another pool, whoever is signed
// in stays so, is renewed at the old pool, and ends there. Nobody signs in there.
func TestS771_SessionsOfTheOldPoolLiveOn(t *testing.T) {
	store := session.NewMemoryStore(session.MemoryConfig{})
	keys := session.RandomKeyring()
	for name, way := range map[string]func(*codegrant.Config){
		"in a store":    func(c *codegrant.Config) { c.Sessions, c.Keys = store, keys },
		"in cookies":    func(c *codegrant.Config) { c.CookieSessions, c.Keys = true, keys },
		"shared tokens": func(c *codegrant.Config) { sharing(c); c.Keys = keys },
	} {
		t.Run(name, func(t *testing.T) {
			store = session.NewMemoryStore(session.MemoryConfig{})
			s := newSwitched(t, way)
			const url = "https://" + movingHost + "/"
			browser := func() *codegranttest.Browser {
				b := s.browser()
				if page := b.SignIn(url, "alice@example.com", codegranttest.Password); page.Status != 200 {
					t.Fatalf("sign-in at the old pool: %d %s", page.Status, page.Body)
				}
				return b
			}
			stays, leaves, comes, ends := browser(), browser(), browser(), browser()
			opens := func(what string, b *codegranttest.Browser) {
				t.Helper()
				if page := b.Open(url); page.Status != 200 || !strings.HasPrefix(page.Body, "alice@example.com [admins analysts]") {
					t.Errorf("%s: %d %s", what, page.Status, page.Body)
				}
			}
			s.change(nil)
			opens("after the change", stays)
			s.platform.now.Advance(2 * time.Hour)
			calls, others := s.Calls("token"), s.now.Calls("token")
			opens("renewed", stays)
			if s.Calls("token") != calls+1 || s.now.Calls("token") != others {
				t.Errorf("asked the old pool %d times, and the new one %d", s.Calls("token")-calls, s.now.Calls("token")-others)
			}

			// A sign-out ends it, and has the old pool revoke it.
			held := jarOf(t, leaves, url)
			revoked := s.Calls("revoke")
			revokedOnce := func() bool { // it goes on behind an answer
				for end := time.Now().Add(20 * time.Second); s.Calls("revoke") == revoked && time.Now().Before(end); {
					time.Sleep(5 * time.Millisecond)
				}
				return s.Calls("revoke") == revoked+1
			}
			leaves.Open(url + "auth/logout")
			if !revokedOnce() {
				t.Errorf("revoked %d times", s.Calls("revoke")-revoked)
			}
			if status := s.ask(held); status != http.StatusUnauthorized {
				t.Errorf("after the sign-out: %d", status)
			}

			// So does a sign-in at the new pool.
			held = jarOf(t, comes, url)
			revoked = s.Calls("revoke")
			if page := comes.SignIn(url+"auth/login", "bob@example.com", codegranttest.Password); page.Status != 200 || !strings.HasPrefix(page.Body, "bob@example.com") {
				t.Errorf("sign-in at the new pool: %d %s", page.Status, page.Body)
			}
			if s.now.Calls("token") != others+1 {
				t.Error("it was not at the new pool")
			}
			if status := s.ask(held); status != http.StatusUnauthorized || !revokedOnce() {
				t.Errorf("after a sign-in at the new pool: %d, revoked %d times", status, s.Calls("revoke")-revoked)
			}

			// The old pool ends it.
			if err := s.DisableUser(s.PoolID, "alice@example.com"); err != nil {
				t.Fatal(err)
			}
			s.platform.now.Advance(2 * time.Hour)
			if r := get(t, ends.Client, url); r.StatusCode != http.StatusUnauthorized {
				t.Errorf("disabled at the old pool: %d", r.StatusCode)
			}

			// Without OldPool there is none.
			s.change(func(c *codegrant.Config) { c.OldPool = nil })
			if r := get(t, stays.Client, url); r.StatusCode != http.StatusUnauthorized {
				t.Errorf("without OldPool: %d", r.StatusCode)
			}
		})
	}
}

// TestS771_WhatElseIsOfTheOldPool: its bearer tokens count, people see and end its
// sessions, and a mark ends all that is of it.
func TestS771_WhatElseIsOfTheOldPool(t *testing.T) {
	store := session.NewMemoryStore(session.MemoryConfig{})
	var access cognito.Secret
	s := newSwitched(t, func(c *codegrant.Config) { c.Sessions, c.Keys = store, session.RandomKeyring() })
	const url = "https://" + movingHost + "/"
	a, b := s.browser(), s.browser()
	for _, browser := range []*codegranttest.Browser{a, b} {
		browser.SignIn(url, "alice@example.com", codegranttest.Password)
	}
	s.change(nil)
	var id codegrant.Identity
	seen := s.auths[movingHost].Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, _ := codegrant.From(r.Context())
		id, access = *got, got.AccessToken()
	}))
	r := httptest.NewRequest(http.MethodGet, url, nil)
	for name, value := range jarOf(t, a, url) {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	seen.ServeHTTP(httptest.NewRecorder(), r)
	auth := s.auths[movingHost]
	old, err := auth.Bearer(t.Context(), access.Reveal())
	if err != nil || old.Subject != id.Subject || old.Issuer != id.Issuer || id.Issuer == auth.Endpoints().Issuer {
		t.Fatalf("a bearer token of the old pool: %+v, %v", old, err)
	}
	called := httptest.NewRequest(http.MethodPost, url+"mcp", nil)
	called.Header.Set("Authorization", "Bearer "+access.Reveal())
	anyToken := codegrant.TokenRules{Resource: url + "mcp", InsecureNoAudience: true}
	for _, rules := range []codegrant.TokenRules{{}, anyToken} {
		if got, err := auth.Token(called, rules); err != nil || got.Subject != id.Subject || got.Issuer != id.Issuer {
			t.Errorf("a token of the old pool by %+v: %+v, %v", rules, got, err)
		}
	}
	if got, err := auth.Token(called, codegrant.TokenRules{Resource: url + "mcp"}); err == nil {
		t.Errorf("a token of the old pool that is for no resource: %+v", got)
	}
	forged := called.Clone(t.Context())
	forged.Header.Set("Authorization", "Bearer "+access.Reveal()[:len(access.Reveal())-8]+"AAAAAAAA")
	if got, err := auth.Token(forged, anyToken); err == nil {
		t.Errorf("a forged token of the old pool: %+v", got)
	}
	if got, err := auth.StillSignedIn(t.Context(), &id, id.SessionID()); err != nil || got.Subject != id.Subject {
		t.Errorf("still signed in: %+v, %v", got, err)
	}
	if err := auth.Recheck(r); err != nil {
		t.Errorf("recheck: %v", err)
	}
	list, whole, err := auth.Sessions(t.Context(), id.Subject)
	if err != nil || !whole || len(list) != 2 {
		t.Errorf("%d sessions, %v", len(list), err)
	}
	if page := b.Open(url + "auth/sessions"); page.Status != 200 || strings.Count(page.Body, `name="end"`) < 2 {
		t.Errorf("the page of sessions: %d %s", page.Status, page.Body)
	}
	done, err := auth.EndSession(t.Context(), id.Subject, list[0].ID, "test")
	if err != nil || !done {
		t.Errorf("%t, %v", done, err)
	}
	report, err := auth.SignOutEverywhere(t.Context(), id.Subject, id.Username)
	if err != nil || report.Sessions != 1 {
		t.Errorf("%+v, %v", report, err)
	}
	if got, err := auth.Bearer(t.Context(), access.Reveal()); err == nil {
		t.Errorf("after a sign-out everywhere: %+v", got)
	}
	if got, err := auth.Token(called, anyToken); err == nil {
		t.Errorf("after a sign-out everywhere, by Token: %+v", got)
	}
	for _, browser := range []*codegranttest.Browser{a, b} {
		if r := get(t, browser.Client, url); r.StatusCode != http.StatusUnauthorized {
			t.Errorf("after a sign-out everywhere: %d", r.StatusCode)
		}
	}
}

// TestS771_Configuration: the old pool is another one.
func TestS771_Configuration(t *testing.T) {
	pool := codegranttest.NewPool(t, nil).Register("http://localhost:8080")
	for name, old := range map[string]cognito.Pool{"the same pool": pool, "no pool": {}} {
		if _, err := codegrant.New(codegrant.Config{Pool: pool, OldPool: &old}); err == nil || !strings.Contains(err.Error(), "OldPool") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestS771_StepUpAtTheNewPool: whoever has to sign in anew does so at the new pool, and the
// session of the old one ends.
func TestS771_StepUpAtTheNewPool(t *testing.T) {
	store, keys := session.NewMemoryStore(session.MemoryConfig{}), session.RandomKeyring()
	s := newSwitched(t, func(c *codegrant.Config) { c.Sessions, c.Keys = store, keys })
	const url = "https://" + movingHost + "/"
	b := s.browser()
	if page := b.SignIn(url, "alice@example.com", codegranttest.Password); page.Status != 200 {
		t.Fatalf("%d %s", page.Status, page.Body)
	}
	s.change(nil)
	pages := http.NewServeMux()
	pages.Handle("/", s.hosts[movingHost])
	pages.Handle("/lately", s.auths[movingHost].Require(codegrant.SignedInWithin(time.Minute))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := codegrant.From(r.Context())
		_, _ = w.Write([]byte("of " + id.Issuer))
	})))
	s.hosts[movingHost] = pages
	s.platform.now.Advance(10 * time.Minute)
	if page := b.Open(url); page.Status != 200 {
		t.Fatalf("a session of the old pool: %d %s", page.Status, page.Body)
	}
	held, calls, revoked := jarOf(t, b, url), s.Calls("token"), s.Calls("revoke")
	page := b.SignIn(url+"lately", "alice@example.com", codegranttest.Password)
	if want := "of " + s.auths[movingHost].Endpoints().Issuer; page.Status != 200 || page.Body != want {
		t.Errorf("%d %s, want %s", page.Status, page.Body, want)
	}
	if s.Calls("token") != calls || s.now.Calls("token") != 1 {
		t.Errorf("asked the old pool %d times, and the new one %d", s.Calls("token")-calls, s.now.Calls("token"))
	}
	if status := s.ask(held); status != http.StatusUnauthorized {
		t.Errorf("the session of the old pool: %d", status)
	}
	for end := time.Now().Add(20 * time.Second); s.Calls("revoke") == revoked && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	if s.Calls("revoke") != revoked+1 {
		t.Errorf("revoked %d times at the old pool", s.Calls("revoke")-revoked)
	}
}
