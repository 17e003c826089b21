package codegrant_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
)

// TestCallbacksOfWhoIsSignedIn: an old link, the back button or a bookmark of the callback
// leads who is signed in to where they may be, and redeems nothing.
func TestCallbacksOfWhoIsSignedIn(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	late := callbackOf(t, a, browser, "/reports/7")
	browser.Open(a.url + "/reports/") // the pool knows her by now
	before := a.Calls(localpool.Token)
	if page := browser.Open(a.url + "/auth/callback?code=c&state=0123456789"); page.Status != 200 || page.Body != "alice at /" {
		t.Errorf("a state of nobody's: status %d: %s", page.Status, page.Body)
	}
	a.now.Advance(11 * time.Minute)
	if page := browser.Open(late); page.Status != 200 || !strings.HasPrefix(page.Body, "alice at /") {
		t.Errorf("a state of before: status %d: %s", page.Status, page.Body)
	}
	// Where managed login adds a passkey, it sends people back with nothing.
	if page := browser.Open(a.url + "/auth/callback"); page.Status != 200 || page.Body != "alice at /" {
		t.Errorf("without a query: status %d: %s", page.Status, page.Body)
	}
	if n := a.Calls(localpool.Token); n != before {
		t.Errorf("the pool is asked %d times", n-before)
	}
	for _, method := range []string{http.MethodPost, http.MethodHead} {
		if r := send(t, browser.Client, method, late); r.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s: status %d", method, r.StatusCode)
		}
	}
}

// TestS012_ACallbackWithAnotherNonce: the ID token is of the attempt that the browser began,
// or it is nobody's.
func TestS012_ACallbackWithAnotherNonce(t *testing.T) {
	a := newApp(t, nil)
	alice := codegranttest.NewBrowser(t)
	alice.SignIn(a.url+"/reports/", "alice@example.com", codegranttest.Password)
	for name, nonce := range map[string]any{"another nonce": "another", "no nonce": nil} {
		tokens := tokensFor(t, a, alice, map[string]any{"nonce": nonce})
		browser := codegranttest.NewBrowser(t)
		callback := callbackOf(t, a, browser, "/reports/")
		a.Fault(localpool.Token, answers(200, tokens))
		page := browser.Open(callback)
		a.Fault(localpool.Token, nil)
		if page.Status != 400 || !strings.Contains(a.log.String(), "nonce") {
			t.Errorf("%s: status %d", name, page.Status)
		}
		if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 401 {
			t.Errorf("%s: a session came of it: status %d", name, r.StatusCode)
		}
	}
}

// TestCallbacksLeaveTheirRoom: however many callbacks were refused, the next one finds room.
func TestCallbacksLeaveTheirRoom(t *testing.T) {
	a := newApp(t, nil)
	stranger := codegranttest.NewBrowser(t)
	for range 40 {
		if page := stranger.Open(a.url + "/auth/callback?code=c&state=0123456789"); page.Status != 400 {
			t.Fatalf("an invented state: status %d", page.Status)
		}
	}
	browser := codegranttest.NewBrowser(t)
	if page := browser.SignIn(a.url+"/reports/", "alice@example.com", codegranttest.Password); page.Body != "alice at /reports/" {
		t.Errorf("after them: status %d: %s", page.Status, page.Body)
	}
}

// TestSignOutOfScripts: a script is told where to go, for it cannot follow; a page is sent.
func TestSignOutOfScripts(t *testing.T) {
	for name, tt := range map[string]struct {
		header []string
		status int
	}{
		"a page":             {[]string{"Accept", "text/html", "Sec-Fetch-Mode", "navigate"}, http.StatusSeeOther},
		"asks for JSON":      {[]string{"Accept", "application/json"}, http.StatusOK},
		"fetch":              {[]string{"Accept", "*/*", "Sec-Fetch-Mode", "cors"}, http.StatusOK},
		"XMLHttpRequest":     {[]string{"Accept", "*/*", "X-Requested-With", "XMLHttpRequest"}, http.StatusOK},
		"JSON, as navigates": {[]string{"Accept", "application/json", "Sec-Fetch-Mode", "navigate"}, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, nil)
			browser := codegranttest.NewBrowser(t)
			browser.SignIn(a.url+"/reports/", "alice@example.com", codegranttest.Password)
			client := *browser.Client
			client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			r := send(t, &client, http.MethodPost, a.url+"/auth/logout", append(tt.header, "Sec-Fetch-Site", "same-origin")...)
			target := r.Header.Get("Location")
			if body := text(t, r); r.StatusCode == http.StatusOK {
				_, target, _ = strings.Cut(body, `"logout_url":"`)
				target, _, _ = strings.Cut(target, `"`)
			}
			u, err := url.Parse(target)
			if r.StatusCode != tt.status || err != nil || u.Path != "/logout" {
				t.Errorf("status %d, to %q, %v", r.StatusCode, target, err)
			}
		})
	}
}
