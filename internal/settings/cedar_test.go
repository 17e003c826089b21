package settings

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const cedarSchema = `
namespace Shop {
  entity UserGroup;
  entity User in [UserGroup];
  entity Application, Folder;
  action "get /orders", "post /orders", "read" appliesTo { principal: [User], resource: [Application, Folder] };
}`

const cedarPolicies = `
@id("editors write") permit (principal in Shop::UserGroup::"eu-west-1_Ab12Cd34E|editors", action == Shop::Action::"post /orders", resource);
@id("all read") permit (principal, action == Shop::Action::"get /orders", resource == Shop::Application::"Shop");
@id("reports") permit (principal in Shop::UserGroup::"eu-west-1_Ab12Cd34E|analysts", action == Shop::Action::"read", resource == Shop::Folder::"reports");
@id("never mallory") forbid (principal == Shop::User::"eu-west-1_Ab12Cd34E|mallory", action, resource);
`

const cedarRules = `
base_url: https://app.example.com
pools: [{id: eu-west-1_Ab12Cd34E, domain: auth.example.com, client_id: c}]
cedar: {namespace: Shop, policies: [shop.cedar], schema: shop.cedarschema}
routes:
  - {path: /orders, cedar: true, upstream: "http://127.0.0.1:3000"}
  - {path: /reports, cedar: true, cedar_action: read, cedar_resource: 'Folder::"reports"', upstream: "http://127.0.0.1:3000"}
`

func cedarFile(t *testing.T, text, policies string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"codegrant.yaml": text, "shop.cedar": policies, "shop.cedarschema": cedarSchema} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "codegrant.yaml")
}

// TestS683_PoliciesOfRoutes decide as the file's tests say, and say why.
func TestS683_PoliciesOfRoutes(t *testing.T) {
	s := load(t, cedarFile(t, cedarRules+`tests:
  - {as: carol, requests: [GET /orders, HEAD /orders, GET /orders/1], expect: pass}
  - {as: carol, requests: [POST /orders, DELETE /orders/1, GET /reports], expect: forbidden}
  - {as: carol, groups: editors, requests: [POST /orders, POST /orders/1], expect: pass}
  - {as: carol, groups: analysts, requests: [GET /reports, POST /reports], expect: pass}
  - {as: mallory, groups: [editors, analysts], requests: [GET /orders, POST /orders, GET /reports], expect: forbidden}
  - {requests: [GET /orders, GET /reports], expect: sign_in}
`, cedarPolicies), nil)
	for as, want := range map[string]string{"carol": "no policy permits it", "mallory": "forbidden by never mallory"} {
		e, err := s.Explain(Question{Request: "POST /orders", As: as})
		if err != nil || len(e.Asked) != 1 || e.Asked[0].Why != want {
			t.Errorf("%s: %+v %v", as, e, err)
		}
	}
}

func TestS683_FaultsOfPolicies(t *testing.T) {
	for name, tt := range map[string]struct{ text, policies, want string }{
		"a policy that does not fit the schema": {cedarRules, `permit (principal in Shop::Usergroup::"x", action, resource);`, "codegrant.yaml:4: cedar.policies[0]: shop.cedar: line 1: shop.cedar, policy 1 does not fit the schema"},
		"no Cedar":                              {cedarRules, "\n\npermit (everybody);", "codegrant.yaml:4: cedar.policies[0]: shop.cedar: line 3, column 18:"},
		"no policy at all":                      {cedarRules, ``, "cedar.policies: there is no policy"},
		"a file that is not there":              {strings.Replace(cedarRules, "[shop.cedar]", "[other.cedar]", 1), cedarPolicies, "other.cedar"},
		"an action it lacks":                    {strings.Replace(cedarRules, "cedar_action: read", "cedar_action: fly", 1), cedarPolicies, `routes[1].cedar_action: the schema has no action "fly"`},
		"a method it lacks":                     {strings.Replace(cedarRules, "path: /orders,", "path: /orders, methods: [GET, PUT],", 1), cedarPolicies, `the schema has no action "put /orders"`},
		"a resource that is none":               {strings.Replace(cedarRules, `Folder::"reports"`, `reports`, 1), cedarPolicies, "is not an entity"},
		"a namespace":                           {strings.Replace(cedarRules, "namespace: Shop", "namespace: my shop", 1), cedarPolicies, "cedar.namespace"},
		"no policies named":                     {strings.Replace(cedarRules, "policies: [shop.cedar], ", "", 1), cedarPolicies, "cedar: there are no policies"},
		"no policies anywhere":                  {strings.Replace(cedarRules, "cedar: {namespace: Shop, policies: [shop.cedar], schema: shop.cedarschema}\n", "", 1), cedarPolicies, "routes[0].cedar: there are no policies"},
		"machines pass without":                 {strings.Replace(cedarRules, "path: /orders,", "path: /orders, machines: true, scopes: x/y,", 1), cedarPolicies, "routes[0].cedar: policies decide only about people"},
		"an action without cedar":               {strings.Replace(cedarRules, "cedar: true, cedar_action", "cedar_action", 1), cedarPolicies, "routes[1]: cedar_action and cedar_resource need cedar: true"},
		"a resource without action":             {strings.Replace(cedarRules, "cedar_action: read, ", "", 1), cedarPolicies, "routes[1].cedar_resource: it needs cedar_action"},
	} {
		if _, err := Load(cedarFile(t, tt.text, tt.policies), Options{Keys: processKeys}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}

// TestS660_RolesOfTools: tools of MCP servers ask for roles, too.
func TestS660_RolesOfTools(t *testing.T) {
	const text = `
base_url: https://mcp.example.com
pools: [{id: eu-west-1_Ab12Cd34E, domain: auth.example.com, client_id: c}]
roles: {publisher: {groups: editors}}
routes:
  - {path: /tools, upstream: "http://127.0.0.1:3000", mcp: {tools: {write: {roles: publisher}, read: {any_roles: [publisher]}}}}
`
	s := load(t, cedarFile(t, text, ""), nil)
	if len(s.MCP) != 1 || len(s.MCP[0].Tools) != 2 {
		t.Fatalf("%+v", s.MCP)
	}
	for _, tool := range s.MCP[0].Tools {
		if len(tool.Permissions) != 1 || !strings.Contains(tool.Permissions[0].String(), "publisher") {
			t.Errorf("%s asks for %v", tool.Name, tool.Permissions)
		}
	}
	if _, err := Load(cedarFile(t, strings.Replace(text, "roles: publisher", "roles: press", 1), ""), Options{Keys: processKeys}); err == nil || !strings.Contains(err.Error(), `routes[0].mcp.tools.write.roles: there is no role "press"`) {
		t.Errorf("a role that there is not: %v", err)
	}
	if _, err := s.AnyRole("publisher", "press"); err == nil {
		t.Error("a proxy asks for a role that there is not, and is given one")
	}
}
