package rule

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/codegrant/codegrant"
)

// Config names groups and roles.
type Config struct {
	// Includes lists the groups that a group includes: a person in "admins" also counts as
	// in "editors", and in the groups that "editors" includes. Names are compared byte by byte.
	Includes map[string][]string
	// Roles are by name.
	Roles map[string]Role
}

// Role is a set of groups and scopes. Somebody has the role who has all of them.
type Role struct {
	Groups    []string // all of them
	AnyGroups []string // one of them
	Scopes    []string // of the access token, all of them
}

// Rules make permissions of a configuration. Nil has no roles, and each group by itself.
type Rules struct {
	within map[string][]string // by group: the groups that include it, itself first
	roles  map[string]Role
}

// New checks a configuration, and reports all that is wrong with it.
func New(c Config) (*Rules, error) {
	rules := &Rules{within: make(map[string][]string), roles: make(map[string]Role)}
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	for _, group := range slices.Sorted(maps.Keys(c.Includes)) {
		included := c.Includes[group]
		if group == "" || len(included) == 0 || slices.Contains(included, "") {
			fault("Includes: %q: name the group, and each one that it includes", group)
		}
		if slices.Contains(c.reach(group), group) {
			fault("Includes: %q includes itself, over %q; remove one of them", group, included)
		}
	}
	for _, group := range slices.Sorted(maps.Keys(c.Includes)) {
		for _, other := range c.reach(group) {
			if len(rules.within[other]) == 0 {
				rules.within[other] = []string{other}
			}
			rules.within[other] = append(rules.within[other], group)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Roles)) {
		role := c.Roles[name]
		all := slices.Concat(role.Groups, role.AnyGroups, role.Scopes)
		switch {
		case name == "":
			fault("Roles: one has no name")
		case len(all) == 0:
			fault("Roles: %q has neither groups nor scopes: everybody would have it", name)
		case slices.Contains(all, ""):
			fault("Roles: %q has an empty name among its groups or scopes", name)
		}
		rules.roles[name] = Role{slices.Clone(role.Groups), slices.Clone(role.AnyGroups), slices.Clone(role.Scopes)}
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("configure rules: %w", errors.Join(faults...))
	}
	return rules, nil
}

// reach lists the groups that a group includes, over others too.
func (c Config) reach(group string) (found []string) {
	for next := c.Includes[group]; len(next) > 0; next = next[1:] {
		if !slices.Contains(found, next[0]) {
			found = append(found, next[0])
			next = append(slices.Clip(next), c.Includes[next[0]]...)
		}
	}
	return found
}

// InGroup allows members of the group, and of those that include it. It panics on an
// empty name.
func (r *Rules) InGroup(name string) codegrant.Permission { return r.InAnyGroup(name) }

// InAnyGroup allows members of at least one of the groups, and of those that include
// them. It panics when there is no name or an empty one.
func (r *Rules) InAnyGroup(names ...string) codegrant.Permission {
	var all []string
	for _, name := range names {
		within := []string{name}
		if r != nil && len(r.within[name]) > 0 {
			within = r.within[name]
		}
		for _, group := range within {
			if !slices.Contains(all, group) {
				all = append(all, group)
			}
		}
	}
	return codegrant.InAnyGroup(all...)
}

// Has reports whether there is a role of the name.
func (r *Rules) Has(role string) bool {
	if r == nil {
		return false
	}
	_, ok := r.roles[role]
	return ok
}

// Role allows those who have the role. It panics where there is none of the name: see
// [Rules.Has].
func (r *Rules) Role(name string) codegrant.Permission {
	if !r.Has(name) {
		panic(fmt.Sprintf("rule: there is no role %q", name))
	}
	var all []codegrant.Permission
	for _, group := range r.roles[name].Groups {
		all = append(all, r.InGroup(group))
	}
	if groups := r.roles[name].AnyGroups; len(groups) > 0 {
		all = append(all, r.InAnyGroup(groups...))
	}
	for _, scope := range r.roles[name].Scopes {
		all = append(all, codegrant.HasScope(scope))
	}
	return named{name: "role " + name, parts: all}
}

// AnyRole allows those who have at least one of the roles. It panics when there is no
// name, or no role of one.
func (r *Rules) AnyRole(names ...string) codegrant.Permission {
	all := make([]codegrant.Permission, len(names))
	for i, name := range names {
		all[i] = r.Role(name)
	}
	return codegrant.Any(all...)
}

// named is a permission of several that has a name of its own.
type named struct {
	name  string
	parts []codegrant.Permission
}

// Check implements [codegrant.Permission].
func (n named) Check(ctx context.Context, id *codegrant.Identity, r *http.Request) (bool, error) {
	return codegrant.All(n.parts...).Check(ctx, id, r)
}

// String implements [codegrant.Permission].
func (n named) String() string { return n.name }

// Why says what somebody lacks; empty where they lack nothing.
func (n named) Why(ctx context.Context, id *codegrant.Identity, r *http.Request) string {
	for _, p := range n.parts {
		if ok, err := p.Check(ctx, id, r); !ok && err == nil {
			return "it asks for " + p.String()
		}
	}
	return ""
}
