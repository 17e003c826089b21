package serve

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/codegranttest"
)

// TestS738_OrganizationsThroughTheGateway: a person acts for the organisation that
// their session has chosen, and the service hears which; what a client says of itself does
// not count. A member who is removed is refused with the next request.
func TestS738_OrganizationsThroughTheGateway(t *testing.T) {
	g := newGate(t, `
database: sqlite:app.db
replica: true
organizations: {roles: [admin, member]}
routes:
  - {path: /, upstream: "${UP}"}
  - {path: /work, upstream: "${UP}", organization: true}
  - {path: /invoices, upstream: "${UP}", organization_roles: admin}
`)
	g.start()
	alice := codegranttest.NewBrowser(t)
	if page := alice.SignIn(g.url+"/", "alice@example.com", codegranttest.Password); page.Status != 200 {
		t.Fatalf("%d %s", page.Status, page.Body)
	}
	open, err := parts.OpenStores(g.settings())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { open.Close() })
	orgs, err := open.DB.OrganizationStore(g.settings().Organizations)
	if err != nil {
		t.Fatal(err)
	}
	row, err := open.Users.UserByUsername(t.Context(), g.settings().Pools[0].Issuer, "alice")
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	for name, role := range map[string]string{"Acme": "admin", "Bolt": "member"} {
		o, err := orgs.Create(t.Context(), name, "a test")
		if err != nil {
			t.Fatal(err)
		}
		if err := orgs.Set(t.Context(), o.ID, row.ID, role, "a test"); err != nil {
			t.Fatal(err)
		}
		ids[name] = o.ID
	}
	ask := func(path string) (status int, organization, role string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Auth-Organization", ids["Acme"])
		r.Header.Set("X-Auth-Organization-Role", "admin")
		answer, err := alice.Client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		_, _ = io.Copy(io.Discard, answer.Body)
		if answer.StatusCode != 200 {
			return answer.StatusCode, "", ""
		}
		h := <-g.saw
		return 200, h.Get("X-Auth-Organization"), h.Get("X-Auth-Organization-Role")
	}
	choose := func(id string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+"/auth/organization", strings.NewReader(url.Values{"organization": {id}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Accept", "application/json")
		r.Header.Set("Origin", g.url)
		answer, err := alice.Client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	want := func(when, path string, status int, organization, role string) {
		t.Helper()
		if s, o, r := ask(path); s != status || o != organization || r != role {
			t.Errorf("%s, %s: %d, %q as %q, want %d, %q as %q", when, path, s, o, r, status, organization, role)
		}
	}
	want("nothing is chosen", "/", 200, "", "")
	want("nothing is chosen", "/work", 403, "", "")
	if status := choose(ids["Bolt"]); status != 200 && status != 204 {
		t.Errorf("choose: %d", status)
	}
	want("a member of Bolt", "/work", 200, ids["Bolt"], "member")
	want("a member of Bolt", "/invoices", 403, "", "")
	choose(ids["Acme"])
	want("an admin of Acme", "/invoices", 200, ids["Acme"], "admin")
	if status := choose("org_of_somebody_else"); status < 400 || status > 404 {
		t.Errorf("choose one that she is not in: %d", status)
	}
	want("afterwards", "/invoices", 200, ids["Acme"], "admin")

	// The last manager stays, so somebody else becomes one.
	codegranttest.NewBrowser(t).SignIn(g.url+"/", "bob@example.com", codegranttest.Password)
	bob, err := open.Users.UserByUsername(t.Context(), row.Issuer, "bob")
	if err != nil {
		t.Fatal(err)
	}
	if err := orgs.Set(t.Context(), ids["Acme"], bob.ID, "admin", "a test"); err != nil {
		t.Fatal(err)
	}
	if err := orgs.Remove(t.Context(), ids["Acme"], row.ID, "a test"); err != nil {
		t.Fatal(err)
	}
	want("removed from Acme", "/invoices", 403, "", "")
	want("until she chooses", "/work", 403, "", "")
	choose(ids["Bolt"])
	want("she is in Bolt alone", "/work", 200, ids["Bolt"], "member")
}
