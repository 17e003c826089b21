package codegrant_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/cognito"
)

// alice is a proof that browsers add by themselves.
type ambientAlice struct{}

func (ambientAlice) Authenticate(*http.Request) (*codegrant.Identity, error) {
	return &codegrant.Identity{Subject: "1", Username: "alice"}, nil
}

func (ambientAlice) Challenge(error) string { return "" }

// TestS203_OriginsAreComparedWhole: where a browser does not name the site, the scheme
// counts as host and port do, for unsafe requests, WebSockets and sign-outs.
func TestS203_OriginsAreComparedWhole(t *testing.T) {
	auth, err := codegrant.New(codegrant.Config{
		Pool:    cognito.Pool{ID: "eu-west-1_Ab12Cd34E", Domain: "acme.auth.eu-west-1.amazoncognito.com", ClientID: "c1"},
		BaseURL: "https://app.example.com", AllowedReturnOrigins: []string{"https://shop.example.com"}, TrustedOrigins: []string{"http://kiosk.example.com", "https://Partner.example.com:443/"},
		Authenticators: []codegrant.Authenticator{ambientAlice{}}, AcceptTokens: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	auth.Mount(mux, "/auth")
	mux.Handle("/", auth.Require()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	ask := func(method, path, host string, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, nil)
		r.Host = host
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		return w
	}
	for _, tt := range []struct {
		host, origin string
		good         bool
	}{
		{"app.example.com", "https://app.example.com", true}, {"app.example.com", "http://app.example.com", false}, {"app.example.com", "HTTPS://app.example.com", true},
		{"app.example.com", "https://app.example.com:8443", false}, {"app.example.com", "app.example.com", false}, {"app.example.com", "//app.example.com", false},
		{"app.example.com", "ftp://app.example.com", false}, {"app.example.com", "null", false}, {"app.example.com", "", true},
		{"shop.example.com", "https://shop.example.com", true}, {"shop.example.com", "http://shop.example.com", false}, {"shop.example.com", "https://app.example.com", false},
		{"other.example.com", "https://other.example.com", true}, {"other.example.com", "http://other.example.com", false},
		{"app.example.com", "http://kiosk.example.com", true}, {"app.example.com", "https://kiosk.example.com", false}, {"kiosk.example.com", "http://kiosk.example.com", true},
		{"app.example.com", "https://partner.example.com", true}, {"app.example.com", "http://partner.example.com", false}, {"app.example.com", "https://partner.example.com:8443", false},
	} {
		want := map[bool]int{true: 200, false: 403}[tt.good]
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "BREW"} {
			if w := ask(method, "/", tt.host, "Origin", tt.origin); w.Code != want {
				t.Errorf("%s %s from %q: %d, want %d", method, tt.host, tt.origin, w.Code, want)
			}
		}
		for _, handshake := range [][]string{{"Upgrade", "websocket"}, {"Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}, {"Sec-Websocket-Version", "13"}, {"Sec-Fetch-Mode", "websocket"}} {
			if w := ask("GET", "/", tt.host, append(handshake, "Origin", tt.origin)...); w.Code != want {
				t.Errorf("%s: a WebSocket by %s from %q: %d, want %d", tt.host, handshake, tt.origin, w.Code, want)
			}
		}
		if w := ask("POST", "/auth/logout", tt.host, "Origin", tt.origin); strings.Contains(w.Body.String(), "Sign out?") == tt.good {
			t.Errorf("a sign-out at %s from %q: %d", tt.host, tt.origin, w.Code)
		}
		if w := ask("POST", "/auth/session", tt.host, "Origin", tt.origin); (w.Code != 403) != tt.good {
			t.Errorf("tokens for %s from %q: %d", tt.host, tt.origin, w.Code)
		}
		if w := ask("GET", "/", tt.host, "Origin", tt.origin); w.Code != 200 {
			t.Errorf("reading %s from %q: %d", tt.host, tt.origin, w.Code)
		}
	}
	// Nobody has said under which scheme the host is known: the host alone is compared.
	local, err := codegrant.New(codegrant.Config{
		Pool: cognito.Pool{ID: "eu-west-1_Ab12Cd34E", Domain: "acme.auth.eu-west-1.amazoncognito.com", ClientID: "c1"}, Authenticators: []codegrant.Authenticator{ambientAlice{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set("Origin", "https://example.com")
	w := httptest.NewRecorder()
	if local.Require()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r); w.Code != 200 {
		t.Errorf("of a host that nobody named: %d", w.Code)
	}
}

// TestS204_OnlyVisitsSignOut: a GET signs out if a person went there, in the window that
// they look at; whatever else made the browser send it asks.
func TestS204_OnlyVisitsSignOut(t *testing.T) {
	const html = "text/html,application/xhtml+xml,*/*;q=0.8"
	a := newApp(t, nil)
	ours := a.url + "/page"
	for name, tt := range map[string]struct {
		header []string
		ends   bool
	}{
		"a typed address":                      {[]string{"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Accept", html}, true},
		"our own link":                         {[]string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Accept", html}, true},
		"our own link, old browser":            {[]string{"Accept", html, "Referer", ours}, true},
		"our own image":                        {[]string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, false},
		"our own image, old browser":           {[]string{"Accept", "image/png,image/*;q=0.8,*/*;q=0.5", "Referer", ours}, false},
		"our own stylesheet, old browser":      {[]string{"Accept", "text/css,*/*;q=0.1", "Referer", ours}, false},
		"our own script, old browser":          {[]string{"Accept", "*/*", "Referer", ours}, false},
		"our own frame":                        {[]string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe", "Accept", html}, false},
		"our own old frame":                    {[]string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "frame", "Accept", html}, false},
		"our own object":                       {[]string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "object", "Accept", html}, false},
		"our own fetch":                        {[]string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, false},
		"our own fetch of HTML":                {[]string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "same-origin", "Accept", html}, false},
		"our own XMLHttpRequest, old":          {[]string{"X-Requested-With", "XMLHttpRequest", "Accept", html, "Referer", ours}, false},
		"a prefetch":                           {[]string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Purpose", "prefetch", "Accept", html}, false},
		"a prerendering":                       {[]string{"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Purpose", "prefetch;prerender", "Accept", html}, false},
		"a preview":                            {[]string{"X-Purpose", "preview", "Accept", html, "Referer", ours}, false},
		"an old prefetch":                      {[]string{"X-Moz", "prefetch", "Accept", html, "Referer", ours}, false},
		"a program that says nothing":          {nil, false},
		"a program that wants JSON":            {[]string{"Accept", "application/json"}, false},
		"a page of another site":               {[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Accept", html}, false},
		"a page of another site, old browser":  {[]string{"Accept", html, "Referer", "https://evil.example/"}, false},
		"a page that is silent, old browser":   {[]string{"Accept", html}, false},
		"the site's http twin, old browser":    {[]string{"Accept", html, "Referer", strings.Replace(ours, "http:", "https:", 1)}, false},
		"a WebSocket of our own":               {[]string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "websocket", "Upgrade", "websocket", "Connection", "Upgrade"}, false},
		"service worker of ours, navigating":   {[]string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "empty", "Accept", html}, false},
		"mode and destination that disagree":   {[]string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "document", "Accept", html}, false},
		"a typed address without destinations": {[]string{"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate", "Accept", html}, true},
	} {
		browser := codegranttest.NewBrowser(t)
		browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
		c := *browser.Client
		c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		r := get(t, &c, a.url+"/auth/logout", tt.header...)
		if ended := get(t, browser.Client, a.url+"/auth/user").StatusCode == 401; ended != tt.ends {
			t.Errorf("%s: status %d, signed out: %v", name, r.StatusCode, ended)
		}
	}
}
