package settings

import (
	"strings"
	"testing"
)

const peopled = `base_url: https://app.example.com
pools:
  - {id: eu-west-1_Ab12Cd34E, domain: acme.auth.eu-west-1.amazoncognito.com, client_id: c1}
group_hierarchy: {admins: editors}
roles:
  publisher: {any_groups: [editors, press], scopes: site/write}
  auditor: {groups: auditors}
routes:
  - {path: /e, groups: editors}
  - {path: /p, roles: publisher}
  - {path: /any, any_roles: [auditor, publisher]}
  - {path: /r, roles: auditor, allow_email_domains: example.com, read_only_for_others: true}
  - {path: /m, allow_emails: carol@partner.example, allow_email_domains: "*.example.org"}
  - {path: /n, networks: [10.0.0.0/8, 192.0.2.7]}
tests:
`

// TestS660_RulesOfTheFile decide, and say why.
func TestS660_RulesOfTheFile(t *testing.T) {
	load(t, write(t, peopled+`  - {as: a, groups: admins, requests: [/e, /e/x], expect: pass}
  - {as: a, groups: auditors, requests: [/e, /p], expect: forbidden}
  - {as: a, groups: admins, requests: /p, expect: forbidden}
  - {as: a, groups: admins, scopes: site/write, requests: [/p, /any], expect: pass}
  - {as: a, groups: auditors, requests: /any, expect: pass}
  - {as: a@example.com, groups: auditors, requests: [GET /r, POST /r], expect: pass}
  - {as: a@example.com, requests: GET /r, expect: pass}
  - {as: a@example.com, requests: POST /r, expect: forbidden}
  - {as: a@example.net, groups: auditors, requests: [GET /r, POST /r], expect: forbidden}
  - {as: carol@partner.example, requests: /m, expect: pass}
  - {as: carol@PARTNER.example, requests: /m, expect: pass}
  - {as: carol@partner.example, email_verified: false, requests: /m, expect: forbidden}
  - {as: x@a.example.org, requests: /m, expect: pass}
  - {as: x@example.org, requests: /m, expect: forbidden}
  - {as: x, requests: /m, expect: forbidden}
  - {as: x, from: 10.1.2.3, requests: /n, expect: pass}
  - {as: x, from: "::ffff:192.0.2.7", requests: /n, expect: pass}
  - {as: x, from: 192.0.2.8, requests: /n, expect: forbidden}
  - {as: x, requests: /n, expect: forbidden}
  - {from: 10.1.2.3, requests: /n, expect: sign_in}
`, nil), nil)
	s := load(t, write(t, strings.TrimSuffix(peopled, "tests:\n"), nil), nil)
	for request, want := range map[string]string{
		"/m": "neither the e-mail address nor its domain is allowed", "/n": "X-Forwarded-For", "/p": "it asks for group editors or admins or press",
	} {
		e, err := s.Explain(Question{Request: request, As: "bob@example.net"})
		if err != nil || len(e.Asked) == 0 || !strings.Contains(e.Asked[0].Why, want) {
			t.Errorf("%s: %+v %v", request, e, err)
		}
	}
}

// TestS660_FaultsOfRulesInTheFile are told with their lines.
func TestS660_FaultsOfRulesInTheFile(t *testing.T) {
	for text, want := range map[string]string{
		"group_hierarchy: {a: b, b: a}\n":                               `:4: group_hierarchy: "a" includes itself`,
		"roles: {r: {groups: [g, \"\"]}}\n":                             ":4: roles.r.groups[1]: it is empty",
		"roles:\n  r: {}\n":                                             ":5: roles.r: ",
		"routes: [{path: /a, roles: r}]\n":                              `routes[0].roles: there is no role "r"`,
		"routes: [{path: /a, any_roles: [r, s]}]\n":                     `routes[0].any_roles[1]: there is no role "s"`,
		"routes: [{path: /a, allow_emails: alice}]\n":                   `routes[0].allow_emails: "alice" is not an e-mail address`,
		"routes: [{path: /a, allow_email_domains: [a.example, com]}]\n": `routes[0].allow_email_domains[1]: "com" is not a domain`,
		"routes: [{path: /a, networks: [10.0.0.1/8]}]\n":                `routes[0].networks[0]: "10.0.0.1/8" is an address within a network`,
		"routes: [{path: /a, networks: []}]\n":                          "routes[0].networks: the list is empty",
		"routes: [{path: /a, public: true, networks: 10.0.0.0/8}]\n":    "routes[0].public: a public route has no permissions",
		"tests: [{from: here, requests: /, expect: pass}]\n":            "tests[0].from: it is not an IP address",
	} {
		_, err := Load(write(t, peopled[:strings.Index(peopled, "group_hierarchy")]+text, nil), Options{Lookup: environment(nil), Keys: processKeys})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want %s, got %v", text, want, err)
		}
	}
	_, err := Load(write(t, strings.Replace(peopled[:strings.Index(peopled, "group_hierarchy")], "client_id: c1", "client_id: c1, allow_emails: x", 1), nil), Options{Lookup: environment(nil), Keys: processKeys})
	if err == nil || !strings.Contains(err.Error(), `pools[0].allow_emails: "x" is not an e-mail address`) {
		t.Error(err)
	}
}
