package codegrant_test

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/codegranttest"
)

// TestS555_AFormAfterTheSession: a form that a browser sends without a session gets a page that
// says so, and leads to the sign-in by a link. The policy of the form's page would keep the
// browser from a redirect to the pool. Programs, and browsers that only ask, get what they got.
func TestS555_AFormAfterTheSession(t *testing.T) {
	a := newApp(t, nil)
	page := []string{"Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "same-origin"}
	form := append([]string{"Origin", a.url, "Content-Type", "application/x-www-form-urlencoded"}, page...)
	for _, path := range []string{"/reports/x", "/auth/sessions"} {
		for from, back := range map[string]string{a.url + "/form?of=7": a.url + "/form?of=7", "https://evil.example/": "/", "": "/"} {
			answer := send(t, http.DefaultClient, "POST", a.url+path, append([]string{"Referer", from}, form...)...)
			body, link := html.UnescapeString(text(t, answer)), `href="/auth/login?redirect_uri=`+url.QueryEscape(back)+`"`
			if answer.StatusCode != http.StatusUnauthorized || answer.Header.Get("Location") != "" || !strings.Contains(body, "Nothing has been changed") || !strings.Contains(body, link) {
				t.Errorf("POST %s from %q: %d, without %s: %s", path, from, answer.StatusCode, link, body)
			}
			if got := answer.Header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer ") {
				t.Errorf("POST %s: WWW-Authenticate: %s", path, got)
			}
			shown, err := url.Parse(answer.Header.Get("X-Auth-Redirect"))
			if err != nil || shown.Path != "/auth/step-up" {
				t.Fatalf("POST %s: proxies are sent to %v, %v", path, shown, err)
			}
			if there := codegranttest.NewBrowser(t).Open(shown.String()); there.Status != 200 || !strings.Contains(html.UnescapeString(there.Body), link) {
				t.Errorf("POST %s: proxies show %d %s", path, there.Status, there.Body)
			}
		}
		if answer := get(t, http.DefaultClient, a.url+path, page...); answer.StatusCode != http.StatusFound || !strings.HasPrefix(answer.Header.Get("Location"), "/auth/login?redirect_uri=") {
			t.Errorf("GET %s: %d %s", path, answer.StatusCode, answer.Header.Get("Location"))
		}
		answer := send(t, http.DefaultClient, "POST", a.url+path, "Accept", "application/json", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Site", "same-origin")
		if got := answer.Header.Get("Content-Type"); answer.StatusCode != http.StatusUnauthorized || got != "application/problem+json" || answer.Header.Get("X-Auth-Redirect") != "" {
			t.Errorf("POST %s of a script: %d %s", path, answer.StatusCode, got)
		}
	}
}
