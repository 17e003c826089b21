package codegrant_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/session"
)

// forgetfulStore takes every session and finds none.
type forgetfulStore struct{ session.Store }

func (forgetfulStore) Get(context.Context, string) (session.Record, error) {
	return session.Record{}, fmt.Errorf("get session: %w", session.ErrNotFound)
}

func TestS039_SignInsWithoutResult(t *testing.T) {
	a := newApp(t, func(c *codegrant.Config) {
		c.Sessions = forgetfulStore{session.NewMemoryStore(session.MemoryConfig{})}
	})
	browser := codegranttest.NewBrowser(t)
	browser.Client.CheckRedirect = func(_ *http.Request, via []*http.Request) error {
		if len(via) > 60 {
			return errors.New("going round in circles")
		}
		return nil
	}
	page := browser.SignIn(a.url+"/reports/7", "alice@example.com", codegranttest.Password)
	if page.Status != 400 || !strings.Contains(page.Body, "Sign in again") || !strings.Contains(page.Body, "redirect_uri=%2Freports%2F7") {
		t.Fatalf("ended with status %d at %s: %s", page.Status, page.URL, page.Body)
	}
	if n := a.Calls(localpool.Token); n > 5 {
		t.Errorf("%d codes were redeemed", n)
	}
	if !strings.Contains(a.log.String(), "sign-ins in a row") {
		t.Errorf("the log does not tell:\n%s", a.log)
	}
	// Trying again is possible.
	if r := get(t, browser.Client, a.url+"/auth/login"); r.StatusCode != 302 {
		t.Errorf("trying again: status %d", r.StatusCode)
	}
}

func TestS039_ManySignInsWithResult(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	for range 10 { // the pool knows the browser
		if page := browser.Open(a.url + "/auth/login?redirect_uri=/reports/"); page.Status != 200 {
			t.Fatalf("signing in again: status %d at %s", page.Status, page.URL)
		}
	}
	for range 10 {
		send(t, browser.Client, "POST", a.url+"/auth/logout")
		if page := browser.Open(a.url + "/reports/"); page.Status != 200 {
			t.Fatalf("out and in again: status %d at %s", page.Status, page.URL)
		}
	}
}

// Browsers send a strict cookie only where a page of ours led to the request, which
// no redirect from the pool does.
func TestS039_AStrictCookie(t *testing.T) {
	a := newApp(t, func(c *codegrant.Config) { c.SameSiteStrict = true })
	browser := codegranttest.NewBrowser(t)
	r := get(t, browser.Client, callbackOf(t, a, browser, "/reports/7?a=b;c"))
	if body := text(t, r); r.StatusCode != 200 || r.Header.Get("Refresh") != "0; url=/reports/7?a=b;c" || !strings.Contains(body, `href="/reports/7?a=b;c"`) {
		t.Errorf("status %d, Refresh %q: %s", r.StatusCode, r.Header.Get("Refresh"), body)
	}
	if c := sessionOf(t, browser, a.url); c.Value == "" {
		t.Error("no session")
	}
}
