package codegrant_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/session"
)

// A record that this version cannot read is one that another version can.
func TestS082_SignOutOfAnUnreadableSession(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	cookie := sessionOf(t, browser, a.url)
	records, err := a.sessions.List(t.Context(), session.Query{})
	if err != nil || len(records) != 1 {
		t.Fatalf("List() = %v, %v", records, err)
	}
	record, err := a.sessions.Get(t.Context(), records[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	record.Sealed = []byte("of a version to come")
	if _, err := a.sessions.CompareAndSwap(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	r := send(t, http.DefaultClient, "POST", a.url+"/auth/logout", "Cookie", cookie.Name+"="+cookie.Value)
	if r.StatusCode != 303 {
		t.Errorf("status %d", r.StatusCode)
	}
	if _, err := a.sessions.Get(t.Context(), record.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("signed out, and the session is still in the store: %v", err)
	}
}

// Whoever cannot read a session may still be able to delete it.
func TestS084_SignOutWhileReadingFails(t *testing.T) {
	store := &brokenStore{Store: session.NewMemoryStore(session.MemoryConfig{})}
	a := newApp(t, func(c *codegrant.Config) { c.Sessions = store })
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	cookie := sessionOf(t, browser, a.url)
	store.broken.Store(true)
	send(t, browser.Client, "POST", a.url+"/auth/logout")
	store.broken.Store(false)
	if r := withCookies(t, a.url+"/auth/user", cookie); r.StatusCode != 401 {
		t.Errorf("the session outlived the sign-out: status %d", r.StatusCode)
	}
}

// A sign-out that cannot see its cookie must not say that it is done.
func TestS064_SignOutWithTooManyCookies(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	var line strings.Builder
	for i := range 4000 {
		fmt.Fprintf(&line, "c%d=x; ", i)
	}
	c := sessionOf(t, browser, a.url)
	line.WriteString(c.Name + "=" + c.Value)
	if r := send(t, http.DefaultClient, "POST", a.url+"/auth/logout", "Cookie", line.String()); r.StatusCode != 431 {
		t.Errorf("status %d, want 431", r.StatusCode)
	}
}

// A sign-in that began in a process whose clock is two minutes ahead.
func TestS161_SignInBetweenClocks(t *testing.T) {
	keys := session.RandomKeyring()
	a := newApp(t, func(c *codegrant.Config) { c.Keys = keys })
	browser := codegranttest.NewBrowser(t)
	a.now.Advance(2 * time.Minute)
	callback := callbackOf(t, a, browser, "/reports/")
	a.now.Advance(-2 * time.Minute)
	if page := browser.Open(callback); page.Status != 200 && !strings.Contains(a.log.String(), "issued in the future") {
		t.Errorf("status %d at %s", page.Status, page.URL)
	}
	if strings.Contains(a.log.String(), "started too long ago") {
		t.Error("a clock that is ahead makes a sign-in expire")
	}
}
