package codegrant_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cloudfront"
	"github.com/codegrant/codegrant/codegranttest"
)

// TestS103_EveryCookieIsOwned: whatever a sign-in, one that fails, a page behind a session
// or a sign-out hands out is known to be ours, and goes to nobody behind us.
func TestS103_EveryCookieIsOwned(t *testing.T) {
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := cloudfront.NewKey("K1", signer)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*codegrant.Config){"store": func(*codegrant.Config) {}, "cookies": inCookies, "shared tokens": sharing} {
		t.Run(name, func(t *testing.T) {
			p := newPlatform(t)
			p.backend("a.example.test", func(c *codegrant.Config) {
				change(c)
				c.ErrorURL, c.MigrationLinks, c.SignOutURLs = "/oops", true, []string{c.BaseURL + "/auth/logout/"}
				c.CloudFront = &cloudfront.Config{Keys: []cloudfront.Key{key}, Resources: []cloudfront.Resource{{URL: "https://files.example.test/*"}}}
			})
			seen, inner, auth := make(map[string]bool), p.hosts["a.example.test"], p.auths["a.example.test"]
			p.hosts["a.example.test"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer := httptest.NewRecorder()
				inner.ServeHTTP(answer, r)
				for _, c := range answer.Result().Cookies() {
					seen[c.Name] = true
				}
				for name, values := range answer.Header() {
					w.Header()[name] = values
				}
				w.WriteHeader(answer.Code)
				_, _ = w.Write(answer.Body.Bytes())
			})
			browser := p.browser()
			browser.Open("https://a.example.test/auth/callback?error=access_denied&state=x")
			browser.SignIn("https://a.example.test/", "alice@example.com", codegranttest.Password)
			get(t, browser.Client, "https://a.example.test/")
			get(t, browser.Client, "https://a.example.test/auth/logout?state=/bye", "Sec-Fetch-Site", "same-origin", "Accept", "text/html")
			for name := range seen {
				if !auth.OwnsCookie(name) {
					t.Errorf("%s is handed out, and goes to whoever is behind us", name)
				}
			}
			for _, part := range []string{"request-", "flash", "signins", "after-sign-out", "CloudFront-Signature"} {
				found := false
				for name := range seen {
					found = found || strings.Contains(name, part)
				}
				if !found {
					t.Errorf("no cookie %s was handed out: the test sees %v", part, seen)
				}
			}
			// What a browser may have of the time before the way to keep sessions changed.
			for _, name := range []string{"__Host-codegrant", "__Host-codegrant-1", "__Host-codegrant-2"} {
				if !auth.OwnsCookie(name) {
					t.Errorf("%s goes to whoever is behind us", name)
				}
			}
			for _, name := range []string{"theirs", "__Host-codegrant-3", "__Host-codegrant-11", "CloudFront-Viewer"} {
				if auth.OwnsCookie(name) {
					t.Errorf("%s is taken for ours", name)
				}
			}
		})
	}
}
