package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/replica/sqlreplica"
)

// mergedPeople: somebody has two accounts, which an operator makes one person. Whichever they
// sign in with, Go says one account; the package looks at no link, and with the class of
// examples/django it lets nobody in as somebody else.
func mergedPeople(t *testing.T, p *packaged, users *sqlreplica.Store) {
	p.pool.AddUser("nadia", "nadia@example.com", "readers")
	p.pool.AddUser("nadia.work", "nadia@work.example.com", "writers")
	type answer struct {
		ID     int64    `json:"id"`
		Groups []string `json:"groups"`
	}
	ask := func(b *codegranttest.Browser, base string) (status int, who answer) {
		t.Helper()
		status, _, body := p.ask(b, "GET", base+"/api/me")
		if status == 200 {
			if err := json.Unmarshal([]byte(body), &who); err != nil {
				t.Fatal(err)
			}
		}
		return status, who
	}
	signedIn := func(email string) *codegranttest.Browser {
		t.Helper()
		b := p.client()
		b.SignIn(goURL+"/auth/login/?redirect_uri=/", email, codegranttest.Password)
		return b
	}
	is := func(what string, b *codegranttest.Browser, base string, id int64, groups string) {
		t.Helper()
		if status, who := ask(b, base); status != 200 || who.ID != id || strings.Join(who.Groups, " ") != groups {
			t.Errorf("%s, %s says %d, %+v; want account %d in %q", what, base, status, who, id, groups)
		}
	}
	home, work := signedIn("nadia@example.com"), signedIn("nadia@work.example.com")
	_, person := ask(home, goURL)
	_, identity := ask(work, goURL)
	if person.ID == 0 || identity.ID == 0 || person.ID == identity.ID {
		t.Fatalf("before: %+v and %+v", person, identity)
	}
	is("before", home, djangoURL, person.ID, "readers")
	is("before", work, djangoURL, identity.ID, "writers")

	if _, err := users.Merge(t.Context(), identity.ID, person.ID, "an operator"); err != nil {
		t.Fatal(err)
	}
	within(t, "Go says who the person is", func() bool { _, who := ask(work, goURL); return who.ID == person.ID })
	is("signed in with their own account", signedIn("nadia@example.com"), goURL, person.ID, "readers")
	work = signedIn("nadia@work.example.com")
	is("signed in with the other account", work, goURL, person.ID, "writers")
	is("with their own account", home, djangoURL, person.ID, "readers")
	is("the package looks at neither link nor is_active", work, djangoURL, identity.ID, "writers")

	env := p.env
	p.env = append(slices.Clone(env), "AUTHENTICATION=accounts.Authentication")
	refusing := p.serve()
	p.env = env
	p.mu.Lock()
	before := p.hosts[djangoHost]
	p.hosts[djangoHost] = refusing
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.hosts[djangoHost] = before
	}()
	p.exec(`DELETE FROM auth_user_groups WHERE user_id = (SELECT id FROM auth_user WHERE email = 'nadia@work.example.com')`)
	status, body := p.me(work)
	wants(t, status, body, 403, "turned off")
	if groups := p.groupsOf("nadia@work.example.com"); groups != "" {
		t.Errorf("the refused sign-in wrote the groups %q", groups)
	}
	is("with the class, by their own account", home, djangoURL, person.ID, "readers")
	is("after it", work, goURL, person.ID, "writers")

	if _, err := users.Unlink(t.Context(), identity.ID); err != nil {
		t.Fatal(err)
	}
	work = signedIn("nadia@work.example.com")
	is("unlinked", work, goURL, identity.ID, "writers")
	is("unlinked", work, djangoURL, identity.ID, "writers")
	is("unlinked", home, djangoURL, person.ID, "readers")
}
