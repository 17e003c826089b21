package settings

import (
	"strings"
	"testing"
)

// TestOrganizations: they are a few lines, and what is wrong is said at its line.
func TestOrganizations(t *testing.T) {
	const (
		before = "  - {path: /, upstream: \"http://127.0.0.1:1\", organization_roles: [owner]}\ndatabase: sqlite:app.db\nreplica: true\n"
		own    = "organizations:\n  roles: [owner, guest]\n  invitation_valid: 24h\n  create_users: true\n  smtp: {url: \"smtp://mailer:hunter2@mail.example.com\", from: Example <no-reply@example.com>}\n"
	)
	s := load(t, write(t, ruledPool+before+own, nil), nil)
	if o := s.Organizations; o == nil || o.Roles[0] != "owner" || o.Valid.Hours() != 24 || len(o.CreateUsers) != 1 || o.CreateUsers[0] != "customers" || o.SMTP.Address != "mail.example.com:587" || o.SMTP.Plain || o.SMTP.TLS || o.SMTP.User != "mailer" || o.SMTP.Password.Reveal() != "hunter2" {
		t.Errorf("%+v", s.Organizations)
	}
	if got := s.Routes[0].Permissions; len(got) != 1 || got[0].String() != "organization role owner" {
		t.Errorf("%v", got)
	}
	s = load(t, write(t, ruledPool+strings.Replace(before, "organization_roles: [owner]", "organization: true", 1)+"organizations: true\n", nil), nil)
	if o := s.Organizations; o == nil || o.Roles[0] != "admin" || o.SMTP != nil || s.Routes[0].Permissions[0].String() != "organization" {
		t.Errorf("%+v", s.Organizations)
	}
	for more, want := range map[string]string{
		before: "organization_roles: there are no organizations",
		strings.Replace(before, "replica: true\n", "sessions: database\nkeys: [AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=]\n", 1) + own: "organizations: organizations need the replica",
		before + strings.Replace(own, "[owner, guest]", "[Owner]", 1):                                                                     "organizations.roles: \"Owner\" is not of small letters",
		before + strings.Replace(own, "[owner, guest]", "[guest]", 1):                                                                     "organization_roles: there is no role \"owner\"",
		before + strings.Replace(own, "create_users: true", "create_users: [customers, staff]", 1):                                        "organizations.create_users: there is no pool \"staff\"",
		before + strings.Replace(own, "create_users: true", "create_users: [customers, customers]", 1):                                    "organizations.create_users: \"customers\" is there twice",
		before + strings.Replace(own, "24h", "24m", 1):                                                                                    "organizations.invitation_valid: it is not between",
		before + strings.Replace(own, "smtp://", "http://", 1):                                                                            "organizations.smtp.url: it is not of the form",
		before + strings.Replace(own, ", from: Example <no-reply@example.com>", "", 1):                                                    "organizations.smtp.from: it is not an address",
		before + strings.Replace(own, "roles:", "role:", 1):                                                                               "organizations.role",
		strings.Replace(before, "organization_roles", "machines: true, scopes: [a/b], organization_roles", 1) + own:                       "machines: machines act for no organization",
	} {
		if got := strings.Join(faultsOf(t, ruledPool+more), "\n"); !strings.Contains(got, want) || strings.Contains(got, "hunter2") {
			t.Errorf("%s: %q, want %q", more, got, want)
		}
	}
}

// TestCreateUsersNamesPools: where there are several, true does not say which.
func TestCreateUsersNamesPools(t *testing.T) {
	several := func(value string) string {
		return `base_url: https://app.example.com
pools:
  - {name: customers, id: eu-west-1_Ab12Cd34E, domain: acme.auth.eu-west-1.amazoncognito.com, client_id: "1"}
  - {name: staff, id: eu-west-1_Ab12Cd34F, domain: staff.auth.eu-west-1.amazoncognito.com, client_id: "2", hosts: [ops.example.com], base_url: "https://ops.example.com"}
routes: [{path: /, upstream: "http://127.0.0.1:1"}]
database: sqlite:app.db
replica: true
organizations: {create_users: ` + value + "}\n"
	}
	for value, want := range map[string]string{"false": "", "customers": "customers", "[customers]": "customers", "[customers, staff]": "customers staff"} {
		if got := strings.Join(load(t, write(t, several(value), nil), nil).Organizations.CreateUsers, " "); got != want {
			t.Errorf("%s: %q, want %q", value, got, want)
		}
	}
	if got := strings.Join(faultsOf(t, several("true")), "\n"); !strings.Contains(got, "organizations.create_users: there are several pools; name those") {
		t.Errorf("true: %q", got)
	}
}

// TestEmailProviders: the domain of an address chooses where its people sign in.
func TestEmailProviders(t *testing.T) {
	with := func(lines string) string {
		return strings.Replace(ruledPool, "client_id:", "email_providers: "+lines+", client_id:", 1)
	}
	text := with("{acme.example: AcmeSAML, other.example: {identifier: other}}")
	if text == ruledPool {
		t.Fatal("the configuration of the tests has another form")
	}
	s := load(t, write(t, text+"  - {path: /, upstream: \"http://127.0.0.1:1\"}\n", nil), nil)
	choose := s.Pools[0].Config.ProviderFor
	if name, identifier := choose("ann@acme.example"); name != "AcmeSAML" || identifier != "" {
		t.Errorf("%q, %q", name, identifier)
	}
	if name, identifier := choose("ann@other.example"); name != "" || identifier != "other" {
		t.Errorf("%q, %q", name, identifier)
	}
	for lines, want := range map[string]string{
		"{acme: AcmeSAML}": "is not a domain", "{acme.example: {name: a, identifier: b}}": "one of the two", "{acme.example: {}}": "one of the two",
	} {
		if got := strings.Join(faultsOf(t, with(lines)+"  - {path: /, upstream: \"http://127.0.0.1:1\"}\n"), "\n"); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", lines, got, want)
		}
	}
}
