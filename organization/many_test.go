package organization_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/codegranttest"
)

// TestS729_ManyOrganizations: of 10,000, a person is in 200. Their pages show 100 at a time, their
// cookies are as small as anybody's, and they switch to the last one.
func TestS729_ManyOrganizations(t *testing.T) {
	s := newSite(t)
	alice, aliceID := s.signIn(t, "alice@example.com")
	bob, _ := s.signIn(t, "bob@example.com")
	tx, err := s.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 10_000 {
		id := fmt.Sprintf("org_%05d", n)
		_, err := tx.ExecContext(t.Context(), "INSERT INTO codegrant_organizations (id, name, created, updated) VALUES (?, ?, 1, 1)", id, "Company "+id)
		if err == nil && n%50 == 0 {
			_, err = tx.ExecContext(t.Context(), "INSERT INTO codegrant_organization_members (organization_id, user_id, role, since, added_by) VALUES (?, ?, 'member', 1, 'a test')", id, aliceID)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	path := "/auth/organization"
	for range 2 {
		page := s.sees(t, alice, path, http.StatusOK, "Company org_")
		if len(page.Body) > 200<<10 {
			t.Errorf("%s has %d bytes", path, len(page.Body))
		}
		for _, f := range page.Forms {
			if id := f.Values.Get("organization"); id != "" {
				seen[id] = true
			}
		}
		if n := strings.Count(page.Body, "<li>"); n > 100 {
			t.Errorf("%s lists %d", path, n)
		}
		path = "/auth/organization?from=100"
	}
	if len(seen) != 200 {
		t.Errorf("%d are listed", len(seen))
	}
	for _, path := range []string{"?from=-1", "?from=1000000", "?from=x"} {
		s.sees(t, alice, "/auth/organization"+path, http.StatusOK, "Your organizations")
	}
	status, body := s.asks(t, alice, "POST", "/auth/organization", url.Values{"organization": {"org_09950"}})
	if all, _ := body["organizations"].([]any); status != http.StatusOK || len(all) != 200 {
		t.Errorf("%d, %d organizations", status, len(all))
	}
	began := time.Now()
	s.sees(t, alice, "/company", http.StatusOK, "from Company org_09950 as member")
	t.Logf("a request of a person in 200 organizations of 10,000 took %v", time.Since(began).Round(100*time.Microsecond))
	at, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	size := func(b *codegranttest.Browser) (n int) {
		for _, c := range b.Client.Jar.Cookies(at) {
			n += len(c.Name) + len(c.Value)
		}
		return n
	}
	if of, than := size(alice), size(bob); of != than {
		t.Errorf("her cookies have %d bytes, and those of somebody in none %d", of, than)
	}
}

// TestS729_AStepUpKeepsTheOrganization: a person who signs in again in the same browser acts for
// the organization that they chose before. Another browser does not, and neither does somebody else
// in the same one.
func TestS729_AStepUpKeepsTheOrganization(t *testing.T) {
	s := newSite(t)
	alice, aliceID := s.signIn(t, "alice@example.com")
	_, bobID := s.signIn(t, "bob@example.com")
	acme, other := s.create(t, "Acme"), s.create(t, "Other")
	for _, person := range []int64{aliceID, bobID} {
		s.set(t, acme, person, "admin")
		s.set(t, other, person, "member")
	}
	if status, _ := s.asks(t, alice, "POST", "/auth/organization", url.Values{"organization": {other.ID}}); status != http.StatusOK {
		t.Fatal(status)
	}
	again := func(b *codegranttest.Browser, who string) {
		t.Helper()
		b.SignIn(s.url+"/auth/login?prompt=login&redirect_uri=%2F", who, codegranttest.Password)
	}
	again(alice, "alice@example.com")
	s.sees(t, alice, "/company", http.StatusOK, "from Other as member")
	elsewhere, _ := s.signIn(t, "alice@example.com")
	s.sees(t, elsewhere, "/company", http.StatusForbidden, "")
	again(alice, "bob@example.com")
	s.sees(t, alice, "/", http.StatusOK, "Welcome")
	s.sees(t, alice, "/company", http.StatusForbidden, "")
}
