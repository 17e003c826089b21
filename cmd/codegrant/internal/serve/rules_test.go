package serve

import (
	"strings"
	"testing"

	"github.com/codegrant/codegrant/codegranttest"
)

// TestS662_SignInsByAddress: whom a pool's rule refuses gets a page that says so and no
// session; the log has the reason, and no address.
func TestS662_SignInsByAddress(t *testing.T) {
	g := newGate(t, "    allow_emails: alice@EXAMPLE.com\n    allow_email_domains: partner.example\n"+oneUpstream)
	g.start()
	g.pool.AddUser("carol", "carol@partner.example")
	if page := codegranttest.NewBrowser(t).SignIn(g.url+"/orders", "alice@example.com", codegranttest.Password); page.Status != 200 {
		t.Fatalf("alice: %d %s", page.Status, page.Body)
	}
	if page := codegranttest.NewBrowser(t).SignIn(g.url+"/orders", "carol@partner.example", codegranttest.Password); page.Status != 200 {
		t.Errorf("carol: %d %s", page.Status, page.Body)
	}
	browser := codegranttest.NewBrowser(t)
	page := browser.SignIn(g.url+"/orders", "bob@example.com", codegranttest.Password)
	if page.Status/100 != 4 || !strings.Contains(page.Body, "may not use this service") {
		t.Errorf("bob: %d %s", page.Status, page.Body)
	}
	if status, body := g.get(browser.Client, "/auth/user"); status != 401 {
		t.Errorf("bob has a session: %d %s", status, body)
	}
	if log := g.log.String(); !strings.Contains(log, "neither the e-mail address nor its domain is allowed") || strings.Contains(log, "bob@example.com") {
		t.Errorf("the log:\n%s", log)
	}
}
