package codegrant_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
)

type ownSession struct {
	ID      string
	Current bool
	Browser string
	System  string
	Address string
}

// mine lists the sessions of whom a browser is signed in as.
func mine(t *testing.T, at string, b *codegranttest.Browser) (list struct {
	Sessions []ownSession
	Complete bool
}) {
	t.Helper()
	r := get(t, b.Client, at+"/auth/sessions", "Accept", "application/json")
	if err := json.NewDecoder(r.Body).Decode(&list); err != nil || r.StatusCode != 200 {
		t.Fatalf("%d, %v", r.StatusCode, err)
	}
	return list
}

// endMine posts what is to end, as a script of our own page does.
func endMine(t *testing.T, at string, b *codegranttest.Browser, which, site string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at+"/auth/sessions", strings.NewReader(url.Values{"end": {which}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Sec-Fetch-Site", site)
	r.Header.Set("Sec-Fetch-Mode", "cors")
	client := *b.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}

func signedIn(t *testing.T, at, email string) *codegranttest.Browser {
	t.Helper()
	b := codegranttest.NewBrowser(t)
	if page := b.SignIn(at+"/x", email, codegranttest.Password); page.Status != 200 {
		t.Fatalf("%d %s", page.Status, page.Body)
	}
	return b
}

func TestS062_S585_SessionsOfOnesOwn(t *testing.T) {
	a := newApp(t, func(c *codegrant.Config) {
		c.Own.DescribeAgent = func(agent string) (string, string) { return "Browser of a test", "its system" }
	})
	desk, phone, tablet, bob := signedIn(t, a.url, "alice@example.com"), signedIn(t, a.url, "alice@example.com"), signedIn(t, a.url, "alice@example.com"), signedIn(t, a.url, "bob@example.com")
	list := mine(t, a.url, desk)
	current := slices.IndexFunc(list.Sessions, func(s ownSession) bool { return s.Current })
	if len(list.Sessions) != 3 || !list.Complete || current < 0 || list.Sessions[0].Browser != "Browser of a test" || list.Sessions[0].Address != "127.0.0.1" {
		t.Fatalf("%+v", list)
	}
	if page := desk.Open(a.url + "/auth/sessions"); page.Status != 200 || strings.Count(page.Body, "Browser of a test on its system") < 3 || !strings.Contains(page.Body, "This browser") {
		t.Errorf("page: %d %s", page.Status, page.Body)
	}
	phones := mine(t, a.url, phone).Sessions
	id := phones[slices.IndexFunc(phones, func(s ownSession) bool { return s.Current })].ID

	// Another site, another person, and a program with a token end nothing.
	if r := endMine(t, a.url, desk, id, "cross-site"); r.StatusCode != 403 {
		t.Errorf("by another site: %d", r.StatusCode)
	}
	if r := endMine(t, a.url, bob, id, "same-origin"); r.StatusCode != 404 {
		t.Errorf("by another person: %d", r.StatusCode)
	}
	token := a.access(t, "alice", time.Minute, nil)
	if r := get(t, http.DefaultClient, a.url+"/auth/sessions", "Authorization", "Bearer "+token); r.StatusCode != 403 {
		t.Errorf("with a token: %d", r.StatusCode)
	}
	if r := get(t, http.DefaultClient, a.url+"/auth/sessions"); r.StatusCode != 401 {
		t.Errorf("by nobody: %d", r.StatusCode)
	}
	if n := len(mine(t, a.url, phone).Sessions); n != 3 {
		t.Fatalf("%d sessions left", n)
	}
	for _, which := range []string{"", "nonsense"} {
		if r := endMine(t, a.url, desk, which, "same-origin"); r.StatusCode != 404 {
			t.Errorf("%q: %d", which, r.StatusCode)
		}
	}

	// One, by the person; then all others.
	one := endMine(t, a.url, desk, id, "same-origin")
	var answer struct {
		NotDone []struct{ What string } `json:"not_done"`
	}
	// Its refresh token is sealed under the cookie of its browser.
	if err := json.NewDecoder(one.Body).Decode(&answer); err != nil || one.StatusCode != 200 || len(answer.NotDone) != 1 || answer.NotDone[0].What != "refresh_tokens" {
		t.Errorf("one: %d %v %+v", one.StatusCode, err, answer)
	}
	if r := get(t, phone.Client, a.url+"/auth/user"); r.StatusCode != 401 {
		t.Errorf("the one that was ended: %d", r.StatusCode)
	}
	if r := endMine(t, a.url, desk, "others", "same-origin"); r.StatusCode != 200 {
		t.Errorf("others: %d", r.StatusCode)
	}
	if r := get(t, tablet.Client, a.url+"/auth/user"); r.StatusCode != 401 {
		t.Errorf("another one: %d", r.StatusCode)
	}
	if list = mine(t, a.url, desk); len(list.Sessions) != 1 || !list.Sessions[0].Current {
		t.Errorf("left: %+v", list)
	}
	if r := get(t, bob.Client, a.url+"/auth/user"); r.StatusCode != 200 {
		t.Errorf("another person: %d", r.StatusCode)
	}
}

func TestS586_SignOutEverywhere(t *testing.T) {
	for name, tells := range map[string]bool{"the pool is told": true, "it cannot be": false} {
		t.Run(name, func(t *testing.T) {
			var told string
			a := newApp(t, func(c *codegrant.Config) {
				if tells {
					c.Own.GlobalSignOut = func(_ context.Context, username string) error { told = username; return nil }
				}
			})
			desk, phone := signedIn(t, a.url, "alice@example.com"), signedIn(t, a.url, "alice@example.com")
			var user struct{ Sub string }
			if err := json.NewDecoder(get(t, desk.Client, a.url+"/auth/user").Body).Decode(&user); err != nil {
				t.Fatal(err)
			}
			token := a.access(t, user.Sub, time.Minute, nil) // of an app of hers
			r := endMine(t, a.url, desk, "everywhere", "same-origin")
			var report struct {
				NotDone   []struct{ What string } `json:"not_done"`
				LogoutURL string                  `json:"logout_url"`
			}
			if err := json.NewDecoder(r.Body).Decode(&report); err != nil || r.StatusCode != 200 || !strings.HasPrefix(report.LogoutURL, a.Pool.URL+"/logout?") {
				t.Fatalf("%d %v %+v", r.StatusCode, err, report)
			}
			var what []string
			for _, n := range report.NotDone {
				what = append(what, n.What)
			}
			if slices.Contains(what, "refresh_tokens") == tells || tells != (told == "alice") || !slices.Contains(what, "login_sessions") || !slices.Contains(what, "other_processes") {
				t.Errorf("not done: %v", what)
			}
			for name, b := range map[string]*codegranttest.Browser{"this": desk, "another": phone} {
				if r := get(t, b.Client, a.url+"/auth/user"); r.StatusCode != 401 {
					t.Errorf("%s browser: %d", name, r.StatusCode)
				}
			}
			if r := get(t, http.DefaultClient, a.url+"/x", "Authorization", "Bearer "+token); r.StatusCode != 401 {
				t.Errorf("a token of hers: %d", r.StatusCode)
			}
			if a.Calls(localpool.Revoke) == 0 {
				t.Error("the refresh token of this session was not revoked")
			}
		})
	}
}

func TestS587_SessionsPerPerson(t *testing.T) {
	for name, refuse := range map[string]bool{"the oldest ends": false, "the new one is refused": true} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, func(c *codegrant.Config) { c.Own.PerPerson, c.Own.RefuseFurther = 2, refuse })
			first := signedIn(t, a.url, "alice@example.com")
			signedIn(t, a.url, "bob@example.com")
			second := signedIn(t, a.url, "alice@example.com")
			third := codegranttest.NewBrowser(t)
			page := third.SignIn(a.url+"/x", "alice@example.com", codegranttest.Password)
			want := map[bool][3]int{false: {401, 200, 200}, true: {200, 200, 401}}[refuse]
			for i, b := range []*codegranttest.Browser{first, second, third} {
				if r := get(t, b.Client, a.url+"/auth/user"); r.StatusCode != want[i] {
					t.Errorf("browser %d: %d, want %d", i, r.StatusCode, want[i])
				}
			}
			if refuse && !strings.Contains(page.Body, "reached the limit of sessions") {
				t.Errorf("%d %s", page.Status, page.Body)
			}
			// A browser that signs in again has no more than before.
			if again := second.SignIn(a.url+"/auth/login?prompt=login&redirect_uri=/x", "alice@example.com", codegranttest.Password); again.Status != 200 {
				t.Errorf("again: %d", again.Status)
			}
		})
	}
}

// Where browsers carry the sessions the answer says that it knows of this one alone.
func TestS585_SessionsInCookies(t *testing.T) {
	inEveryWay(t, func(t *testing.T, w *way) {
		held := w.held(w.browser)
		var list struct {
			Sessions []ownSession
			Complete bool
		}
		if err := json.NewDecoder(w.ask("GET", "/auth/sessions", held).Body).Decode(&list); err != nil {
			t.Fatal(err)
		}
		stored := strings.HasSuffix(t.Name(), "/store")
		if len(list.Sessions) != 1 || !list.Sessions[0].Current || list.Complete != stored {
			t.Errorf("%+v", list)
		}
	})
}

func TestS585_OthersInCookies(t *testing.T) {
	a := newApp(t, func(c *codegrant.Config) { c.CookieSessions, c.Sessions = true, nil })
	b := signedIn(t, a.url, "alice@example.com")
	if r := endMine(t, a.url, b, "others", "same-origin"); r.StatusCode != http.StatusConflict {
		t.Errorf("others: %d", r.StatusCode)
	}
	if r := get(t, b.Client, a.url+"/auth/user"); r.StatusCode != 200 {
		t.Errorf("afterwards: %d", r.StatusCode)
	}
}
