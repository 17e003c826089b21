package cedar_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/rule/cedar"
)

const schema = `
namespace Shop {
  entity UserGroup;
  entity User in [UserGroup] { sub: String, email?: String, email_verified?: Bool, "cognito:username"?: String, name?: String, "custom:branch"?: String };
  entity Application;
  entity Order { owner: User, branch?: String };
  type Context = { token: { client_id: String, scope: Set<String>, amr: Set<String>, acr?: String, auth_time?: Long } };
  action "reading";
  action "get /orders" in ["reading"] appliesTo { principal: [User], resource: [Application, Order], context: Context };
  action "post /orders", view appliesTo { principal: [User], resource: [Application, Order], context: Context };
}`

const policies = `
@id("editors write")
permit (principal in Shop::UserGroup::"eu-west-1_Ab12Cd34E|editors", action == Shop::Action::"post /orders", resource is Shop::Application);

@id("everybody with the scope reads")
permit (principal, action in Shop::Action::"reading", resource) when { context.token.scope.contains("orders/read") };

@id("owners see theirs")
permit (principal, action == Shop::Action::"view", resource is Shop::Order) when { resource.owner == principal };

@id("branches see theirs")
permit (principal, action == Shop::Action::"view", resource is Shop::Order)
when { principal has "custom:branch" && resource has branch && principal["custom:branch"] == resource.branch };

@id("not the suspended")
forbid (principal in Shop::UserGroup::"eu-west-1_Ab12Cd34E|suspended", action, resource);
`

const issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E"

func file(name, text string) cedar.File { return cedar.File{Name: name, Text: []byte(text)} }

func shop(t *testing.T) *cedar.Policies {
	t.Helper()
	s := file("shop.cedarschema", schema)
	p, err := cedar.New(cedar.Config{Namespace: "Shop", Policies: []cedar.File{file("shop.cedar", policies)}, Schema: &s})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func person(sub string, groups ...string) *codegrant.Identity {
	return &codegrant.Identity{Issuer: issuer, Subject: sub, Username: sub, Groups: groups}
}

func TestS682_PoliciesDecide(t *testing.T) {
	p := shop(t)
	reader := person("carol")
	reader.Scopes = []string{"openid", "orders/read"}
	both := person("dave", "suspended")
	both.Scopes = reader.Scopes
	owner := map[string]any{"owner": map[string]any{"__entity": map[string]any{"type": "Shop::User", "id": "eu-west-1_Ab12Cd34E|carol"}}}
	other := *person("carol", "editors")
	other.Issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Another12"
	machine := &codegrant.Identity{Issuer: issuer, Subject: "client", ClientID: "client", Machine: true, Groups: []string{"editors"}}
	for _, tt := range []struct {
		name   string
		id     *codegrant.Identity
		target cedar.Target
		want   bool
		by     string
	}{
		{"nobody", nil, cedar.Target{Action: "post /orders"}, false, ""},
		{"a group", person("bob", "editors"), cedar.Target{Action: "post /orders"}, true, "editors write"},
		{"the whole name of an action", person("bob", "editors"), cedar.Target{Action: `Shop::Action::"post /orders"`}, true, "editors write"},
		{"another group", person("bob", "readers"), cedar.Target{Action: "post /orders"}, false, ""},
		{"a name that only looks like the group's", person("bob", "Editors"), cedar.Target{Action: "post /orders"}, false, ""},
		{"the group of another pool", &other, cedar.Target{Action: "post /orders"}, false, ""},
		{"a machine is in no group", machine, cedar.Target{Action: "post /orders"}, false, ""},
		{"a scope, and a group of actions", reader, cedar.Target{Action: "get /orders"}, true, "everybody with the scope reads"},
		{"an action of no group", reader, cedar.Target{Action: "post /orders"}, false, ""},
		{"an action that nobody knows", reader, cedar.Target{Action: "delete /orders"}, false, ""},
		{"forbidden, whatever permits", both, cedar.Target{Action: "get /orders"}, false, "not the suspended"},
		{"the owner", person("carol"), cedar.Target{Action: "view", Resource: `Order::"42"`, Attributes: owner}, true, "owners see theirs"},
		{"not the owner", person("bob"), cedar.Target{Action: "view", Resource: `Shop::Order::"42"`, Attributes: owner}, false, ""},
	} {
		v, err := p.Decide(tt.id, tt.target)
		if err != nil || v.Allowed != tt.want || strings.Join(v.Policies, ", ") != tt.by {
			t.Errorf("%s: %+v, %v", tt.name, v, err)
		}
	}
	for _, no := range []cedar.Target{{}, {Action: "view", Resource: "42"}, {Action: "view", Resource: `Order::"42`}, {Action: "view", Context: map[string]any{"x": nil}}, {Action: "view", Parents: []string{"x"}}} {
		if v, err := p.Decide(person("bob"), no); err == nil || v.Allowed {
			t.Errorf("%+v: %+v, %v", no, v, err)
		}
	}

	// A claim that the schema names is an attribute.
	ctx := codegranttest.WithTokens(t.Context(), person("erin"), map[string]any{"custom:branch": "north"}, "")
	erin, _ := codegrant.From(ctx)
	for branch, want := range map[string]bool{"north": true, "south": false} {
		order := map[string]any{"owner": owner["owner"], "branch": branch}
		if v, err := p.Decide(erin, cedar.Target{Action: "view", Resource: `Order::"42"`, Attributes: order}); err != nil || v.Allowed != want {
			t.Errorf("branch %s: %+v, %v", branch, v, err)
		}
	}
}

// TestS682_Organizations: the organization that somebody acts for is a parent of theirs, and
// an attribute, with their role.
func TestS682_Organizations(t *testing.T) {
	s := file("acme.cedarschema", `
entity UserGroup; entity Application;
entity Organization { name: String };
entity User in [UserGroup, Organization] { sub: String, organization?: Organization, organization_role?: String };
entity Order { organization: Organization };
action view, bill appliesTo { principal: [User], resource: [Order] };`)
	p, err := cedar.New(cedar.Config{Schema: &s, Policies: []cedar.File{file("p.cedar", `
@id("of the company") permit (principal, action == Action::"view", resource is Order) when { principal in resource.organization };
@id("bills") permit (principal, action == Action::"bill", resource is Order)
when { principal has organization && principal.organization == resource.organization && principal has organization_role && principal.organization_role == "admin" };`)}})
	if err != nil {
		t.Fatal(err)
	}
	acting := func(organization, role string) *codegrant.Identity {
		id := person("carol")
		id.Organization = &codegrant.Organization{ID: organization, Name: "x", Role: role}
		return id
	}
	machine := acting("org_1", "admin")
	machine.Machine = true
	claims, ok := codegrant.From(codegranttest.WithTokens(t.Context(), person("erin"), map[string]any{
		"organization": map[string]any{"__entity": map[string]any{"type": "Organization", "id": "org_1"}}, "organization_role": "admin",
	}, ""))
	if _, there := claims.Claim("organization_role"); !ok || !there {
		t.Fatal("the token has no claims")
	}
	for _, tt := range []struct {
		name       string
		id         *codegrant.Identity
		view, bill bool
	}{
		{"of none, with claims of those names", claims, false, false},
		{"an admin", acting("org_1", "admin"), true, true}, {"a member", acting("org_1", "member"), true, false},
		{"of another", acting("org_2", "admin"), false, false}, {"of none", person("carol"), false, false}, {"a machine", machine, false, false},
	} {
		for action, want := range map[string]bool{"view": tt.view, "bill": tt.bill} {
			order := map[string]any{"organization": map[string]any{"__entity": map[string]any{"type": "Organization", "id": "org_1"}}}
			if v, err := p.Decide(tt.id, cedar.Target{Action: action, Resource: `Order::"42"`, Attributes: order}); err != nil || v.Allowed != want {
				t.Errorf("%s, %s: %+v, %v", tt.name, action, v, err)
			}
		}
	}
}

// TestS682_AForbidThatFails: what Cedar would leave out refuses; a permit that fails permits nothing.
func TestS682_AForbidThatFails(t *testing.T) {
	p, err := cedar.New(cedar.Config{Policies: []cedar.File{file("p.cedar", `
@id("all") permit (principal, action, resource);
@id("far away") forbid (principal, action == Action::"send", resource) when { principal.country == "none" };
@id("odd") permit (principal, action == Action::"look", resource) when { principal.nothing };
`)}})
	if err != nil {
		t.Fatal(err)
	}
	v, err := p.Decide(person("bob"), cedar.Target{Action: "send"})
	if err == nil || v.Allowed || !strings.Contains(err.Error(), "far away") {
		t.Errorf("%+v, %v", v, err)
	}
	if v, err := p.Decide(person("bob"), cedar.Target{Action: "look"}); err != nil || !v.Allowed || len(v.Faults) != 1 {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestFaults(t *testing.T) {
	s := file("shop.cedarschema", schema)
	for _, tt := range []struct {
		name string
		c    cedar.Config
		want string
	}{
		{"nothing", cedar.Config{}, "no policy"},
		{"no Cedar", cedar.Config{Policies: []cedar.File{file("a.cedar", "permit (everybody);")}}, "a.cedar"},
		{"no schema", cedar.Config{Schema: &cedar.File{Name: "s.cedarschema", Text: []byte("entity")}, Policies: []cedar.File{file("a.cedar", policies)}}, "s.cedarschema"},
		{"a group misspelt", cedar.Config{Namespace: "Shop", Schema: &s, Policies: []cedar.File{file("a.cedar", `permit (principal in Shop::Usergroup::"x", action, resource);`)}}, "does not fit the schema"},
		{"an attribute misspelt", cedar.Config{Namespace: "Shop", Schema: &s, Policies: []cedar.File{file("a.cedar", `permit (principal, action == Shop::Action::"view", resource) when { principal.mail == "x" };`)}}, "a.cedar, policy 1"},
		{"one name twice", cedar.Config{Policies: []cedar.File{file("a.cedar", `@id("x") permit (principal, action, resource);`), file("b.cedar", `@id("x") forbid (principal, action, resource);`)}}, "two policies"},
		{"a namespace", cedar.Config{Namespace: "my shop", Policies: []cedar.File{file("a.cedar", policies)}}, "namespace"},
	} {
		if _, err := cedar.New(tt.c); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	both := cedar.Config{Namespace: "a b", Policies: []cedar.File{file("a.cedar", "permit"), file("b.cedar", "forbid")}}
	if _, err := cedar.New(both); err == nil || strings.Count(err.Error(), "\n") < 2 {
		t.Errorf("not all faults: %v", err)
	}
	p := shop(t)
	if _, err := p.Permission("fly", ""); err == nil {
		t.Error("an action that the schema does not have is taken")
	}
	if _, err := p.Permission("view", "42"); err == nil {
		t.Error("a resource that is none is taken")
	}
}

// TestRequire: as a permission of the library, with its reason in the log.
func TestRequire(t *testing.T) {
	var log strings.Builder
	auth, err := codegrant.New(codegrant.Config{
		Pool:   cognito.Pool{ID: "eu-west-1_Ab12Cd34E", Domain: "https://auth.example.com", ClientID: "client"},
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	p := shop(t)
	fixed, err := p.Permission("post /orders", "")
	if err != nil {
		t.Fatal(err)
	}
	own := p.PermissionFunc("the order", func(_ context.Context, id *codegrant.Identity, r *http.Request) (cedar.Target, error) {
		if r.PathValue("order") == "" {
			return cedar.Target{}, errors.New("no order")
		}
		return cedar.Target{Action: "view", Resource: `Order::"42"`, Attributes: map[string]any{"owner": map[string]any{"__entity": map[string]any{"type": "Shop::User", "id": "eu-west-1_Ab12Cd34E|" + r.PathValue("order")}}}}, nil
	})
	mux := http.NewServeMux()
	ok := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	mux.Handle("/new", auth.Require(fixed)(ok))
	mux.Handle("/orders", auth.Require(p.Route("/orders"))(ok))
	mux.Handle("/orders/{order}", auth.Require(own)(ok))
	mux.Handle("/broken", auth.Require(own)(ok))
	carol := person("carol", "editors")
	carol.Scopes = []string{"orders/read"}
	for _, tt := range []struct {
		id           *codegrant.Identity
		method, path string
		want         int
	}{
		{carol, "POST", "/new", 200}, {person("bob"), "POST", "/new", 403}, {nil, "POST", "/new", 401},
		{carol, "GET", "/orders", 200}, {carol, "HEAD", "/orders", 200}, {carol, "POST", "/orders", 200}, {carol, "DELETE", "/orders", 403},
		{carol, "GET", "/orders/carol", 200}, {carol, "GET", "/orders/bob", 403}, {carol, "GET", "/broken", 503},
	} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequestWithContext(codegranttest.WithIdentity(t.Context(), tt.id), tt.method, "http://localhost:8080"+tt.path, nil))
		if w.Code != tt.want {
			t.Errorf("%s %s: %d, want %d: %s", tt.method, tt.path, w.Code, tt.want, w.Body)
		}
	}
	if !strings.Contains(log.String(), "no policy permits it") {
		t.Errorf("the log does not say why:\n%s", log.String())
	}
}

func FuzzPolicies(f *testing.F) {
	f.Add(policies, schema, `Order::"42"`)
	f.Add(`permit (principal, action, resource);`, "", `::"`)
	f.Fuzz(func(t *testing.T, text, schema, resource string) {
		c := cedar.Config{Namespace: "Shop", Policies: []cedar.File{file("a.cedar", text)}}
		if schema != "" {
			c.Schema = &cedar.File{Name: "s.cedarschema", Text: []byte(schema)}
		}
		p, err := cedar.New(c)
		if err != nil {
			return
		}
		if v, _ := p.Decide(nil, cedar.Target{Action: "view", Resource: resource}); v.Allowed {
			t.Error("nobody is allowed")
		}
		_, _ = p.Decide(person("carol", "editors"), cedar.Target{Action: "view", Resource: resource})
	})
}
