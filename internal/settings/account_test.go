package settings

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/account"
)

// TestAccountPages: one line turns the pages on, where the pool's scopes let them do
// anything; faults have their lines.
func TestAccountPages(t *testing.T) {
	const scopes = "    scopes: [openid, " + account.Scope + "]\n"
	with := func(lines string) string {
		return "base_url: https://app.example.com\npools:\n  - id: eu-west-1_Ab12Cd34E\n    domain: acme.auth.eu-west-1.amazoncognito.com\n    client_id: c1\n" + lines
	}
	if s := load(t, write(t, with(""), nil), nil); s.Pools[0].Account != nil {
		t.Error("pages that nobody has asked for")
	}
	if s := load(t, write(t, with("    account: false\n"), nil), nil); s.Pools[0].Account != nil {
		t.Error("pages that are turned off")
	}
	s := load(t, write(t, with(scopes+"    account: true\n"), nil), nil)
	if c := s.Pools[0].Account; c == nil || c.Prefix != "/auth" || c.Pool != s.Pools[0].Config.Pool || c.Attributes != nil {
		t.Fatalf("%+v", c)
	}
	s = load(t, write(t, with(scopes+"    account: {attributes: [email, {name: \"custom:team\", label: Team, read_only: true}], hide: delete, sign_in_within: 5m, name: Shop, link_identities: true}\nreplica: true\ndatabase: sqlite:app.db\n"), nil), nil)
	c := s.Pools[0].Account
	if c == nil || !slices.Equal(c.Attributes, []account.Attribute{{Name: "email"}, {Name: "custom:team", Label: "Team", ReadOnly: true}}) ||
		!slices.Equal(c.Hide, []account.Page{account.DeletionPage}) || c.SignInWithin != 5*time.Minute || c.Name != "Shop" || !c.LinkIdentities {
		t.Errorf("%+v", c)
	}
	for lines, want := range map[string]string{
		"    account: true\n":                                "account pages need the scope aws.cognito.signin.user.admin",
		scopes + "    account: {hide: profile}\n":            "account.hide: \"profile\" is not one of",
		scopes + "    account: {sign_in_within: 2s}\n":       "account.sign_in_within: 2s is not between",
		scopes + "    account: {attributes: [sub]}\n":        "account.attributes: nobody can write sub",
		scopes + "    account: {attributes: [name, name]}\n": "account.attributes: name is there twice",
		scopes + "    account: {attributes: [\"a b\"]}\n":    "account.attributes: \"a b\" is not a name",
		scopes + "    account: {paint: blue}\n":              "paint",
		scopes + "    account: {link_identities: true}\n":    "account.link_identities: people are linked in the replica",
	} {
		if got := faultsOf(t, with(lines)); len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("%s: %q, want %q", lines, got, want)
		}
	}
}
