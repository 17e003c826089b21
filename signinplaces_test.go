package codegrant_test

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
)

// TestS265_LongReturnURLs: a sign-in ends where it began, however long the URL is that
// the gateway takes, and no other request carries it about.
func TestS265_LongReturnURLs(t *testing.T) {
	a := newApp(t, nil)
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	var noise strings.Builder // which does not compress
	for random := rand.New(rand.NewPCG(1, 2)); noise.Len() < 16<<10; {
		noise.WriteByte(alphabet[random.IntN(len(alphabet))])
	}
	for _, length := range []int{100, 1 << 10, 2049, 5000, 8 << 10, 16 << 10} {
		target := "/reports/?q=" + noise.String()[:length-len("/reports/?q=")]
		browser := codegranttest.NewBrowser(t)
		page := browser.SignIn(a.url+"/auth/login?redirect_uri="+url.QueryEscape(target), "alice@example.com", codegranttest.Password)
		if page.Status != 200 || page.URL.RequestURI() != target {
			t.Errorf("%d bytes: status %d at %.60s", length, page.Status, page.URL.RequestURI())
		}
		size := 0
		for _, c := range cookiesOf(t, browser, a.url+"/reports/") {
			size += len(c.Name) + len(c.Value)
			if len(c.Name)+len(c.Value) > 4096 {
				t.Errorf("%d bytes: a cookie of %d", length, len(c.Value))
			}
		}
		if size > 6<<10 {
			t.Errorf("%d bytes: every request carries cookies of %d", length, size)
		}
	}
}

// TestS266_TheSameCallbackAgain, or a prefetch of it, leads to the page, each time; and
// it opens nothing for who is not signed in.
func TestS266_TheSameCallbackAgain(t *testing.T) {
	for _, target := range []string{"/reports/q3?x=1", "/reports/?" + strings.Repeat("long=", 2000)} {
		a := newApp(t, nil)
		browser := codegranttest.NewBrowser(t)
		page := browser.Open(a.url + "/auth/login?redirect_uri=" + url.QueryEscape(target))
		form, ok := page.Form("password")
		if !ok {
			t.Fatalf("no form at %s", page.URL)
		}
		callback := submitted(t, browser, form)
		for i, header := range [][]string{{"Sec-Purpose", "prefetch"}, {"Sec-Fetch-Mode", "navigate"}, {"Sec-Fetch-Mode", "navigate"}} {
			if r := get(t, browser.Client, callback, header...); r.StatusCode != 303 || r.Header.Get("Location") != target {
				t.Errorf("time %d: status %d to %.60q", i+1, r.StatusCode, r.Header.Get("Location"))
			}
		}
		a.now.Advance(13 * time.Hour) // the session has ended, the word where it ended has, too
		if r := get(t, browser.Client, callback); r.StatusCode == 303 {
			t.Errorf("after the session: to %s", r.Header.Get("Location"))
		}
		if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 401 {
			t.Errorf("it opened a session: %d", r.StatusCode)
		}
	}
}

func submitted(t *testing.T, browser *codegranttest.Browser, form codegranttest.Form) string {
	t.Helper()
	form.Values.Set("username", "alice@example.com")
	form.Values.Set("password", codegranttest.Password)
	r, err := http.NewRequestWithContext(t.Context(), "POST", form.Action.String(), strings.NewReader(form.Values.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	c := *browser.Client
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.Header.Get("Location")
}

// TestS267_SignInsBegunOnAnotherHost begin on the one that the pool comes back to, and
// end at the page; a proxy that hides the host makes no circle of it.
func TestS267_SignInsBegunOnAnotherHost(t *testing.T) {
	a := newApp(t, nil)
	other := strings.Replace(a.url, "127.0.0.1", "localhost", 1)
	browser := codegranttest.NewBrowser(t)
	page := browser.SignIn(other+"/reports/q3", "alice@example.com", codegranttest.Password)
	if page.Status != 200 || page.URL.String() != a.url+"/reports/q3" {
		t.Errorf("status %d at %s: %s", page.Status, page.URL, page.Body)
	}
	// Signed in there, coming by the other name again costs no sign-in.
	before := a.Calls("token")
	if page := browser.Open(other + "/reports/q4"); page.Status != 200 || page.URL.String() != a.url+"/reports/q4" || a.Calls("token") != before {
		t.Errorf("status %d at %s, %d more sign-ins", page.Status, page.URL, a.Calls("token")-before)
	}
	// Behind a proxy that sends another Host, for ever.
	through := func(path string) *http.Response {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "http://gate.internal"+path, nil)
		w := httptest.NewRecorder()
		a.auth.Handler("/auth").ServeHTTP(w, r)
		return w.Result()
	}
	first, err := url.Parse(through("/auth/login?redirect_uri=/x").Header.Get("Location"))
	if err != nil || first.Host != strings.TrimPrefix(a.url, "http://") || first.Query().Get("redirect_uri") != "/x" {
		t.Fatalf("sent to %s", first)
	}
	if second := through(first.RequestURI()).Header.Get("Location"); !strings.Contains(second, "/oauth2/authorize?") {
		t.Errorf("then to %s", second)
	}
	// A callback on the wrong host tells both.
	r := httptest.NewRequestWithContext(t.Context(), "GET", other+"/auth/callback?code=c&state=s", nil)
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	w := httptest.NewRecorder()
	a.auth.Handler("/auth").ServeHTTP(w, r)
	for _, host := range []string{strings.TrimPrefix(a.url, "http://"), strings.TrimPrefix(other, "http://")} {
		if w.Code != 400 || !strings.Contains(w.Body.String(), host) {
			t.Errorf("status %d, and no word of %s: %s", w.Code, host, w.Body)
		}
	}
}

// TestS268_ServicesOnOtherPorts of this machine keep a session each.
func TestS268_ServicesOnOtherPorts(t *testing.T) {
	withDefault := func(c *codegrant.Config) { c.CookieName = "" }
	one, two := newApp(t, withDefault), newApp(t, withDefault)
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(one.url+"/", "alice@example.com", codegranttest.Password)
	browser.SignIn(two.url+"/", "bob@example.com", codegranttest.Password)
	for _, a := range []*app{one, two} {
		if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 200 {
			t.Errorf("%s: status %d", a.url, r.StatusCode)
		}
	}
}

// TestS267_NamesOfTheHost: which of them are another place to browsers, so that cookies of
// the one do not reach the other.
func TestS267_NamesOfTheHost(t *testing.T) {
	pool := codegranttest.NewPool(t, nil)
	for _, tt := range []struct {
		base, host string
		same       bool
	}{
		{"https://app.example.com", "app.example.com", true},
		{"https://app.example.com", "APP.Example.com", true},
		{"https://app.example.com", "app.example.com:443", true},
		{"https://app.example.com", "app.example.com:80", false},
		{"https://app.example.com", "app.example.com.", false},
		{"https://app.example.com", "app.example.com:8443", false},
		{"https://app.example.com", "www.app.example.com", false},
		{"https://app.example.com", "example.com", false},
		{"https://app.example.com", "10.0.0.7", false},
		{"https://app.example.com:8443", "app.example.com:8443", true},
		{"https://app.example.com:8443", "app.example.com", false},
		{"http://localhost:8000", "localhost:8000", true},
		{"http://localhost:8000", "LOCALHOST:8000", true},
		{"http://localhost:8000", "127.0.0.1:8000", false},
		{"http://localhost:8000", "[::1]:8000", false},
		{"http://localhost:8000", "localhost.:8000", false},
		{"http://localhost:8000", "app.localhost:8000", false},
		{"http://localhost:8000", "localhost:9000", false},
		{"http://localhost", "localhost:80", true},
		{"http://[::1]:8000", "[::1]:8000", true},
		{"http://[::1]:8000", "localhost:8000", false},
	} {
		auth, err := codegrant.New(codegrant.Config{Pool: pool.Register(tt.base), BaseURL: tt.base})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/auth/login?redirect_uri=/x", nil)
		r.Host = tt.host
		w := httptest.NewRecorder()
		auth.Handler("/auth").ServeHTTP(w, r)
		to, err := url.Parse(w.Header().Get("Location"))
		if err != nil || w.Code != 302 {
			t.Errorf("%s of %s: %d", tt.host, tt.base, w.Code)
			continue
		}
		if begins := strings.HasPrefix(to.Path, "/oauth2/"); begins != tt.same || !begins && !strings.HasPrefix(to.String(), tt.base+"/auth/login?") {
			t.Errorf("%s of %s: sent to %s", tt.host, tt.base, to)
		}
	}
}
