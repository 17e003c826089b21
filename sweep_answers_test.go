package codegrant_test

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/session"
)

// tape keeps every answer of one host, as a browser got it.
type tape struct {
	host string
	next http.RoundTripper

	mu      sync.Mutex // guards answers
	answers []string
}

func (r *tape) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := r.next.RoundTrip(request)
	if err != nil || request.URL.Host != r.host {
		return response, err
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(body))
	var head bytes.Buffer
	_ = response.Header.Write(&head)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers = append(r.answers, fmt.Sprintf("%s %s\n%d\n%s\n%s", request.Method, request.URL, response.StatusCode, head.String(), body))
	return response, nil
}

// token is how every token of Cognito begins: {"kid", {"alg", {"cty", {"enc".
var token = regexp.MustCompile(`eyJ(raWQ|hbGc|jdHk|lbmM)`)

// TestS050_S056_TokensStayOnTheServer: no answer of the application holds a token,
// in whatever part, and no redirect carries one.
func TestS050_S056_TokensStayOnTheServer(t *testing.T) {
	a := newApp(t, func(c *codegrant.Config) { c.ErrorURL = "/open" })
	base, err := url.Parse(a.url)
	if err != nil {
		t.Fatal(err)
	}
	browser := codegranttest.NewBrowser(t)
	seen := &tape{host: base.Host, next: http.DefaultTransport}
	browser.Client.Transport = seen

	browser.SignIn(a.url+"/reports/", "alice@example.com", codegranttest.Password)
	for _, path := range []string{"/auth/user", "/auth/user/", "/auth/flash", "/open", "/orders/", "/auth/session", "/auth/nothing"} {
		get(t, browser.Client, a.url+path)
	}
	a.now.Advance(61 * time.Minute)
	get(t, browser.Client, a.url+"/auth/user") // refreshed
	browser.Open(a.url + "/auth/callback?error=access_denied&state=unknown")
	browser.Open(a.url + "/open")
	send(t, browser.Client, "POST", a.url+"/auth/logout", "Sec-Fetch-Site", "same-origin")
	get(t, browser.Client, a.url+"/auth/user")
	if a.Calls(localpool.Token) != 2 {
		t.Errorf("the token endpoint was asked %d times: not all of the flow is swept", a.Calls(localpool.Token))
	}

	if len(seen.answers) < 12 {
		t.Fatalf("only %d answers were seen", len(seen.answers))
	}
	for _, answer := range seen.answers {
		if token.MatchString(answer) {
			t.Errorf("an answer holds a token:\n%s", answer)
		}
	}
	if !token.MatchString(`{"access_token":"eyJraWQiOiJhYmMi"}`) {
		t.Error("the sweep would not see a token")
	}
}

// TestS068_OtherOriginsReadNothing: no answer allows a page of another origin to
// read it, and a preflight touches no session.
func TestS068_OtherOriginsReadNothing(t *testing.T) {
	a := newApp(t, func(c *codegrant.Config) {
		c.AcceptTokens, c.TrustedOrigins = true, []string{"https://www.example.com"}
	})
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	for _, origin := range []string{
		"https://evil.example", "null", "http://www.example.com", "https://www.example.com.evil.example",
		"https://www.example.com:8443", "https://WWW.example.com", "https://evil.example https://www.example.com",
	} {
		for _, path := range []string{"/", "/auth/user", "/auth/session", "/auth/flash", "/auth/logout", "/auth/login", "/auth/callback"} {
			for _, method := range []string{"GET", "OPTIONS", "POST"} {
				if path == "/auth/logout" && method == "POST" {
					continue // it is refused, in TestS065_S066_CrossOriginRequests
				}
				r := send(t, browser.Client, method, a.url+path, "Origin", origin, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors",
					"Access-Control-Request-Method", "POST")
				for _, name := range []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"} {
					if got := r.Header.Get(name); got != "" {
						t.Errorf("%s %s from %s: %s: %s", method, path, origin, name, got)
					}
				}
			}
		}
	}
	if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 200 {
		t.Errorf("the session afterwards: status %d", r.StatusCode)
	}
}

// TestS081_HowLongADisabledUserGoesOn: at most as long as the access token lives,
// as docs/library.md says; sync ends the session at once.
func TestS081_HowLongADisabledUserGoesOn(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	signedIn := a.now.Now()
	if err := a.DisableUser(a.PoolID, "alice"); err != nil {
		t.Fatal(err)
	}
	for range 24 {
		a.now.Advance(5 * time.Minute)
		if get(t, browser.Client, a.url+"/auth/user").StatusCode != 200 {
			if took := a.now.Now().Sub(signedIn); took > 61*time.Minute {
				t.Errorf("refused after %s only", took)
			}
			return
		}
	}
	t.Error("a disabled user is never refused")
}

// TestS172_PeopleSeeNoCauses: whatever fails, the answer names an id that the log
// knows, and keeps the cause to the log.
func TestS172_PeopleSeeNoCauses(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/reports/", "alice@example.com", codegranttest.Password)
	broken := &brokenStore{Store: session.NewMemoryStore(session.MemoryConfig{})}
	broken.broken.Store(true) // with a cause that no person is to read
	failing := newApp(t, func(c *codegrant.Config) { c.Sessions = broken })
	id := regexp.MustCompile(`[A-Za-z0-9_-]{12}`)
	reason := regexp.MustCompile(` reason=(?:"([^"]+)"|(\S+))`)

	for _, tt := range []struct {
		name   string
		app    *app
		path   string
		status int
	}{
		{"not allowed", a, "/orders/", 403},
		{"callback of nobody", a, "/auth/callback?code=c&state=invented", 400},
		{"refused by the pool", a, "/auth/callback?error=invalid_request&error_description=canary-4711", 400},
		{"the store is gone", failing, "/reports/", 503},
	} {
		for kind, header := range map[string][]string{
			"page":    {"Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "none"},
			"program": {"Accept", "application/json"},
		} {
			t.Run(tt.name+" "+kind, func(t *testing.T) {
				client := http.DefaultClient
				if tt.status == 403 {
					client = browser.Client
				}
				if tt.app == failing {
					header = append(header, "Cookie", "codegrant="+session.NewHandle().Encode())
				}
				r := get(t, client, tt.app.url+tt.path, header...)
				body := text(t, r)
				if r.StatusCode != tt.status || strings.Contains(body, "canary") || strings.Contains(body, "connection refused") {
					t.Fatalf("status %d, want %d: %s", r.StatusCode, tt.status, body)
				}
				log := tt.app.log.String()
				for _, found := range id.FindAllString(body, -1) {
					for line := range strings.Lines(log) {
						if !strings.Contains(line, "correlation="+found) {
							continue
						}
						// The log has the cause, and the answer no part of it that is for operators.
						reason := reason.FindStringSubmatch(line)
						if reason == nil {
							t.Fatalf("the log says no reason: %s", line)
						}
						if why := reason[1] + reason[2]; strings.Contains(html.UnescapeString(body), why) {
							t.Errorf("the answer says %q: %s", why, body)
						}
						return
					}
				}
				t.Errorf("no id of the answer is in the log: %s", body)
			})
		}
	}
}
