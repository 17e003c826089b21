package serve

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/organization"
)

// TestConsoleOfOrganizations: an operator of the gateway makes an organization, changes a
// member's role and removes them: it holds with the member's next request. What cannot be done is
// said, and each action is in the log. Messages that were given up are sent again.
func TestConsoleOfOrganizations(t *testing.T) {
	secret := "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	g := newGate(t, strings.Replace(consoled, "routes:\n", "organizations: {smtp: {url: \"smtp://127.0.0.1:1\", from: no-reply@example.com}}\nwebhooks: {crm: {url: \"http://127.0.0.1:1/\", secret: "+secret+"}}\nroutes:\n  - {path: /work, upstream: \"${UP}\", organization: true}\n  - {path: /invoices, upstream: \"${UP}\", organization_roles: admin}\n", 1))
	g.writeFile("keys", newSealingKey())
	g.start()
	alice := g.operator()
	bob := codegranttest.NewBrowser(t)
	bob.SignIn(g.url+"/", "bob@example.com", codegranttest.Password)
	open, err := parts.OpenStores(g.settings())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { open.Close() })
	orgs, err := open.DB.OrganizationStore(g.settings().Organizations, nil)
	if err != nil {
		t.Fatal(err)
	}
	act := func(page string, form url.Values, status int) (to string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+"/console/"+page+"/act", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"text/html"}, "Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Mode": {"navigate"}, "Origin": {g.url}}
		stay := *alice
		stay.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		answer, err := stay.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != status {
			t.Fatalf("%v: %d, want %d; %s", form, answer.StatusCode, status, g.log)
		}
		return answer.Header.Get("Location")
	}
	to := act("organizations", url.Values{"do": {"create"}, "name": {"Acme"}}, http.StatusSeeOther)
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	acme := u.Query().Get("id")
	member := func(email, role string) string {
		t.Helper()
		all, err := open.Users.UsersByEmail(t.Context(), g.settings().Pools[0].Issuer, email)
		if err == nil && len(all) == 1 {
			err = orgs.Set(t.Context(), acme, all[0].ID, role, "a test")
		}
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		return strconv.FormatInt(all[0].ID, 10)
	}
	bobID := member("bob@example.com", "admin")
	sees := func(path string, status int) {
		t.Helper()
		if got, _ := g.get(bob.Client, path); got != status {
			t.Errorf("bob gets %d at %s, want %d", got, path, status)
		}
	}
	sees("/invoices", 200)
	role := url.Values{"do": {"role"}, "id": {acme}, "person": {bobID}, "role": {"member"}}
	act("organizations", role, http.StatusConflict) // nobody else manages
	sees("/invoices", 200)
	member("alice@example.com", "admin")
	act("organizations", role, http.StatusSeeOther)
	sees("/invoices", 403)
	sees("/work", 200)
	_, page := g.get(alice, "/console/organization?id="+acme)
	for _, want := range []string{"Acme", "bob@example.com", "alice@example.com", "/console/person?pool=default", "Send the invitation"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q: %s", want, page)
		}
	}
	asks := func(organization, path, want string) {
		t.Helper()
		_, page := g.get(alice, "/console/ask?"+url.Values{"who": {"bob@example.com"}, "method": {"GET"}, "url": {path}, "organization": {organization}}.Encode())
		if !strings.Contains(page, want) {
			t.Errorf("as %q at %s, no %q: %s", organization, path, want, page)
		}
	}
	const passes, refused = `<span class="level good">Yes</span>`, `<span class="level bad">No</span>`
	asks("", "/work", passes)
	asks("", "/work", "acting for Acme as member")
	asks("", "/invoices", refused)
	asks("Bolt", "/work", "is not in the organization Bolt")
	bolt, err := orgs.Create(t.Context(), "Bolt", "a test")
	if err != nil {
		t.Fatal(err)
	}
	id, _ := strconv.ParseInt(bobID, 10, 64)
	if err := orgs.Set(t.Context(), bolt.ID, id, "admin", "a test"); err != nil {
		t.Fatal(err)
	}
	asks("", "/work", refused)
	asks("", "/work", "The person is in 2 organizations")
	asks("Bolt", "/invoices", passes)
	asks(acme, "/invoices", refused)
	if err := orgs.Delete(t.Context(), bolt.ID, "a test"); err != nil {
		t.Fatal(err)
	}
	act("organizations", url.Values{"do": {"remove"}, "id": {acme}, "person": {bobID}}, http.StatusSeeOther)
	sees("/work", 403)
	act("organizations", url.Values{"do": {"remove"}, "id": {acme}, "person": {bobID}}, http.StatusNotFound)
	act("organizations", url.Values{"do": {"invite"}, "id": {acme}, "email": {"carol@example.com"}, "role": {"owner"}}, http.StatusConflict)
	act("organizations", url.Values{"do": {"invite"}, "id": {acme}, "email": {"carol@example.com"}, "role": {"member"}}, http.StatusServiceUnavailable) // the mail server does not answer
	var waiting []organization.Invitation
	if waiting, err = orgs.Invitations(t.Context(), acme); err != nil || len(waiting) != 1 {
		t.Fatal(waiting, err)
	}
	act("organizations", url.Values{"do": {"revoke"}, "id": {acme}, "invitation": {waiting[0].ID}}, http.StatusSeeOther)
	act("organizations", url.Values{"do": {"delete"}, "id": {acme}}, http.StatusSeeOther)
	if status, _ := g.get(alice, "/console/organization?id="+acme); status != http.StatusNotFound {
		t.Errorf("it is there still: %d", status)
	}
	for _, action := range []string{"create", "role", "remove", "invite", "revoke", "delete"} {
		g.logged("operator acted", "organization "+action)
	}
	if strings.Contains(g.log.String(), "carol@") {
		t.Error("an address is in the log")
	}

	if _, err := open.DB.ExecContext(t.Context(), "INSERT INTO codegrant_webhooks (endpoint, person, message, type, issuer, subject, body, created, attempts, due, held_until, claim, failure, died) "+
		"VALUES ('crm', 'p', 'msg_1', 'user.updated', 'i', 'sub-of-somebody', '{}', 1, 11, 1, 0, '', 'answered 500', 7)"); err != nil {
		t.Fatal(err)
	}
	if _, page := g.get(alice, "/console/webhooks"); !strings.Contains(page, "sub-of-somebody") || !strings.Contains(page, "answered 500") {
		t.Errorf("%s", page)
	}
	if to := act("webhooks", url.Values{"do": {"resend"}, "endpoint": {"crm"}, "message": {"1"}}, http.StatusSeeOther); !strings.HasSuffix(to, "n=1") {
		t.Errorf("%s", to)
	}
	if to := act("webhooks", url.Values{"do": {"resend"}, "endpoint": {"crm"}, "message": {"1"}}, http.StatusSeeOther); !strings.HasSuffix(to, "n=0") {
		t.Errorf("a message that waits: %s", to)
	}
}
