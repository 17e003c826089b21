package clients

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/testenv"
)

// TestOpenIDClient tells the story of openid-client: a server that signs a person in.
func TestOpenIDClient(t *testing.T) {
	node, programs := javaScript(t)
	a := thePool(t).register(t, "openid-client", "http://localhost:3000/callback", "http://localhost:3000/", true)
	c := exec.CommandContext(t.Context(), node, "openid-client.mjs")
	c.Dir, c.Env = programs, append(os.Environ(), "SETTINGS="+a.settings(t, nil))
	a.tell(t, a.visitor(t), c)
}

// TestAuthJS tells the story of @auth/core, which next-auth and its siblings are made of.
func TestAuthJS(t *testing.T) {
	node, programs := javaScript(t)
	home := site(t)
	a := thePool(t).register(t, "auth-js", home+"auth/callback/cognito", home, true)
	c := exec.Command(node, "authjs.mjs")
	c.Dir, c.Env = programs, append(os.Environ(), "SETTINGS="+a.settings(t, nil))
	serve(t, home, c)

	b := codegranttest.NewBrowser(t)
	type session struct {
		User            struct{ Name, Email string }
		Groups          []string
		Verified        any
		Renewed         bool
		Fault           string
		Expires, Public string
	}
	read := func() (s session) {
		t.Helper()
		page := b.Open(home + "auth/session")
		if err := json.Unmarshal([]byte(page.Body), &s); err != nil {
			t.Fatalf("%s: %v", page.Body, err)
		}
		return s
	}
	press := func(path, field string) *codegranttest.Page {
		t.Helper()
		page := b.Open(home + path)
		form, ok := page.Form("csrfToken")
		if !ok {
			t.Fatalf("%s has no form: %s", path, page.Body)
		}
		return b.Submit(page, form, nil)
	}
	if s := read(); s.User.Email != "" {
		t.Fatalf("before: %+v", s)
	}
	// A person who has no sign-in under way, and one who is refused.
	for _, query := range []string{"code=made-up&state=made-up", "error=access_denied&error_description=cancelled"} {
		if page := b.Open(home + "auth/callback/cognito?" + query); !strings.Contains(page.URL.RawQuery, "error=") || read().User.Email != "" {
			t.Errorf("%s ended at %s", query, page.URL)
		}
	}
	login := press("auth/signin", "csrfToken")
	if !strings.HasPrefix(login.URL.String(), a.pool.url+"/login") {
		t.Fatalf("the sign-in is at %s:\n%s", login.URL, login.Body)
	}
	if page := signsIn(t, b, login, a.username); page.URL.String()+"/" != home {
		t.Fatalf("the sign-in ended at %s", page.URL)
	}
	if s := read(); s.User.Email != a.email || s.User.Name != "Alice of auth-js" || strings.Join(s.Groups, ",") != "admins,analysts" || s.Verified != true {
		t.Fatalf("the session: %+v", s)
	}
	update := func() {
		t.Helper()
		var token struct{ CsrfToken string }
		if err := json.Unmarshal([]byte(b.Open(home+"auth/csrf").Body), &token); err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, home+"auth/session", strings.NewReader(`{"csrfToken":"`+token.CsrfToken+`","data":{}}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		response, err := b.Client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
	}
	if update(); !read().Renewed {
		t.Errorf("after a refresh: %+v", read())
	}
	// A sign-out of the application leaves the pool's own session.
	press("auth/signout", "csrfToken")
	if s := read(); s.User.Email != "" {
		t.Errorf("after the sign-out: %+v", s)
	}
	if page := press("auth/signin", "csrfToken"); page.URL.String()+"/" != home || read().User.Email != a.email {
		t.Errorf("signed in at the pool still, and yet it ended at %s", page.URL)
	}
	a.signOutEverywhere(t)
	if update(); read().Fault != "invalid_grant" {
		t.Errorf("a refresh after the person was signed out everywhere: %+v", read())
	}
	press("auth/signout", "csrfToken")
	if page := b.Open(a.logout()); page.URL.String() != home {
		t.Errorf("the pool's sign-out ended at %s", page.URL)
	}
	if page := press("auth/signin", "csrfToken"); !strings.HasPrefix(page.URL.String(), a.pool.url+"/login") {
		t.Errorf("after the pool's sign-out the sign-in ended at %s", page.URL)
	}
}

// site is an address for an application's own server. Its name is not the pool's, since
// cookies do not tell ports apart.
func site(t *testing.T) string {
	t.Helper()
	return "http://" + strings.Replace(testenv.FreeAddress(t), "127.0.0.1", "localhost", 1) + "/"
}

// serve runs an application until the test ends.
func serve(t *testing.T, home string, c *exec.Cmd) {
	t.Helper()
	c.Stdout, c.Stderr, c.WaitDelay = t.Output(), t.Output(), time.Second
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = c.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM) // which ends the processes of its own too
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = c.Process.Kill()
			<-ended
		}
	})
	for deadline := time.Now().Add(2 * time.Minute); ; {
		if response, err := http.Get(home); err == nil {
			_ = response.Body.Close()
			return
		}
		select {
		case <-ended:
			t.Fatalf("%v has ended", c.Args)
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v does not answer within two minutes", c.Args)
		}
	}
}
