package settings

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/broker"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/mcp"
)

const ruledPool = `base_url: https://app.example.com
pools:
  - {name: customers, id: eu-west-1_Ab12Cd34E, domain: acme.auth.eu-west-1.amazoncognito.com, client_id: c1}
routes:
`

// TestS226_WiderRoutesWithAHost: a rule that does not hold on one host is told of.
func TestS226_WiderRoutesWithAHost(t *testing.T) {
	for _, tt := range []struct {
		name, routes string
		want         string // of the warning; empty: none
	}{
		{"wider", "  - {host: b.example.com, public: true}\n  - {path: /admin, groups: admins}\n", ":5: routes[0]: a route with a host goes before one without: at b.example.com it takes the requests for /admin from routes[1] on line 6, and is public;"},
		{"the other order", "  - {path: /admin, groups: admins}\n  - {host: b.example.com}\n", ":6: routes[1]: a route with a host goes before one without: at b.example.com it takes the requests for /admin from routes[0] on line 5, and does not ask for group admins;"},
		{"a path of its own", "  - {host: b.example.com, path: /a, groups: staff}\n  - {path: /a/b, groups: [staff, admins], scopes: x/y}\n", "and does not ask for group admins, scope x/y;"},
		{"signed in is not public", "  - {host: b.example.com, public: true}\n  - {path: /admin}\n", "and is public;"},
		{"another one with the host is not enough", "  - {host: b.example.com}\n  - {host: b.example.com, path: /admin/x, groups: admins}\n  - {path: /admin, groups: admins}\n", "line 7"},
		{"exact is not enough", "  - {host: b.example.com}\n  - {host: b.example.com, path: /admin, exact: true, groups: admins}\n  - {path: /admin, groups: admins}\n", "line 7"},
		{"as strict", "  - {host: b.example.com, groups: [admins, x]}\n  - {path: /admin, groups: admins}\n", ""},
		{"said for the host", "  - {host: b.example.com}\n  - {host: B.example.com., path: /admin, groups: x}\n  - {path: /admin, groups: admins}\n", ""},
		{"no wider", "  - {host: b.example.com, path: /admin}\n  - {path: /admin, groups: admins}\n", ""},
		{"elsewhere", "  - {host: b.example.com, path: /adm}\n  - {path: /admin, groups: admins}\n", ""},
		{"narrower and open", "  - {host: b.example.com, groups: admins}\n  - {path: /open, public: true}\n", ""},
		{"no host", "  - {path: /}\n  - {path: /admin, groups: admins}\n", ""},
	} {
		s := load(t, write(t, ruledPool+tt.routes, nil), nil)
		got := ""
		for _, w := range s.Warnings {
			got += w.Error() + "\n"
		}
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) || strings.Count(got, "\n") > 1 {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// faultsOf are those of a configuration.
func faultsOf(t *testing.T, text string) (all []string) {
	t.Helper()
	_, err := Load(write(t, text, nil), Options{Lookup: environment(nil), Keys: processKeys})
	var found *Error
	if errors.As(err, &found) {
		for _, f := range found.Faults {
			all = append(all, strings.TrimPrefix(f.Error(), f.File))
		}
	} else if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestS227_TestsOfRules: a configuration whose rules do not decide as its tests say is
// wrong, at the line of the test.
func TestS227_TestsOfRules(t *testing.T) {
	routes := ruledPool + `  - {path: /, upstream: "http://127.0.0.1:1"}
  - {name: admin, path: /admin, groups: admins, upstream: "http://127.0.0.1:1"}
  - {path: /open, public: true, methods: GET}
  - {path: /orders, any_groups: [a, b], scopes: orders/read, read_only_for_others: true}
  - {host: only.example.com, path: /x}
  - {path: /pay, acr: "urn:cognito:loa:3", max_age: 15m, groups: payers, read_only_for_others: true}
tests:
`
	if got := faultsOf(t, routes+`
  - {requests: [GET https://app.example.com/, /admin, GET http://other.example.com/ADMIN, POST /orders], expect: sign_in}
  - {as: alice@example.com, groups: admins, requests: [/admin, /Admin, /admin.json, "DELETE /admin/x?y=/open"], expect: pass}
  - {as: alice@example.com, groups: admins, requests: /admin/x, expect: pass, route: admin, pool: customers}
  - {as: bob, requests: [/admin, /ADMIN, /admin.], expect: forbidden}
  - {as: bob, requests: [GET /orders, HEAD /orders], expect: pass}
  - {as: bob, groups: a, scopes: orders/read, requests: POST /orders, expect: pass}
  - {as: bob, groups: a, requests: POST /orders, expect: forbidden}
  - {requests: /open/x, expect: pass}
  - {requests: [POST /open, /a//b, /a%2fb, /../x, https://app.example.com../], expect: refused}
  - {requests: "/auth/login", expect: pass}
  - {as: bob, groups: payers, acr: "urn:cognito:loa:4", signed_in: 14m, requests: [GET /pay, POST /pay], expect: pass}
  - {as: bob, groups: payers, acr: "urn:cognito:loa:2", requests: [GET /pay, POST /pay], expect: sign_in}
  - {as: bob, groups: payers, acr: "urn:cognito:loa:3", signed_in: 16m, requests: POST /pay, expect: sign_in}
  - {as: bob, groups: payers, requests: /PAY, expect: sign_in}
  - {as: bob, acr: "urn:cognito:loa:1", requests: POST /pay, expect: forbidden}
  - {as: bob, acr: "urn:cognito:loa:1", requests: GET /pay, expect: sign_in}
`); got != nil {
		t.Errorf("good tests: %q", got)
	}
	for test, want := range map[string]string{
		"{as: bob, requests: /admin, expect: pass}":                                           ":12: tests[0].requests: /admin: expected pass, got forbidden by route admin: the person does not have group admins",
		"{as: bob, groups: admins, requests: [/, /x,\n    /admin], expect: forbidden}":        ":12: tests[0].requests[0]: /: expected forbidden, got pass by route /: the person is signed in",
		"{as: bob, acr: x, signed_in: 1h, groups: payers, requests: POST /pay, expect: pass}": ":12: tests[0].requests: POST /pay: expected pass, got sign_in by route /pay: the person is to sign in again, for level urn:cognito:loa:3 or higher and signed in within 15m",
		"{requests: /x, expect: sign_in, signed_in: 1h}":                                      ":12: tests[0].requests: groups, scopes, pool and actor need a person: set as",
		"{requests: /x, expect: sign_in, route: admin}":                                       ":12: tests[0].requests: /x: expected route admin, got route /",
		"{requests: /x}":                                             ":12: tests[0]: expect is missing: set pass, sign_in, forbidden, not_found or refused",
		"{requests: /x, expect: maybe}":                              ":12: tests[0].expect: it must be one of pass, sign_in, forbidden, not_found, refused",
		"{expect: pass}":                                             ":12: tests[0]: requests is missing: add requests such as GET https://app.example.com/admin",
		"{requests: x, expect: pass}":                                `:12: tests[0].requests: "x" is not of the form GET https://app.example.com/path`,
		"{requests: get /x, expect: pass}":                           `:12: tests[0].requests: "get /x" is not of the form GET https://app.example.com/path`,
		"{requests: /x, expect: sign_in, groups: admins}":            ":12: tests[0].requests: groups, scopes, pool and actor need a person: set as",
		"{as: bob, requests: /x, expect: pass, pool: staff}":         `:12: tests[0].requests: there is no pool "staff"`,
		"{as: bob, requests: /x, expects: pass}":                     ":12: tests[0]: expect is missing: set pass, sign_in, forbidden, not_found or refused",
		"{as: bob, requests: ftp://app.example.com/x, expect: pass}": `:12: tests[0].requests: "ftp://app.example.com/x" is not of the form GET https://app.example.com/path`,
	} {
		if got := faultsOf(t, routes+"  - "+test+"\n"); !slices.Contains(got, want) {
			t.Errorf("%s: %q, want %q", test, got, want)
		}
	}
}

// TestLevelsOfRoutes: a level that a pool does not have would let nobody pass.
func TestLevelsOfRoutes(t *testing.T) {
	for _, tt := range []struct{ name, pool, route, want string }{
		{"usual", "", "acr: urn:cognito:loa:4", ""},
		{"unknown", "", "acr: gold", ":5: routes[0].acr: pool customers has no such level"},
		{"in the pool's words", ", levels: [silver, gold]", "acr: gold", ""},
		{"no longer the usual", ", levels: [silver, gold]", "acr: urn:cognito:loa:1", ":5: routes[0].acr: pool customers has no such level"},
		{"twice", ", levels: [gold, gold]", "max_age: 1m", ":3: pools[0].levels: gold is there twice"},
		{"no level", ", levels: \"a b\"", "max_age: 1m", "cannot be a level"},
		{"less than a second", "", "max_age: 1500ms", ":5: routes[0].max_age: the pool counts whole seconds"},
		{"for everybody", "", "max_age: 1m, public: true", ":5: routes[0].public: a public route has no permissions"},
	} {
		text := strings.Replace(ruledPool, "client_id: c1", "client_id: c1"+tt.pool, 1)
		got := strings.Join(faultsOf(t, text+"  - {path: /, "+tt.route+"}\n"), "\n")
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	others := strings.Replace(strings.Replace(twoPools, "%s", ", levels: [silver, gold], hosts: app.example.com", 1), "%s", ", hosts: b.example.com, base_url: https://b.example.com", 1)
	if got := faultsOf(t, others+"  - {tenant: a, path: /a, acr: gold}\n  - {host: app.example.com, path: /b, acr: gold}\n  - {host: b.example.com, acr: urn:cognito:loa:2}\n"); got != nil {
		t.Errorf("%q", got)
	}
	if got := strings.Join(faultsOf(t, others+"  - {path: /, acr: gold}\n"), "\n"); !strings.Contains(got, "routes[0].acr: pool b has no such level") {
		t.Errorf("%q", got)
	}
}

const twoPools = `base_url: https://app.example.com
pools:
  - {name: a, id: eu-west-1_Ab12Cd34E, domain: acme.auth.eu-west-1.amazoncognito.com, client_id: c1%s}
  - {name: b, id: eu-west-1_Ef56Gh78I, domain: acme2.auth.eu-west-1.amazoncognito.com, client_id: c2, prefix: /staff%s}
routes:
`

// TestS228_RoutesOfTwoPools: where nothing says whose people a route is for, nothing
// starts.
func TestS228_RoutesOfTwoPools(t *testing.T) {
	const shared, others = ", hosts: [app.example.com, x.example.com]", ", hosts: b.example.com, base_url: https://b.example.com"
	for _, tt := range []struct{ name, a, b, routes, want string }{
		{"no hosts", "", "", "  - {path: /}\n", ":6: routes[0]: pools a and b answer for every other host, and nothing says whose people these are; add tenant:"},
		{"no hosts, a route with one", "", "", "  - {host: app.example.com}\n", "pools a and b answer for app.example.com"},
		{"one host", shared, shared, "  - {host: X.example.com}\n", "pools a and b answer for x.example.com"},
		{"one host among others", shared, shared, "  - {tenant: a, path: /a}\n  - {path: /}\n", ":7: routes[1]: pools a and b answer for app.example.com"},
		{"public, with an upstream that is told who asks", "", "", "  - {public: true, upstream: \"http://127.0.0.1:1\"}\n", "pools a and b"},
		{"named", "", "", "  - {path: /, tenant: a}\n  - {path: /b, tenant: b}\n", ""},
		{"hosts of their own", "", others, "  - {path: /}\n", ""},
		{"taken before", shared, shared, "  - {host: app.example.com, tenant: a}\n  - {host: x.example.com, tenant: b}\n  - {path: /}\n", ""},
		{"not all is taken before", shared, shared, "  - {host: app.example.com, tenant: a}\n  - {host: x.example.com, tenant: b, methods: GET}\n  - {path: /}\n", "pools a and b answer for x.example.com"},
		{"another host", shared, shared, "  - {host: y.example.com}\n", ""},
		{"files for everybody", "", "", "  - {public: true, files: .}\n", ""},
	} {
		text := strings.Replace(strings.Replace(twoPools, "%s", tt.a, 1), "%s", tt.b, 1)
		got := strings.Join(faultsOf(t, text+tt.routes), "\n")
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestExplain: a person of one pool is nobody to another one.
func TestExplain(t *testing.T) {
	text := strings.Replace(strings.Replace(twoPools, "%s", "", 1), "%s", ", hosts: b.example.com, base_url: https://b.example.com", 1) +
		"  - {path: /, upstream: \"http://127.0.0.1:1\"}\n  - {path: /staff-only, tenant: b, groups: staff}\n"
	s := load(t, write(t, text, nil), nil)
	for _, tt := range []struct {
		q    Question
		want gateway.Decision
		pool string
	}{
		{Question{Request: "/", As: "alice", Pool: "a"}, gateway.Passed, "a"}, {Question{Request: "/", As: "bob", Pool: "b"}, gateway.Unauthorized, "a"},
		{Question{Request: "https://b.example.com/", As: "bob", Pool: "b"}, gateway.Passed, "b"}, {Question{Request: "https://b.example.com/", As: "alice", Pool: "a"}, gateway.Unauthorized, "b"},
		{Question{Request: "/staff-only", As: "bob", Pool: "b", Groups: []string{"staff"}}, gateway.Passed, "b"},
		{Question{Request: "/staff-only", As: "alice", Pool: "a", Groups: []string{"staff"}}, gateway.Unauthorized, "b"},
		{Question{Request: "/STAFF-only", As: "bob", Pool: "b", Groups: []string{"staff"}}, gateway.Refused, ""}, // of people of two pools
	} {
		got, err := s.Explain(tt.q)
		if err != nil || got.Decision != tt.want || got.Tenant != tt.pool || got.Reason == "" {
			t.Errorf("%+v: %+v, %v", tt.q, got, err)
		}
	}
}

// TestAssertionKeys: keys of the algorithms follow from the sealing keys.
func TestAssertionKeys(t *testing.T) {
	s := load(t, write(t, ruledPool+"  - {path: /, assertion: true}\nassertions: {algorithm: ES256}\n", nil), nil)
	if s.Assertions.Algorithm != "ES256" || len(s.Assertions.ECKeys) != 1 || len(s.Assertions.Keys) != 1 {
		t.Errorf("%+v", s.Assertions)
	}
	s = load(t, write(t, ruledPool+"  - {path: /, assertion: true}\nassertions: {algorithm: RS256}\n", nil), nil)
	if s.Assertions.Algorithm != "RS256" || len(s.Assertions.RSAKeys) != 1 || len(s.Assertions.Keys) != 1 {
		t.Errorf("%+v", s.Assertions)
	}
	if got := faultsOf(t, ruledPool+"  - {path: /, assertion: true}\nassertions: {algorithm: HS256}\n"); len(got) != 1 || !strings.Contains(got[0], ":6: assertions.algorithm: it must be one of EdDSA, ES256, RS256") {
		t.Errorf("%q", got)
	}
}

// TestS610_TestsOfActors: rules can be tested for those who act for somebody.
func TestS610_TestsOfActors(t *testing.T) {
	if got := faultsOf(t, ruledPool+`  - {path: /}
  - {path: /agents, actors: [agent-1, agent-2]}
  - {path: /any, actors: any}
tests:
  - {as: bob, actor: agent-2, requests: [/agents, /any], expect: pass}
  - {as: bob, actor: agent-3, requests: /any, expect: pass}
  - {as: bob, actor: agent-3, requests: [/agents, /Agents], expect: forbidden}
  - {as: bob, actor: agent-2, requests: [/, /Agents], expect: forbidden}
  - {as: bob, requests: [/agents, /Agents, /any], expect: pass}
`); got != nil {
		t.Errorf("%q", got)
	}
	for routes, want := range map[string]string{
		"  - {path: /a, actors: [any, agent-1]}\n":  ":5: routes[0].actors: actors: name each, or write only any",
		"  - {path: /a, public: true, actors: x}\n": ":5: routes[0].actors: actors: the route is public",
	} {
		if got := faultsOf(t, ruledPool+routes); len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("%s: %q, want %q", routes, got, want)
		}
	}
}

// TestS560_TestsOfMachines: rules can be tested for machines, and a route that lets them in
// names the scopes that they need.
func TestS560_TestsOfMachines(t *testing.T) {
	if got := faultsOf(t, ruledPool+`  - {path: /}
  - {path: /orders, scopes: orders/read, machines: true, max_age: 15m}
  - {path: /scope, scopes: orders/read}
  - {path: /open, public: true}
tests:
  - {as: app-1, machine: true, scopes: orders/read, requests: [/orders, /open], expect: pass}
  - {as: app-1, machine: true, scopes: orders/write, requests: /orders, expect: forbidden}
  - {as: app-1, machine: true, scopes: orders/read, requests: [/, /scope], expect: sign_in}
  - {as: app-1, machine: true, scopes: orders/read, requests: /Orders, expect: forbidden}
  - {as: bob, scopes: orders/read, requests: [/orders, /Orders], expect: pass}
  - {as: bob, requests: [/orders, /Orders], expect: forbidden}
`); got != nil {
		t.Errorf("%q", got)
	}
	s := load(t, write(t, ruledPool+"  - {path: /, scopes: [orders/read, orders/write], machines: true}\n", nil), nil)
	if !slices.Equal(s.Routes[0].Machines, []string{"orders/read", "orders/write"}) {
		t.Errorf("%+v", s.Routes[0])
	}
	for routes, want := range map[string]string{
		"  - {path: /a, machines: true}\n":                             ":5: routes[0].machines: it needs scopes",
		"  - {path: /a, machines: true, scopes: x, groups: staff}\n":   ":5: routes[0].machines: machines are in no groups",
		"  - {path: /a, machines: true, scopes: x, any_groups: [a]}\n": ":5: routes[0].machines: machines are in no groups",
	} {
		if got := faultsOf(t, ruledPool+routes); len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("%s: %q, want %q", routes, got, want)
		}
	}
}

// TestMCP: an MCP server is a few lines, and what is wrong with them is said at its line.
func TestMCP(t *testing.T) {
	s := load(t, write(t, ruledPool+`  - {name: docs, path: /mcp, scopes: docs/read, mcp: true, upstream: "http://127.0.0.1:1"}
  - path: /tools
    upstream: http://127.0.0.1:1
    mcp:
      url: https://mcp.example.com/tools
      tools: {delete_*: {groups: admins}, search: {scopes: [docs/read], listed: true}, "*": {}}
  - {path: /plain, mcp: false, upstream: "http://127.0.0.1:1"}
`, nil), nil)
	docs, tools := s.MCP[0], s.MCP[1]
	if docs.URL != "https://app.example.com/mcp" || !slices.Equal(docs.Scopes, []string{"docs/read"}) || docs.Endpoints.Issuer != s.Pools[0].Issuer || docs.Tools != nil || s.MCP[2] != nil {
		t.Errorf("%+v", s.MCP)
	}
	if tools.URL != "https://mcp.example.com/tools" || len(tools.Tools) != 3 {
		t.Errorf("%+v", tools)
	}
	routes, err := s.AllRoutes(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, r := range routes[3:] {
		paths = append(paths, r.Path)
	}
	// The root is for the one server of a host.
	if want := []string{"/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-authorization-server/mcp", "/.well-known/oauth-protected-resource/tools", "/.well-known/oauth-authorization-server/tools"}; !slices.Equal(paths, want) {
		t.Errorf("%q", paths)
	}
	s = load(t, write(t, ruledPool+"  - {path: /mcp, mcp: true, upstream: \"http://127.0.0.1:1\"}\n  - {host: b.example.com, path: /mcp, mcp: {url: \"https://b.example.com/mcp\"}, upstream: \"http://127.0.0.1:1\"}\n", nil), nil)
	if routes, err = s.AllRoutes(nil, nil); err != nil || len(routes) != 8 || routes[3].Path != mcp.RootMetadataPath || routes[6].Path != mcp.RootMetadataPath || routes[6].Host != "b.example.com" {
		t.Errorf("%v, %+v", err, routes)
	}
	if _, err := s.rules(); err != nil {
		t.Error(err)
	}
	for routes, want := range map[string]string{
		"  - {path: /a, upstream: \"http://127.0.0.1:1\", mcp: true}\n  - {path: /b, upstream: \"http://127.0.0.1:1\", mcp: {url: \"https://app.example.com/a\"}}\n": ":6: routes[1].mcp: routes[0] has the same url",
		"  - {path: /a, public: true, upstream: \"http://127.0.0.1:1\", mcp: true}\n":                                                                                ":5: routes[0].mcp: the route is public",
		"  - {path: /a, mcp: true}\n": ":5: routes[0].mcp: the route has no upstream",
		"  - {path: /a, upstream: \"http://127.0.0.1:1\", mcp: {url: \"http://app.example.com/a\"}}\n":                     ":5: routes[0].mcp: URL: ",
		"  - {path: /a, upstream: \"http://127.0.0.1:1\", mcp: {tools: {}}}\n":                                             ":5: routes[0].mcp.tools: it is empty",
		"  - {path: /a, upstream: \"http://127.0.0.1:1\", mcp: {tools: {a: {group: x}}}}\n":                                ":5: routes[0].mcp.tools.a.group: there is no such key",
		"  - path: /a\n    upstream: http://127.0.0.1:1\n    mcp:\n      tools:\n        a: {}\n        a: {scopes: x}\n":  ":10: routes[0].mcp.tools.a: it is there twice",
		"  - {path: /a, upstream: \"http://127.0.0.1:1\", mcp: {tools: [a]}}\n":                                            ":5: routes[0].mcp.tools: it must be a mapping",
		"  - {path: /a, upstream: \"http://127.0.0.1:1\", scopes: [docs/read], mcp: {tools: {a: {scopes: \"x y\"}}}}\n":    ":5: routes[0].mcp: Tools[a].Scopes",
		"  - {path: /a, upstream: \"http://127.0.0.1:1\", groups: x, read_only_for_others: true, mcp: {origins: \"*\"}}\n": ":5: routes[0].mcp: read_only_for_others",
	} {
		if got := faultsOf(t, ruledPool+routes); len(got) == 0 || !strings.HasPrefix(got[0], want) {
			t.Errorf("%s: %q, want %q", routes, got, want)
		}
	}
}

// TestBroker: an authorization server is one line, MCP servers of its pool send their clients
// there, and what is wrong with it is said at its line.
func TestBroker(t *testing.T) {
	const server = "  - {path: /mcp, scopes: docs/read, mcp: {title: Docs, tools: {w: {scopes: docs/write}}}, upstream: \"http://127.0.0.1:1\"}\n"
	s := load(t, write(t, ruledPool+server+"  - {path: /own, mcp: {authorization_servers: \"https://id.example.com\"}, upstream: \"http://127.0.0.1:1\"}\nbroker: true\n", nil), nil)
	if s.Broker == nil || s.BrokerPool != "customers" || s.Broker.Issuer != "https://app.example.com" || len(s.Broker.Resources) != 1 ||
		!slices.Equal(s.Broker.Resources[0].Scopes, []string{"docs/read", "docs/write"}) || !slices.Equal(s.Broker.Resources[0].Default, []string{"docs/read"}) {
		t.Fatalf("%+v", s.Broker)
	}
	if !slices.Equal(s.MCP[0].AuthorizationServers, []string{"https://app.example.com"}) || !slices.Equal(s.MCP[1].AuthorizationServers, []string{"https://id.example.com"}) {
		t.Errorf("%q, %q", s.MCP[0].AuthorizationServers, s.MCP[1].AuthorizationServers)
	}
	// Its servers know whose tokens are the broker's, and hear of their end (S-814).
	c := *s.Broker
	var err error
	if c.Auth, err = codegrant.New(s.Pools[0].Config); err != nil {
		t.Fatal(err)
	}
	own, err := broker.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.AllRoutes(func(_ string, m *mcp.Config) {
		if brokered := m.URL == "https://app.example.com/mcp"; (m.Issued != nil) != brokered || (m.OnEnd != nil) != brokered {
			t.Errorf("%s: %v, %v", m.URL, m.Issued != nil, m.OnEnd != nil)
		}
	}, own); err != nil {
		t.Fatal(err)
	}
	routes, err := s.AllRoutes(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, r := range routes {
		if strings.HasPrefix(r.Name, "broker ") {
			paths = append(paths, r.Path)
		}
	}
	if want := []string{"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration", "/oauth/authorize", "/oauth/consent", "/oauth/grants", "/oauth/jwks.json", "/oauth/register", "/oauth/revoke", "/oauth/token"}; !slices.Equal(paths, want) {
		t.Errorf("%q", paths)
	}
	for broker, want := range map[string]string{
		"broker: {pool: x}\n":                                        ":6: broker.pool: there is no pool",
		"broker: {prefix: /auth}\n":                                  ":6: broker.prefix: the endpoints of the pool have this prefix",
		"broker: {issuer: \"https://x.example.com\"}\n":              ":6: broker.issuer: it must be a URL on",
		"broker: {redirect_schemes: cursor}\n":                       ":6: broker: RedirectSchemes[0]",
		"broker: {redirect_hosts: \"https://x\"}\n":                  ":6: broker: RedirectHosts[0]",
		"broker: {algorithm: HS256}\n":                               ":6: broker.algorithm: it must be one of",
		"broker: {token_lifetime: 2h}\n":                             ":6: broker: TokenLifetime",
		"broker: {clients: {a: \"http://x.example\"}}\n":             ":6: broker: Clients[0]",
		"broker: true\nsessions: cookies\nkeys: " + newKey(t) + "\n": ":6: broker: it needs sessions in",
	} {
		if got := faultsOf(t, ruledPool+server+broker); len(got) == 0 || !strings.Contains(got[0], want) {
			t.Errorf("%s: %q, want %q", broker, got, want)
		}
	}
	for broker, want := range map[string]string{
		"broker: {mode: aws}\n":                              ":6: broker.mode: it must be one of gateway, pool",
		"broker: {mode: pool, token_lifetime: 5m}\n":         ":6: broker.token_lifetime: with mode: pool, the pool decides this",
		"broker: {mode: pool, clients: {a: \"http://x\"}}\n": ":6: broker.clients: with mode: pool, the pool decides this",
		"broker: {mode: pool, pool: x}\n":                    ":6: broker.pool: there is no pool",
	} {
		if got := faultsOf(t, ruledPool+server+broker); len(got) == 0 || !strings.Contains(got[0], want) {
			t.Errorf("%s: %q, want %q", broker, got, want)
		}
	}
	if got := faultsOf(t, ruledPool+"  - {path: /mcp, mcp: {insecure_no_audience: true}, upstream: \"http://127.0.0.1:1\"}\nbroker: {mode: pool}\n"); len(got) != 1 || !strings.Contains(got[0], "routes[0].mcp.insecure_no_audience: with broker.mode: pool") {
		t.Errorf("%q", got)
	}
	if s := load(t, write(t, ruledPool+server+"broker: {mode: pool}\nsessions: cookies\nkeys: "+newKey(t)+"\n", nil), nil); s.Broker != nil || !s.MCP[0].PoolClients || len(s.MCP[0].AuthorizationServers) > 0 {
		t.Errorf("%+v", s.MCP[0])
	}
	if got := faultsOf(t, ruledPool+"  - path: /\nbroker: true\n"); len(got) != 1 || !strings.Contains(got[0], "broker: no route of the pool has mcp") {
		t.Errorf("%q", got)
	}
	if s := load(t, write(t, ruledPool+server+"broker: false\n", nil), nil); s.Broker != nil {
		t.Error("false is true")
	}
}
