package serve

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
)

// stepUpGate runs a console whose actions ask for more, and has bob signed in.
func stepUpGate(t *testing.T, asks string) (g *gate, alice, bob *codegranttest.Browser) {
	t.Helper()
	g = newGate(t, strings.Replace(consoled, "console: {groups: admins}", "console: {groups: admins, "+asks+"}", 1))
	g.writeFile("keys", newSealingKey())
	if err := g.pool.SetStepUp(g.pool.PoolID, localpool.StepUpOn); err != nil {
		t.Fatal(err)
	}
	g.start()
	alice, bob = codegranttest.NewBrowser(t), codegranttest.NewBrowser(t)
	bob.SignIn(g.url+"/", "bob@example.com", codegranttest.Password)
	alice.SignIn(g.url+"/console", "alice@example.com", codegranttest.Password)
	return g, alice, bob
}

// signBobOut has the operator press the button on bob's page.
func (g *gate) signBobOut(alice *codegranttest.Browser) *codegranttest.Page {
	g.t.Helper()
	_, found := g.get(alice.Client, "/console/people?q=bob%40example.com")
	_, after, _ := strings.Cut(found, `href="/console/person?`)
	query, _, ok := strings.Cut(after, `"`)
	if !ok {
		g.t.Fatalf("bob is not found: %s", found)
	}
	page := alice.Open(g.url + "/console/person?" + strings.ReplaceAll(query, "&amp;", "&"))
	for _, form := range page.Forms {
		if form.Values.Get("do") == "everywhere" {
			return alice.Submit(page, form, nil)
		}
	}
	g.t.Fatalf("bob's page has no button: %d %s", page.Status, page.Body)
	return nil
}

func (g *gate) signedIn(b *codegranttest.Browser) bool {
	g.t.Helper()
	status, _ := g.get(b.Client, "/auth/user")
	return status == http.StatusOK
}

// TestS759_ConsoleAsksForALevel: at the gateway and a pool, an operator who has signed in by
// password reads each page, and ends nothing where acr asks for more: nothing is done, and the
// log says who was refused. With a code of the authenticator app, it is done.
func TestS759_ConsoleAsksForALevel(t *testing.T) {
	g, alice, bob := stepUpGate(t, "acr: urn:cognito:loa:4")
	if err := g.pool.AddAuthenticator(g.pool.PoolID, "alice", false); err != nil {
		t.Fatal(err)
	}
	if status, body := g.get(alice.Client, "/console"); status != http.StatusOK || !strings.Contains(body, "<h1>State</h1>") {
		t.Errorf("by password, the console: %d %s", status, body)
	}
	page := g.signBobOut(alice)
	if page.Status != http.StatusUnauthorized || !strings.Contains(page.Header.Get("WWW-Authenticate"), `acr_values="urn:cognito:loa:4"`) || !g.signedIn(bob) {
		t.Errorf("by password: %d %q, bob is signed in: %t\n%s", page.Status, page.Header.Get("WWW-Authenticate"), g.signedIn(bob), page.Body)
	}
	if line := g.logged("operator acted", `"outcome":"refused"`); line["by"] != "alice" || line["reason"] == "" {
		t.Errorf("on record: %v", line)
	}
	login := alice.Open(g.url + "/auth/login?acr_values=urn%3Acognito%3Aloa%3A4&redirect_uri=%2Fconsole%2Fpeople")
	form, ok := login.Form("code")
	if !ok {
		t.Fatalf("the pool asks for no code: %s %s", login.URL, login.Body)
	}
	code, err := g.pool.AuthenticatorCode(g.pool.PoolID, "alice")
	if err != nil {
		t.Fatal(err)
	}
	if page := alice.Submit(login, form, map[string]string{"code": code}); page.URL.Path != "/console/people" {
		t.Fatalf("with a code: %s %s", page.URL, page.Body)
	}
	if page := g.signBobOut(alice); page.Status != http.StatusOK || !strings.Contains(page.Body, "1 session has ended") || g.signedIn(bob) {
		t.Errorf("with a code: %d, bob is signed in: %t\n%s", page.Status, g.signedIn(bob), page.Body)
	}
	g.logged("operator acted", `"outcome":"done"`)
	g.end()
}

// TestS760_ConsoleAsksForARecentSignIn: an operator whose sign-in is older than max_age is
// refused, with nothing done, until they have signed in again.
func TestS760_ConsoleAsksForARecentSignIn(t *testing.T) {
	g, alice, bob := stepUpGate(t, "max_age: 3s")
	// The first tries may be in time. They are on somebody who has no session to lose.
	act := func() *codegranttest.Page {
		page := alice.Open(g.url + "/console/person?pool=default&sub=nobody")
		for _, form := range page.Forms {
			if form.Values.Get("do") == "everywhere" {
				return alice.Submit(page, form, nil)
			}
		}
		t.Fatalf("no button: %d %s", page.Status, page.Body)
		return nil
	}
	var refused *codegranttest.Page
	g.until("the sign-in is too old", func() bool {
		refused = act()
		return refused.Status == http.StatusUnauthorized
	})
	if !strings.Contains(refused.Header.Get("WWW-Authenticate"), `max_age="3"`) {
		t.Errorf("what is asked for: %q", refused.Header.Get("WWW-Authenticate"))
	}
	if page := g.signBobOut(alice); page.Status != http.StatusUnauthorized || !g.signedIn(bob) {
		t.Errorf("too old: %d, bob is signed in: %t", page.Status, g.signedIn(bob))
	}
	deadline := time.Now().Add(time.Minute)
	for g.signedIn(bob) {
		if time.Now().After(deadline) {
			t.Fatal("signed in again, and never in time")
		}
		// As the page says that a pool is asked which does not ask by itself.
		login := alice.Open(g.url + "/auth/login?max_age=3&prompt=login&redirect_uri=%2Fconsole%2Fpeople")
		form, ok := login.Form("password")
		if !ok {
			t.Fatalf("the pool asks for nothing: %s %s", login.URL, login.Body)
		}
		alice.Submit(login, form, map[string]string{"username": "alice@example.com", "password": codegranttest.Password})
		g.signBobOut(alice)
	}
	g.logged("operator acted", `"outcome":"done"`, `"sessions":1`)
	g.end()
}
