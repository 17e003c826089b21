package codegrant_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
)

// A handler that allows caching must not make a shared cache hand out one
// person's page to another.
func TestS057_AnswersVaryByWhoAsks(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	for _, path := range []string{"/", "/open", "/reports/", "/orders/", "/auth/user"} {
		r := get(t, browser.Client, a.url+path)
		vary := strings.Split(strings.Join(r.Header.Values("Vary"), ", "), ", ")
		if !slices.Contains(vary, "Cookie") || !slices.Contains(vary, "Authorization") {
			t.Errorf("%s: Vary %q", path, vary)
		}
	}
}

// Where nobody says that an answer may be stored, it is not: with a cookie, for who is
// signed in, for who is not.
func TestS057_AnswersAreNotStored(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	check := func(what string, r *http.Response, status int) {
		t.Helper()
		if got := r.Header.Values("Cache-Control"); r.StatusCode != status || !slices.Equal(got, []string{"no-store"}) {
			t.Errorf("%s: status %d, want %d; Cache-Control %q", what, r.StatusCode, status, got)
		}
	}
	check("a program without a proof", get(t, http.DefaultClient, a.url+"/"), 401)
	check("a browser without a proof", get(t, http.DefaultClient, a.url+"/", "Accept", "text/html"), 302)
	check("the start of a sign-in, with a cookie", get(t, http.DefaultClient, a.url+"/auth/login"), 302)
	check("its end, with a cookie", get(t, browser.Client, callbackOf(t, a, browser, "/")), 303)
	check("a refused callback, with a cookie", get(t, http.DefaultClient, a.url+"/auth/callback?code=x&state=y", "Cookie", "codegrant-"+a.url[strings.LastIndexByte(a.url, ':')+1:]+"-request-y=x"), 400)
	for path, status := range map[string]int{"/": 200, "/open": 200, "/reports/": 200, "/orders/": 403, "/auth/user": 200} {
		check(path, get(t, browser.Client, a.url+path), status)
	}
	check("no message", get(t, browser.Client, a.url+"/auth/flash"), 204)
	check("no endpoint", get(t, browser.Client, a.url+"/auth/nothing"), 404)
	check("a sign-out, with cookies", get(t, browser.Client, a.url+"/auth/logout", "Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate"), 303)
}

// A percent sign in a path is no reason to keep a person from signing in.
func TestPathsWithPercentSigns(t *testing.T) {
	a := newApp(t, nil)
	r := get(t, http.DefaultClient, a.url+"/reports/100%25", "Accept", "text/html")
	if r.StatusCode != 302 || r.Header.Get("Location") != "/auth/login?redirect_uri=%2Freports%2F100%2525" {
		t.Errorf("status %d to %s", r.StatusCode, r.Header.Get("Location"))
	}
}

// What strangers write into a log is bounded.
func TestS170_RefusalsAreShortInTheLog(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	before := len(a.log.String())
	if r := get(t, browser.Client, a.url+"/orders/"+strings.Repeat("x", 200_000)); r.StatusCode != 403 {
		t.Errorf("status %d", r.StatusCode)
	}
	if n := len(a.log.String()) - before; n > 2000 {
		t.Errorf("one request wrote %d bytes", n)
	}
}

// A trigger's message, however long and however it must be escaped, fits a cookie.
func TestS037_MessagesFitACookie(t *testing.T) {
	for name, message := range map[string]string{"brackets": strings.Repeat("<", 5000), "quotes": strings.Repeat(`"`, 5000), "words": strings.Repeat("Grüße ", 900)} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, func(c *codegrant.Config) { c.ErrorURL = "/open" })
			browser := codegranttest.NewBrowser(t)
			callback, err := url.Parse(callbackOf(t, a, browser, "/reports/"))
			if err != nil {
				t.Fatal(err)
			}
			r := get(t, browser.Client, a.url+"/auth/callback?"+url.Values{
				"error": {"invalid_request"}, "error_description": {"PreSignUp failed with error " + message + ". "}, "state": {callback.Query().Get("state")},
			}.Encode())
			if r.StatusCode != 303 {
				t.Fatalf("status %d", r.StatusCode)
			}
			for _, line := range r.Header.Values("Set-Cookie") {
				if len(line) > 4096 {
					t.Errorf("a cookie of %d bytes: browsers drop it", len(line))
				}
			}
			if page := browser.Open(a.url + "/open"); !strings.HasPrefix(page.Body, "flash trigger: "+message[:10]) {
				t.Errorf("the message does not arrive: %.80s", page.Body)
			}
		})
	}
}
