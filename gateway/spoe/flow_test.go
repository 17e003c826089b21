package spoe_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/internal/gatewaytest"
	"github.com/codegrant/codegrant/localpool"
)

func TestPeopleThroughHAProxy(t *testing.T) {
	for name, replace := range map[string][]string{"on all threads": nil, "on one": {"global\n", "global\n  nbthread 1\n"}} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, nil, replace...)
			alice := codegranttest.NewBrowser(t)
			page := alice.SignIn(s.URL+"/reports/q3?x=1&y=%2F", "alice@example.com", codegranttest.Password)
			var got gatewaytest.Seen
			if err := json.Unmarshal([]byte(page.Body), &got); err != nil {
				t.Fatalf("after the sign-in: %d %s", page.Status, page.Body)
			}
			if got.Target != "/reports/q3?x=1&y=%2F" || "http://"+got.Host != s.URL || got.Header.Get("X-Auth-Email") != "alice@example.com" || got.Header.Get("X-Auth-Groups") != "admins,analysts" {
				t.Errorf("%+v", got)
			}
			onceEach(t, got)
			if strings.Contains(got.Header.Get("Cookie"), "codegrant") {
				t.Errorf("the application saw the cookies %q", got.Header.Get("Cookie"))
			}
			if kept := page.Header; kept.Get("Cache-Control") != "public, max-age=60" || len(kept["Set-Cookie"]) != 1 {
				t.Errorf("the application's own headers: %v", kept)
			}
			var many sync.WaitGroup
			for range 8 {
				many.Go(func() {
					for range 25 {
						if got, _ := s.Reaches(alice.Client, "GET", "/reports", nil); got.Header.Get("X-Auth-Username") != "alice" {
							t.Errorf("%v", got.Header)
						}
						if got, _ := s.Reaches(http.DefaultClient, "GET", "/open", nil); got.Header.Get("X-Auth-Username") != "" {
							t.Errorf("%v", got.Header)
						}
					}
				})
			}
			many.Wait()
		})
	}
}

// TestPagesThroughHAProxy: a page comes as its policy says that it is.
func TestPagesThroughHAProxy(t *testing.T) {
	s := newSite(t, nil)
	bob := s.SignIn("/", "bob@example.com")
	page := bob.Open(s.URL + "/reports/q3")
	if page.Status != 403 || page.Header.Get("Content-Type") != "text/html; charset=utf-8" || page.Header.Get("Cache-Control") != "no-store" || page.Header.Get("X-Frame-Options") != "DENY" {
		t.Errorf("refused: %d %v", page.Status, page.Header)
	}
	style := regexp.MustCompile(`<style[^>]*>([^<]*)</style>`).FindStringSubmatch(page.Body)
	if style == nil {
		t.Fatalf("no style: %s", page.Body)
	}
	sum := sha256.Sum256([]byte(style[1]))
	if hash := base64.StdEncoding.EncodeToString(sum[:]); !strings.Contains(page.Header.Get("Content-Security-Policy"), hash) {
		t.Errorf("the style %s is not the policy's: %s", hash, page.Header.Get("Content-Security-Policy"))
	}
	if strings.Contains(page.Body, "%0A") || strings.Contains(page.Body, "%09") {
		t.Errorf("escaped: %s", page.Body)
	}
	if r, body := s.Ask(bob.Client, "HEAD", "/reports/q3", map[string]string{"Accept": "text/html"}); r.StatusCode != 403 || body != "" {
		t.Errorf("HEAD: %d %q", r.StatusCode, body)
	}
}

func TestNobodyThroughHAProxy(t *testing.T) {
	s := newSite(t, nil)
	nobody := codegranttest.NewBrowser(t).Client
	navigates := map[string]string{"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}
	r, _ := s.Ask(nobody, "GET", "/reports/q3?x=1&y=2", navigates)
	if want := "/auth/login?redirect_uri=" + url.QueryEscape("/reports/q3?x=1&y=2"); r.StatusCode != 302 || r.Header.Get("Location") != want || r.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("a browser: %d %v, want %q", r.StatusCode, r.Header, want)
	}
	r, body := s.Ask(nobody, "GET", "/reports/q3", map[string]string{"Accept": "application/json"})
	if r.StatusCode != 401 || !strings.HasPrefix(r.Header.Get("WWW-Authenticate"), "Bearer") || !slices.Equal(r.Header["Content-Type"], []string{"application/problem+json"}) || !json.Valid([]byte(body)) {
		t.Errorf("a program: %d %v %s", r.StatusCode, r.Header, body)
	}
	if got, _ := s.Reaches(nobody, "GET", "/open/a", nil); got.Header.Get("X-Auth-Subject") != "" {
		t.Errorf("nobody at a public page: %v", got.Header)
	}
}

func TestS090_S091_ForgedHeadersThroughHAProxy(t *testing.T) {
	s := newSite(t, nil)
	forged := map[string]string{
		"X-Auth-Subject": "evil", "X_Auth_Subject": "evil", "x_auth-groups": "admins", "X.Auth.Groups": "admins", "X-AUTH-EMAIL": "evil@example.com", "X~Auth^Groups": "admins",
		"x_auth_user_id": "1", "X-Auth-Assertion": "evil", "x-auth-name": "evil", "X_AUTH_SCOPES": "evil", "X-Auth_Issuer": "evil", "x-auth_username": "evil", "X-Auth-Acr": "evil", "x_auth_amr": "evil", "X-Auth_Time": "1",
		"X-Original-Url": "/evil", "X-Rewrite-Url": "/evil", "X-Forwarded-Uri": "/evil", "X-Forwarded-Method": "evil", "X-Original-Method": "evil", "X_Forwarded_For": "evil",
		"X-Forwarded-Host": "evil", "Forwarded": "for=evil",
	}
	bob := s.SignIn("/", "bob@example.com")
	for _, tt := range []struct {
		client  *http.Client
		path    string
		subject bool
	}{{bob.Client, "/rest", true}, {http.DefaultClient, "/open", false}, {bob.Client, "/open", true}} {
		got, _ := s.Reaches(tt.client, "GET", tt.path, forged)
		for name, values := range got.Header {
			if strings.Contains(strings.Join(values, " "), "evil") || slices.Contains(values, "admins") {
				t.Errorf("%s: the application saw %s: %v", tt.path, name, values)
			}
		}
		onceEach(t, got)
		if (got.Header.Get("X-Auth-Subject") != "") != tt.subject {
			t.Errorf("%s: subject %q", tt.path, got.Header.Get("X-Auth-Subject"))
		}
	}
}

// TestS201_RulesThatAreMissing let nobody pass who makes use of it.
func TestS201_RulesThatAreMissing(t *testing.T) {
	s := newSite(t, nil, "  http-request del-header ^x[^a-z0-9]auth[^a-z0-9] -m reg\n", "", "(original|rewrite|forwarded)", "(forwarded)")
	for _, name := range []string{"X-Auth-Subject", "X_Auth_Groups", "X.Auth.Name", "X-Original-Url", "X-Rewrite-Url"} {
		if r, _ := s.Ask(http.DefaultClient, "GET", "/open", map[string]string{name: "evil"}); r.StatusCode != 403 {
			t.Errorf("%s: %d", name, r.StatusCode)
		}
		if !strings.Contains(s.Log.String(), "http-request del-header "+strings.ToLower(name)) {
			t.Errorf("%s: the log does not say what to do: %s", name, s.Log)
		}
	}
	s.Reaches(http.DefaultClient, "GET", "/open", nil)
}

// raw sends bytes to HAProxy and reads one answer.
func (s *site) raw(request string) (*http.Response, string) {
	s.T.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		s.T.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(15 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		s.T.Fatal(err)
	}
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		s.T.Fatalf("%.80q: %v", request, err)
	}
	defer r.Body.Close()
	body, _ := io.ReadAll(r.Body)
	return r, string(body)
}

// TestS096_S104_WhatIsAskedAbout is what is sent on, or nothing is.
func TestS096_S104_WhatIsAskedAbout(t *testing.T) {
	s := newSite(t, nil)
	host := "Host: " + strings.TrimPrefix(s.URL, "http://") + "\r\n"
	for name, request := range map[string]string{
		"another Host":                 "GET /open HTTP/1.1\r\n" + host + "Host: evil.example\r\n\r\n",
		"a list of Hosts":              "GET /open HTTP/1.1\r\nHost: a.example, b.example\r\n\r\n",
		"no Host":                      "GET /open HTTP/1.0\r\n\r\n",
		"an empty Host":                "GET /open HTTP/1.1\r\nHost:\r\n\r\n",
		"a whole URL of another host":  "GET http://evil.example/open HTTP/1.1\r\n" + host + "\r\n",
		"a whole URL of a page inside": "GET " + s.URL + "/reports HTTP/1.1\r\n" + host + "\r\n",
		"a star":                       "OPTIONS * HTTP/1.1\r\n" + host + "\r\n",
		"no path":                      "GET open HTTP/1.1\r\n" + host + "\r\n",
		"TRACE":                        "TRACE /open HTTP/1.1\r\n" + host + "\r\n",
		"CONNECT":                      "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n",
		"a small method":               "get /open HTTP/1.1\r\n" + host + "\r\n",
		"a fragment":                   "GET /open#x HTTP/1.1\r\n" + host + "\r\n",
		"bytes that are no ASCII":      "GET /open/\xff HTTP/1.1\r\n" + host + "\r\n",
		"escapes that are no UTF-8":    "GET /open/%ff HTTP/1.1\r\n" + host + "\r\n",
		"dots":                         "GET /open/../reports HTTP/1.1\r\n" + host + "\r\n",
		"dots, escaped":                "GET /open/%2e%2e/reports HTTP/1.1\r\n" + host + "\r\n",
		"dots below the endpoints":     "GET /auth/../reports HTTP/1.1\r\n" + host + "\r\n",
		"dots, escaped, below those":   "GET /auth/%2e%2e/reports HTTP/1.1\r\n" + host + "\r\n",
		"an escaped slash":             "GET /open%2freports HTTP/1.1\r\n" + host + "\r\n",
		"a letter escaped":             "GET /op%65n HTTP/1.1\r\n" + host + "\r\n",
		"endpoints escaped":            "GET /%61uth/../reports HTTP/1.1\r\n" + host + "\r\n",
		"two slashes":                  "GET //reports HTTP/1.1\r\n" + host + "\r\n",
		"a backslash":                  "GET /open\\..\\reports HTTP/1.1\r\n" + host + "\r\n",
		"a semicolon":                  "GET /open/..;/reports HTTP/1.1\r\n" + host + "\r\n",
		"two proofs":                   "GET /open HTTP/1.1\r\n" + host + "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
		"a header without a name":      "GET /open HTTP/1.1\r\n" + host + ": x\r\n\r\n",
		"a space before the colon":     "GET /open HTTP/1.1\r\n" + host + "X-Auth-Subject : evil\r\n\r\n",
		"NUL in a value":               "GET /open HTTP/1.1\r\n" + host + "X-A: \x00\r\n\r\n",
		"a long query":                 "GET /open?" + strings.Repeat("a", 17<<10) + " HTTP/1.1\r\n" + host + "\r\n",
		"large headers":                "GET /open HTTP/1.1\r\n" + host + "X-A: " + strings.Repeat("a", 100<<10) + "\r\n\r\n",
	} {
		if r, body := s.raw(request); r.StatusCode < 400 || strings.Contains(body, `"Target"`) {
			t.Errorf("%s: %d %.200s", name, r.StatusCode, body)
		}
	}
	for name, request := range map[string]string{
		"a page":                    "GET /open?a=%2F HTTP/1.1\r\n" + host + "\r\n",
		"a whole URL":               "GET " + s.URL + "/open?a=%2F HTTP/1.1\r\n" + host + "\r\n",
		"the same Host twice":       "GET /open?a=%2F HTTP/1.1\r\n" + host + host + "\r\n",
		"a value that is not UTF-8": "GET /open?a=%2F HTTP/1.1\r\n" + host + "X-A: \xff\xfe\r\n\r\n",
		"two values":                "GET /open?a=%2F HTTP/1.1\r\n" + host + "X-A: 1\r\nX-A: 2\r\n\r\n",
		"Connection names ours":     "GET /open?a=%2F HTTP/1.1\r\n" + host + "Connection: keep-alive, X-Auth-Subject, X-Auth-Groups\r\n\r\n",
		"large cookies":             "GET /open?a=%2F HTTP/1.1\r\n" + host + "Cookie: a=" + strings.Repeat("a", 20<<10) + "\r\n\r\n",
	} {
		r, body := s.raw(request)
		var got gatewaytest.Seen
		if err := json.Unmarshal([]byte(body), &got); r.StatusCode != 200 || err != nil || got.Target != "/open?a=%2F" || "http://"+got.Host != s.URL {
			t.Errorf("%s: %d %.200s", name, r.StatusCode, body)
			continue
		}
		onceEach(t, got)
		if len(got.Header["Connection"]) != 0 {
			t.Errorf("%s: Connection %v", name, got.Header["Connection"])
		}
	}
}

// TestAnswersThatDoNotFit are no answers that let anybody pass, nor are such questions.
func TestAnswersThatDoNotFit(t *testing.T) {
	s := newSite(t, func(g *gateway.Config, _ *codegrant.Config) {
		g.Routes = append(g.Routes, gateway.Route{Path: "/given", PassAccessToken: true})
	}, "timeout hello", "max-frame-size 1280\n  timeout hello")
	alice := s.SignIn("/", "alice@example.com").Client
	s.Reaches(alice, "GET", "/rest", nil)
	start := time.Now()
	if r, _ := s.Ask(http.DefaultClient, "GET", "/open", map[string]string{"X-Large": strings.Repeat("a", 1400)}); r.StatusCode != 503 || time.Since(start) > 5*time.Second {
		t.Errorf("a question beyond the frame: %d after %v", r.StatusCode, time.Since(start))
	}
	if r, _ := s.Ask(alice, "GET", "/given", nil); r.StatusCode != 403 || !strings.Contains(s.Log.String(), "tune.bufsize") || !strings.Contains(s.Log.String(), "identity too large") {
		t.Errorf("an answer beyond the frame: %d %.1000s", r.StatusCode, s.Log)
	}
	if r, body := s.Ask(http.DefaultClient, "GET", "/rest", nil); r.StatusCode != 401 || r.Header.Get("WWW-Authenticate") == "" || body != "" {
		t.Errorf("a refusal without room for its body: %d %v %q", r.StatusCode, r.Header, body)
	}
}

// TestS107_Arguments of the message ask for more than the route does, never for less.
func TestS107_Arguments(t *testing.T) {
	for more, want := range map[string][4]int{ // alice, bob and nobody at /rest, nobody at /open
		"group=str(admins)":                              {200, 403, 401, 401},
		"any_group=str(editors)":                         {403, 200, 401, 401},
		"scope=str(openid) group=str(analysts)":          {200, 403, 401, 401},
		"groups=str(admins)":                             {403, 403, 403, 403},
		"group=int(1)":                                   {403, 403, 403, 403},
		"group=req.hdr(x-not-there)":                     {403, 403, 403, 403},
		"public=str(true)":                               {403, 403, 403, 403},
		"method=str(GET)":                                {403, 403, 403, 403},
		"group=str(analysts) group=str(admins)":          {403, 403, 403, 403},
		"any_group=str(analysts) any_group=str(editors)": {403, 403, 403, 403},
	} {
		t.Run(more, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, nil, "headers=req.hdrs_bin", "headers=req.hdrs_bin "+more)
			status := func(c *http.Client, path string) int { r, _ := s.Ask(c, "GET", path, nil); return r.StatusCode }
			got := [4]int{403, 403, status(http.DefaultClient, "/rest"), status(http.DefaultClient, "/open")}
			if got[2] == 401 {
				got[0], got[1] = status(s.SignIn("/", "alice@example.com").Client, "/rest"), status(s.SignIn("/", "bob@example.com").Client, "/rest")
			}
			if got != want {
				t.Errorf("alice, bob, nobody, and nobody at a public page: %v, want %v", got, want)
			}
		})
	}
}

func TestBearerTokensThroughHAProxy(t *testing.T) {
	s := newSite(t, func(g *gateway.Config, _ *codegrant.Config) {
		g.Routes = append(g.Routes, gateway.Route{Path: "/kept", PassAuthorization: true}, gateway.Route{Path: "/given", PassAccessToken: true})
	})
	browser := s.SignIn("/", "alice@example.com").Client
	token := s.AccessToken(browser)
	bearer := map[string]string{"Authorization": "Bearer " + token}
	if got, _ := s.Reaches(http.DefaultClient, "GET", "/reports", bearer); got.Header.Get("X-Auth-Username") != "alice" || got.Header.Get("Authorization") != "" {
		t.Errorf("%v", got.Header)
	}
	if got, _ := s.Reaches(http.DefaultClient, "GET", "/kept", bearer); got.Header.Get("Authorization") != "Bearer "+token {
		t.Errorf("kept: %v", got.Header)
	}
	if got, _ := s.Reaches(browser, "GET", "/given", nil); got.Header.Get("Authorization") != "Bearer "+token {
		t.Errorf("given: %v", got.Header)
	}
	if got, _ := s.Reaches(http.DefaultClient, "GET", "/open", map[string]string{"Authorization": "Basic eDp5"}); got.Header.Get("Authorization") != "Basic eDp5" {
		t.Errorf("not for the gateway: %v", got.Header)
	}
	for name, value := range map[string]string{"another signature": token[:len(token)-8] + "AAAAAAAA", "two tokens, merged": token + ",Bearer " + token, "none": ""} {
		r, _ := s.Ask(http.DefaultClient, "GET", "/reports", map[string]string{"Authorization": "Bearer " + value})
		if r.StatusCode != 401 || !strings.Contains(r.Header.Get("WWW-Authenticate"), "invalid_token") {
			t.Errorf("%s: %d %v", name, r.StatusCode, r.Header)
		}
	}
	// S-583: a token of before a mark.
	got, _ := s.Reaches(http.DefaultClient, "GET", "/reports", bearer)
	if err := s.Auth.NotBefore(t.Context(), got.Header.Get("X-Auth-Subject"), s.Now.Now()); err != nil {
		t.Fatal(err)
	}
	if r, body := s.Ask(http.DefaultClient, "GET", "/reports", bearer); r.StatusCode != 401 || !strings.Contains(r.Header.Get("WWW-Authenticate"), "revoked") || !strings.Contains(body, "#revoked") {
		t.Errorf("a token of before a mark: %d %v %s", r.StatusCode, r.Header, body)
	}
}

func TestRefreshThroughHAProxy(t *testing.T) {
	s := newSite(t, nil)
	alice := s.SignIn("/", "alice@example.com").Client
	calls := s.Calls(localpool.Token)
	s.Now.Advance(61 * time.Minute)
	if got, r := s.Reaches(alice, "GET", "/reports", nil); got.Header.Get("X-Auth-Email") != "alice@example.com" || s.Calls(localpool.Token) != calls+1 || r.Header.Get("Cache-Control") != "public, max-age=60" {
		t.Errorf("refreshed %d times: %v %v", s.Calls(localpool.Token)-calls, got.Header, r.Header)
	}
	// A pool that does not answer is a 503, and costs nobody the session.
	s.Now.Advance(61 * time.Minute)
	s.Fault(localpool.Token, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }))
	r, body := s.Ask(alice, "GET", "/reports", map[string]string{"Accept": "application/json"})
	if r.StatusCode != 503 || r.Header.Get("Retry-After") == "" || len(r.Header["Set-Cookie"]) != 0 || !json.Valid([]byte(body)) {
		t.Errorf("pool down: %d %v %s", r.StatusCode, r.Header, body)
	}
	s.Fault(localpool.Token, nil)
	s.Now.Advance(20 * time.Second)
	s.Reaches(alice, "GET", "/reports", nil)
}

// TestS057_CookiesThroughHAProxy: sessions in cookies are refreshed in cookies, one by
// one, beside those of the application.
func TestS057_CookiesThroughHAProxy(t *testing.T) {
	s := newSite(t, func(_ *gateway.Config, c *codegrant.Config) { c.CookieSessions = true })
	for i := range 40 { // more than one cookie holds
		s.AddUser(fmt.Sprint("in", i), fmt.Sprint("in", i, "@example.com"), fmt.Sprint("a-group-with-a-rather-long-name-", i))
	}
	alice := s.SignIn("/", "alice@example.com").Client
	calls := s.Calls(localpool.Token)
	s.Now.Advance(61 * time.Minute)
	got, r := s.Reaches(alice, "GET", "/reports", map[string]string{"X-Mine": "1"})
	var names []string
	for _, c := range r.Cookies() {
		names = append(names, c.Name)
	}
	if len(names) < 3 || !slices.Contains(names, "theirs") || !slices.ContainsFunc(names, s.Auth.OwnsCookie) || !slices.Equal(r.Header["Cache-Control"], []string{"no-store"}) {
		t.Errorf("cookies %v, %v", names, r.Header["Cache-Control"])
	}
	if got.Header.Get("X-Mine") != "1" || strings.Contains(got.Header.Get("Cookie"), "codegrant") {
		t.Errorf("the application saw %v", got.Header)
	}
	if s.Reaches(alice, "GET", "/reports", nil); s.Calls(localpool.Token) != calls+1 {
		t.Errorf("refreshed %d times", s.Calls(localpool.Token)-calls)
	}
}

func TestSignOutThroughHAProxy(t *testing.T) {
	s := newSite(t, nil)
	alice := s.SignIn("/", "alice@example.com")
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	held := alice.Client.Jar.Cookies(u)
	alice.Open(s.URL + "/auth/logout")
	if r, _ := s.Ask(alice.Client, "GET", "/rest", nil); r.StatusCode != 401 {
		t.Errorf("after the sign-out: %d", r.StatusCode)
	}
	// A copy of the cookies is worth nothing, and is taken back.
	alice.Client.Jar.SetCookies(u, held)
	r, _ := s.Ask(alice.Client, "GET", "/rest", nil)
	if r.StatusCode != 401 || !slices.ContainsFunc(r.Cookies(), func(c *http.Cookie) bool { return s.Auth.OwnsCookie(c.Name) && c.MaxAge < 0 }) {
		t.Errorf("a copy of the cookies: %d %v", r.StatusCode, r.Header)
	}
}

// TestS106_CrossOriginThroughHAProxy: what another site makes a browser send, and its
// WebSockets.
func TestS106_CrossOriginThroughHAProxy(t *testing.T) {
	s := newSite(t, nil)
	alice := s.SignIn("/", "alice@example.com").Client
	channel := func(origin, connection string) map[string]string {
		return map[string]string{"Upgrade": "websocket", "Connection": connection, "Origin": origin, "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13"}
	}
	for name, tt := range map[string]struct {
		method string
		header map[string]string
		status int
	}{
		"its own form":                        {"POST", map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": s.URL}, 200},
		"another's form":                      {"POST", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, 403},
		"another's link":                      {"GET", map[string]string{"Sec-Fetch-Site": "cross-site"}, 200},
		"its own channel":                     {"GET", channel(s.URL, "keep-alive, Upgrade"), 101},
		"another's channel":                   {"GET", channel("https://evil.example", "Upgrade"), 403},
		"another's channel that takes a name": {"GET", channel("https://evil.example", "Upgrade, Origin"), 403},
	} {
		if r, _ := s.Ask(alice, tt.method, "/rest", tt.header); r.StatusCode != tt.status {
			t.Errorf("%s: %d, want %d", name, r.StatusCode, tt.status)
		}
	}
}
