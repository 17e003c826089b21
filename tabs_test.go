package codegrant_test

import (
	"testing"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/session"
)

// Tabs that are restored together sign in at the same time. One that is done must
// not be signed out by the next.
func TestS037_TabsDoNotEndEachOthersSessions(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	other := callbackOf(t, a, browser, "/reports/1")
	page := browser.Open(a.url + "/reports/2") // the pool knows the browser by now
	if page.Status != 200 {
		t.Fatalf("status %d at %s", page.Status, page.URL)
	}
	cookie := sessionOf(t, browser, a.url)
	if page := browser.Open(other); page.Body != "alice at /reports/1" {
		t.Errorf("the other tab ends at %s: %s", page.URL, page.Body)
	}
	// What the first tab still has under way.
	if r := withCookies(t, a.url+"/auth/user", cookie); r.StatusCode != 200 {
		t.Errorf("the first tab: status %d", r.StatusCode)
	}
	if records, err := a.sessions.List(t.Context(), session.Query{}); err != nil || len(records) != 1 {
		t.Errorf("%d sessions, %v", len(records), err)
	}
	if err := a.auth.Close(t.Context()); err != nil || a.Calls(localpool.Revoke) != 1 {
		t.Errorf("of two grants, %d were given back, %v", a.Calls(localpool.Revoke), err)
	}
}

// Another person in the other tab takes the browser over, as ever.
func TestS032_AnotherPersonInTheOtherTab(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	alices := callbackOf(t, a, browser, "/reports/1")
	page := browser.Open(a.url + "/auth/login?prompt=login")
	form, ok := page.Form("password")
	if !ok {
		t.Fatalf("no login form at %s", page.URL)
	}
	browser.Submit(page, form, map[string]string{"username": "bob@example.com", "password": codegranttest.Password})
	cookie := sessionOf(t, browser, a.url)
	if page := browser.Open(alices); page.Body != "alice at /reports/1" {
		t.Errorf("ended at %s: %s", page.URL, page.Body)
	}
	if r := withCookies(t, a.url+"/auth/user", cookie); r.StatusCode != 401 {
		t.Errorf("bob's session: status %d", r.StatusCode)
	}
}
