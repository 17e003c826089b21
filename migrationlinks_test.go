package codegrant_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
)

const (
	linksURL = "https://links.example.test"
	frontURL = "https://front.example.test"
)

// withLinks is a service at linksURL, and a front end of its own origin that was made
// for the Python package.
func withLinks(t *testing.T, change func(*codegrant.Config)) *platform {
	t.Helper()
	p := newPlatform(t)
	p.hosts["front.example.test"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "front "+r.URL.RequestURI()) })
	p.backend("links.example.test", func(c *codegrant.Config) {
		c.CallbackURL, c.MigrationLinks = linksURL+"/auth/login/", true
		c.AllowedReturnOrigins = []string{frontURL}
		c.SignOutURLs = []string{frontURL + "/bye", linksURL + "/auth/logout/"}
		if change != nil {
			change(c)
		}
	})
	for _, u := range []string{linksURL + "/auth/logout/", frontURL + "/bye"} {
		if err := p.RegisterURLs(p.ClientID, linksURL+"/auth/login/", u); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// authorizeURL is the link to the pool that a front end of the package makes.
func authorizeURL(p *platform, state string) string {
	return p.URL + "/oauth2/authorize?" + url.Values{
		"client_id": {p.ClientID}, "response_type": {"code"}, "scope": {"openid email profile"},
		"redirect_uri": {linksURL + "/auth/login/"}, "state": {state},
	}.Encode()
}

func TestMigrationLinksSignIn(t *testing.T) {
	for name, tt := range map[string]struct{ link, want string }{
		"login without a code":              {linksURL + "/auth/login/?state=" + url.QueryEscape(frontURL+"/boards?id=7"), frontURL + "/boards?id=7"},
		"login without a slash":             {linksURL + "/auth/login?state=" + url.QueryEscape(frontURL+"/boards"), frontURL + "/boards"},
		"S-280: state of a strange origin":  {linksURL + "/auth/login/?state=" + url.QueryEscape("https://evil.example/"), linksURL + "/"},
		"redirect_uri counts before state":  {linksURL + "/auth/login/?redirect_uri=" + url.QueryEscape(frontURL+"/a") + "&state=" + url.QueryEscape(frontURL+"/b"), frontURL + "/a"},
		"begun by the front end":            {"authorize " + frontURL + "/boards?id=7", frontURL + "/boards?id=7"},
		"S-280: begun for a strange origin": {"authorize https://evil.example/", linksURL + "/"},
		"begun without a state":             {"authorize ", linksURL + "/"},
	} {
		t.Run(name, func(t *testing.T) {
			p := withLinks(t, nil)
			link, exchanges := tt.link, 1
			if state, begun := strings.CutPrefix(link, "authorize "); begun {
				link = authorizeURL(p, state)
			}
			browser := p.browser()
			page := browser.SignIn(link, "alice@example.com", codegranttest.Password)
			if page.URL.String() != tt.want || page.Status != 200 {
				t.Errorf("ended at %s with %d, want %s", page.URL, page.Status, tt.want)
			}
			if n := p.Calls(localpool.Token); n != exchanges {
				t.Errorf("S-280: %d codes were redeemed, want the one of the service's own sign-in", n)
			}
			if body := browser.Open(linksURL + "/").Body; !strings.HasPrefix(body, "alice@example.com") {
				t.Errorf("signed in as %q", body)
			}
		})
	}
}

// TestS280_OthersCodesAreNotCompleted: whoever is sent a callback with somebody else's
// code becomes whom the pool knows in their own browser, and nobody else.
func TestS280_OthersCodesAreNotCompleted(t *testing.T) {
	p := withLinks(t, nil)
	mallory := p.browser()
	mallory.Client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host == "links.example.test" {
			return http.ErrUseLastResponse
		}
		return nil
	}
	page := mallory.SignIn(authorizeURL(p, frontURL+"/"), "bob@example.com", codegranttest.Password)
	callback := page.Header.Get("Location")
	if !strings.Contains(callback, "code=") {
		t.Fatalf("no callback: %s %q", page.URL, callback)
	}
	alice := p.browser()
	alice.SignIn(linksURL+"/", "alice@example.com", codegranttest.Password)
	if page := alice.Open(callback); page.URL.String() != frontURL+"/" {
		t.Errorf("ended at %s", page.URL)
	}
	if body := alice.Open(linksURL + "/").Body; !strings.HasPrefix(body, "alice@example.com") {
		t.Errorf("signed in as %q", body)
	}
	if page := p.browser().Open(callback); page.URL.Host == "front.example.test" || len(page.Forms) == 0 {
		t.Errorf("a stranger to the pool is not asked who they are: %s", page.URL)
	}
	for name, link := range map[string]string{
		"of our own shape": linksURL + "/auth/login/?code=x&state=" + strings.Repeat("a", 51),
		"an error":         linksURL + "/auth/login/?error=access_denied&state=" + url.QueryEscape(frontURL+"/"),
	} {
		if page := p.browser().Open(link); page.Status != 400 {
			t.Errorf("%s: %d at %s, want a refusal", name, page.Status, page.URL)
		}
	}
	if r := get(t, p.browser().Client, callback, "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"); r.StatusCode == 302 {
		t.Error("an image began a sign-in")
	}
}

func TestMigrationLinksAreOffByDefault(t *testing.T) {
	p := withLinks(t, func(c *codegrant.Config) { c.MigrationLinks = false })
	if page := p.browser().SignIn(linksURL+"/auth/login/?state="+url.QueryEscape(frontURL+"/boards"), "alice@example.com", codegranttest.Password); page.URL.String() != linksURL+"/" {
		t.Errorf("state counted: ended at %s", page.URL)
	}
	if page := p.browser().SignIn(authorizeURL(p, frontURL+"/"), "alice@example.com", codegranttest.Password); page.Status != 400 {
		t.Errorf("a callback of somebody else's sign-in: %d at %s", page.Status, page.URL)
	}
}

func TestMigrationLinksSignOut(t *testing.T) {
	link := func(state string) string { return linksURL + "/auth/logout/?state=" + url.QueryEscape(state) }
	for name, tt := range map[string]struct {
		signOut []string // nil: as withLinks has it
		state   string
		want    string
	}{
		"any page of an allowed origin": {nil, frontURL + "/where?i=was", frontURL + "/where?i=was"},
		"a registered page":             {nil, frontURL + "/bye", frontURL + "/bye"},
		"S-280: a strange origin":       {nil, "https://evil.example/", frontURL + "/bye"},
		"none":                          {nil, "", frontURL + "/bye"},
		"without our endpoint":          {[]string{linksURL + "/auth/logout/x", frontURL + "/bye"}, frontURL + "/where", frontURL + "/bye"},
	} {
		t.Run(name, func(t *testing.T) {
			p := withLinks(t, func(c *codegrant.Config) {
				if tt.signOut != nil {
					c.SignOutURLs = tt.signOut
				}
			})
			browser := p.browser()
			browser.SignIn(linksURL+"/", "alice@example.com", codegranttest.Password)
			page := browser.Open(link(tt.state))
			if page.URL.String() != tt.want {
				t.Errorf("ended at %s, want %s", page.URL, tt.want)
			}
			if n := p.Calls(localpool.Revoke); n != 1 {
				t.Errorf("revoked %d times", n)
			}
			// The pool's own session is over, too.
			if page := browser.Open(linksURL + "/"); len(page.Forms) == 0 {
				t.Errorf("signed in again without a question: %s", page.URL)
			}
			if r := get(t, browser.Client, linksURL+"/auth/user"); r.StatusCode != 401 {
				t.Errorf("still signed in: %d", r.StatusCode)
			}
		})
	}

	t.Run("only the service's endpoint", func(t *testing.T) {
		p := withLinks(t, func(c *codegrant.Config) { c.SignOutURLs = []string{linksURL + "/auth/logout/"} })
		browser := p.browser()
		browser.SignIn(linksURL+"/", "alice@example.com", codegranttest.Password)
		if page := browser.Open(linksURL + "/auth/logout/"); page.URL.Host == "links.example.test" && strings.HasPrefix(page.URL.Path, "/auth/logout") {
			t.Errorf("ended at %s: %s", page.URL, page.Body)
		}
	})
}

// TestS281_LinksToTheSignOut: a page of a trusted origin signs out without a question,
// and nobody else does.
func TestS281_LinksToTheSignOut(t *testing.T) {
	for _, tt := range []struct {
		name, site, referer string
		asks                bool
	}{
		{"a trusted sibling", "same-site", frontURL + "/", false},
		{"a trusted page, whole", "cross-site", frontURL + "/boards?id=7", false},
		{"an older browser", "", frontURL + "/", false},
		{"a sibling that is not trusted", "same-site", "https://other.example.test/", true},
		{"another scheme", "cross-site", "http://front.example.test/", true},
		{"another port", "cross-site", frontURL + ":8443/", true},
		{"a name that begins like it", "cross-site", frontURL + ".evil.example/", true},
		{"its name before an @", "cross-site", "https://front.example.test@evil.example/", true},
		{"no Referer", "same-site", "", true},
		{"elsewhere", "cross-site", "https://evil.example/?" + frontURL, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := withLinks(t, func(c *codegrant.Config) { c.TrustedOrigins, c.MigrationLinks = []string{frontURL}, false })
			browser := p.browser()
			browser.SignIn(linksURL+"/", "alice@example.com", codegranttest.Password)
			browser.Client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			header := []string{"Accept", "text/html", "Referer", tt.referer}
			if tt.site != "" {
				header = append(header, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", tt.site)
			}
			get(t, browser.Client, linksURL+"/auth/logout", header...)
			r := get(t, browser.Client, linksURL+"/auth/user")
			if signedIn := r.StatusCode == 200; signedIn != tt.asks {
				t.Errorf("signed in after it: %v", signedIn)
			}
		})
	}
}
