package cedar

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	engine "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/codegrant/codegrant"
)

// Target is what somebody wants to do, and with what.
type Target struct {
	// Action is a name, such as "get /orders", or a whole entity, Shop::Action::"view".
	Action string
	// Resource is an entity such as Order::"42". Defaults to Application:: and the namespace.
	Resource string
	// Attributes of the resource, as JSON has them: {"owner": {"__entity": {"type": …}}}.
	Attributes map[string]any
	// Parents of the resource, entities.
	Parents []string
	// Context, beside token, which is there already.
	Context map[string]any
}

// Verdict says what policies decide, and by which of them.
type Verdict struct {
	Allowed  bool
	Policies []string // that decided: those that permit, or else those that forbid
	Faults   []string // policies that could not be evaluated, and why
}

// reason is why somebody is refused.
func (v Verdict) reason() string {
	switch {
	case v.Allowed:
		return ""
	case len(v.Policies) > 0:
		return "forbidden by " + strings.Join(v.Policies, " and ")
	case len(v.Faults) > 0:
		return "no policy permits it; not evaluated: " + strings.Join(v.Faults, "; ")
	}
	return "no policy permits it"
}

// Decide asks the policies. Nobody is never allowed. An error says that it could not be
// found out: the target makes no sense, or a forbid cannot be evaluated, which Cedar by
// itself would leave out.
func (p *Policies) Decide(id *codegrant.Identity, target Target) (Verdict, error) {
	if id == nil {
		return Verdict{}, nil
	}
	request, entities, err := p.question(id, target)
	if err != nil {
		return Verdict{}, fmt.Errorf("ask policies: %w", err)
	}
	decision, why := engine.Authorize(p.set, entities, request)
	verdict := Verdict{Allowed: decision == engine.Allow}
	for _, r := range why.Reasons {
		verdict.Policies = append(verdict.Policies, string(r.PolicyID))
	}
	slices.Sort(verdict.Policies)
	var unsure []error
	for _, fault := range why.Errors {
		text := fmt.Sprintf("%s: %s", fault.PolicyID, fault.Message)
		verdict.Faults = append(verdict.Faults, text)
		if policy := p.set.Get(fault.PolicyID); policy == nil || policy.Effect() == engine.Forbid {
			unsure = append(unsure, fmt.Errorf("a forbid cannot be evaluated: %s", text))
		}
	}
	slices.Sort(verdict.Faults)
	if len(unsure) > 0 {
		verdict.Allowed = false
		return verdict, fmt.Errorf("ask policies: %w", errors.Join(unsure...))
	}
	return verdict, nil
}

func (p *Policies) question(id *codegrant.Identity, target Target) (engine.Request, types.EntityMap, error) {
	none := engine.Request{}
	entities := make(types.EntityMap)
	action, err := p.action(target.Action)
	if err != nil {
		return none, nil, err
	}
	if p.schema != nil {
		for _, known := range p.schema.Actions { // groups of actions, that an action is in
			entities[known.Entity.UID] = known.Entity
		}
	}
	resource := types.NewEntityUID(p.named("Application"), types.String(p.namespace))
	if target.Resource != "" {
		if resource, err = p.uid(target.Resource); err != nil {
			return none, nil, fmt.Errorf("resource: %w", err)
		}
	}
	thing := types.Entity{UID: resource}
	if thing.Attributes, err = record(target.Attributes); err != nil {
		return none, nil, fmt.Errorf("attributes of the resource: %w", err)
	}
	var parents []types.EntityUID
	for _, text := range target.Parents {
		parent, err := p.uid(text)
		if err != nil {
			return none, nil, fmt.Errorf("parent of the resource: %w", err)
		}
		parents = append(parents, parent)
	}
	thing.Parents = types.NewEntityUIDSet(parents...)
	entities[resource] = thing

	person := p.person(id, entities)
	given, err := record(target.Context)
	if err != nil {
		return none, nil, fmt.Errorf("context: %w", err)
	}
	all := given.Map()
	if all == nil {
		all = make(types.RecordMap)
	}
	all["token"] = token(id)
	return engine.Request{Principal: person, Action: action, Resource: resource, Context: types.NewRecord(all)}, entities, nil
}

// person adds somebody and their groups to the entities.
func (p *Policies) person(id *codegrant.Identity, entities types.EntityMap) types.EntityUID {
	uid, pool := p.who(id), poolOf(id.Issuer)
	var groups []types.EntityUID
	if !id.Machine {
		for _, name := range id.Groups {
			group := types.NewEntityUID(p.named("UserGroup"), types.String(pool+"|"+name))
			entities[group] = types.Entity{UID: group}
			groups = append(groups, group)
		}
	}
	attributes := types.RecordMap{"sub": types.String(id.Subject)}
	if o := id.Organization; o != nil && !id.Machine {
		organization := types.NewEntityUID(p.named("Organization"), types.String(o.ID))
		entities[organization] = types.Entity{UID: organization, Attributes: types.NewRecord(types.RecordMap{"name": types.String(o.Name)})}
		groups = append(groups, organization)
		attributes["organization"], attributes["organization_role"] = organization, types.String(o.Role)
	}
	text := func(name types.String, value string) {
		if value != "" {
			attributes[name] = types.String(value)
		}
	}
	text("cognito:username", id.Username)
	text("name", id.Name)
	if id.Email != "" {
		text("email", id.Email)
		attributes["email_verified"] = types.Boolean(id.EmailVerified)
	}
	// The claims have the other attributes that the schema gives people.
	if p.schema != nil {
		for name := range p.schema.Entities[uid.Type].Shape {
			if _, known := attributes[name]; known || name == "organization" || name == "organization_role" { // no claim says these
				continue
			}
			if raw, ok := id.Claim(string(name)); ok {
				var value any
				if json.Unmarshal(raw, &value) == nil {
					if v, err := record(map[string]any{"v": value}); err == nil {
						attributes[name], _ = v.Get("v")
					}
				}
			}
		}
	}
	entities[uid] = types.Entity{UID: uid, Parents: types.NewEntityUIDSet(groups...), Attributes: types.NewRecord(attributes)}
	return uid
}

// token is what the access token says of the request.
func token(id *codegrant.Identity) types.Record {
	list := func(texts []string) types.Set {
		values := make([]types.Value, len(texts))
		for i, text := range texts {
			values[i] = types.String(text)
		}
		return types.NewSet(values...)
	}
	claims := types.RecordMap{"client_id": types.String(id.ClientID), "scope": list(id.Scopes), "amr": list(id.AMR)}
	if id.ACR != "" {
		claims["acr"] = types.String(id.ACR)
	}
	if !id.AuthTime.IsZero() {
		claims["auth_time"] = types.Long(id.AuthTime.Unix())
	}
	return types.NewRecord(claims)
}

// record is what JSON says, as Cedar has it.
func record(values map[string]any) (types.Record, error) {
	if len(values) == 0 {
		return types.Record{}, nil
	}
	text, err := json.Marshal(values)
	if err != nil {
		return types.Record{}, err
	}
	var r types.Record
	err = json.Unmarshal(text, &r)
	return r, err
}

// Permission asks the policies about one action and resource. An empty resource is the
// application. A fault of either is an error.
func (p *Policies) Permission(action, resource string) (codegrant.Permission, error) {
	target := Target{Action: action, Resource: resource}
	if _, _, err := p.question(&codegrant.Identity{}, target); err != nil {
		return nil, err
	}
	if !p.Knows(action) {
		return nil, fmt.Errorf("the schema has no action %q", action)
	}
	return permission{p, action, func(context.Context, *codegrant.Identity, *http.Request) (Target, error) { return target, nil }}, nil
}

// Route asks the policies about requests for a route, as an API-linked policy store of
// Verified Permissions does: the action is the method in small letters, a blank and the
// path of the route, such as "get /orders", whatever is below it that a request is for.
func (p *Policies) Route(path string) codegrant.Permission {
	return permission{p, path, func(_ context.Context, _ *codegrant.Identity, r *http.Request) (Target, error) {
		return Target{Action: RouteAction(r.Method, path)}, nil
	}}
}

// RouteAction is the action of [Policies.Route]. HEAD is asked for as GET.
func RouteAction(method, path string) string {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	return strings.ToLower(method) + " " + path
}

// PermissionFunc asks the policies about what a function makes of the request: the order
// that its path names, say, with its owner. name is for logs.
func (p *Policies) PermissionFunc(name string, target func(context.Context, *codegrant.Identity, *http.Request) (Target, error)) codegrant.Permission {
	if target == nil {
		panic("cedar: PermissionFunc needs a function")
	}
	return permission{p, name, target}
}

type permission struct {
	policies *Policies
	name     string
	target   func(context.Context, *codegrant.Identity, *http.Request) (Target, error)
}

// Check implements [codegrant.Permission].
func (p permission) Check(ctx context.Context, id *codegrant.Identity, r *http.Request) (bool, error) {
	v, err := p.verdict(ctx, id, r)
	return v.Allowed, err
}

func (p permission) verdict(ctx context.Context, id *codegrant.Identity, r *http.Request) (Verdict, error) {
	if id == nil {
		return Verdict{}, nil
	}
	target, err := p.target(ctx, id, r)
	if err != nil {
		return Verdict{}, err
	}
	return p.policies.Decide(id, target)
}

// Why says which policies refuse, or that none permits.
func (p permission) Why(ctx context.Context, id *codegrant.Identity, r *http.Request) string {
	v, err := p.verdict(ctx, id, r)
	if err != nil {
		return err.Error()
	}
	return v.reason()
}

// String implements [codegrant.Permission].
func (p permission) String() string { return "policies on " + p.name }
