package policy

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
)

// commands are those that the tests speak to.
type commands struct {
	Policy Command `cmd:""`
}

func TestPolicyTest(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("shop.cedar", `
@id("editors write") permit (principal in Shop::UserGroup::"eu-west-1_Ab12Cd34E|editors", action == Shop::Action::"post /orders", resource);
@id("owners see") permit (principal, action == Shop::Action::"view", resource) when { resource.owner == principal.sub };
@id("the company bills") permit (principal, action == Shop::Action::"bill", resource) when { principal in resource.company && principal has organization_role && principal.organization_role == "billing" };
`)
	config := write("codegrant.yaml", `
base_url: https://app.example.com
pools: [{id: eu-west-1_Ab12Cd34E, domain: auth.example.com, client_id: c, client_secret: "${NOT_SET}"}]
cedar: {namespace: Shop, policies: [shop.cedar]}
`)
	good := write("good.yaml", `
- {name: editors, sub: c-1, groups: [editors], action: post /orders, allow: true, by: [editors write]}
- {name: others, sub: c-1, groups: [readers], action: post /orders, allow: false}
- {name: own, sub: c-1, action: view, resource: 'Order::"42"', attributes: {owner: c-1}, allow: true}
- {name: billing, sub: c-1, organization: {id: org_1, name: Acme, role: billing}, action: bill, resource: 'Order::"42"', attributes: {company: {__entity: {type: 'Shop::Organization', id: org_1}}}, allow: true, by: [the company bills]}
- {name: another company, sub: c-1, organization: {id: org_2, role: billing}, action: bill, resource: 'Order::"42"', attributes: {company: {__entity: {type: 'Shop::Organization', id: org_1}}}, allow: false}
- {name: no company, sub: c-1, action: bill, resource: 'Order::"42"', attributes: {company: {__entity: {type: 'Shop::Organization', id: org_1}}}, allow: false}
- {sub: c-2, action: view, resource: 'Order::"42"', attributes: {owner: c-1}, allow: false, by: []}
`)
	run := func(args ...string) (stdout, stderr string, status int) {
		t.Helper()
		return commandtest.Say(t, new(commands), append([]string{"policy", "test", "--config", config}, args...)...)
	}
	if stdout, stderr, status := run(good); status != 0 || stdout != "7 cases, 0 wrong\n" {
		t.Errorf("%d %s%s", status, stdout, stderr)
	}
	for _, tt := range []struct{ name, text, want string }{
		{"otherwise", `[{name: x, sub: c-1, action: post /orders, allow: true}]`, "x: expected allowed, got refused, because no policy permits it"},
		{"by another policy", `[{sub: c-1, groups: [editors], action: post /orders, allow: true, by: [owners see]}]`, "case 1: expected policies: owners see; got allowed by editors write"},
		{"no entity", `[{sub: c-1, action: view, resource: "42", allow: false}]`, "is not an entity"},
		{"half an organization", `[{sub: c-1, action: view, organization: {id: org_1}, allow: true}]`, "add both"},
		{"nothing expected", `[{sub: c-1, action: view}]`, "add allow: true"},
		{"a key that there is not", `[{sub: c-1, action: view, allowed: true}]`, "allowed"},
		{"no cases", `[]`, "no cases"},
	} {
		stdout, stderr, status := run(write("bad.yaml", tt.text))
		if status != 1 || !strings.Contains(stdout+stderr, tt.want) {
			t.Errorf("%s: %d %s%s", tt.name, status, stdout, stderr)
		}
	}
	stdout, _, status := run(good, write("bad.yaml", `[{name: x, sub: c-1, action: post /orders, allow: true}]`), "--json")
	var all []struct {
		Name, Reason string
		Good         bool
	}
	if err := json.Unmarshal([]byte(stdout), &all); err != nil || status != 1 || len(all) != 8 || !all[0].Good || all[7].Good || all[7].Reason == "" {
		t.Errorf("%d %v %s", status, err, stdout)
	}
	write("shop.cedar", `permit (everybody);`)
	if _, stderr, status := run(good); status != 1 || !strings.Contains(stderr, "shop.cedar") {
		t.Errorf("faulty policies: %d %s", status, stderr)
	}
}
