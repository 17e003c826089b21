package codegrant

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Permission is a predicate on an identity and a request.
//
// Check reports whether the request is allowed. An error means that Check could not find
// out. The request then gets 503; an error is never a yes. String names what is needed, for
// people and logs. A permission can also have a method Why with the parameters of Check,
// which returns a string. The log then says what the person, or the request, lacks.
type Permission interface {
	Check(ctx context.Context, id *Identity, r *http.Request) (bool, error)
	String() string
}

type permission struct {
	name  string
	check func(context.Context, *Identity, *http.Request) (bool, error)
	wants demand // what it asks of the sign-in, and nothing else
	// remedy is what a sign-in would have to bring to somebody whom check refuses. nil:
	// wants, or no sign-in helps.
	remedy func(context.Context, *Identity, *http.Request) (demand, bool)
	actors bool // it says who may act for people, among other things
	// machines says that it lets machines in, for what they bring.
	machines bool
	parts    []Permission // that it is made of, and any of which may refuse
}

// Why says for the log why a permission of several refuses somebody; empty where there is
// nothing to say beyond what is needed. A Permission of others may have this method, too.
func (p permission) Why(ctx context.Context, id *Identity, r *http.Request) string {
	for _, part := range p.parts {
		if ok, err := part.Check(ctx, id, r); !ok && err == nil {
			if why := whyOf(ctx, part, id, r); why != "" {
				return why
			}
		}
	}
	return ""
}

func whyOf(ctx context.Context, p Permission, id *Identity, r *http.Request) string {
	if own, ok := p.(interface {
		Why(context.Context, *Identity, *http.Request) string
	}); ok {
		return own.Why(ctx, id, r)
	}
	return ""
}

// remedyOf is what a sign-in would have to bring to somebody whom a permission refuses.
// It reports false where none would help.
func remedyOf(ctx context.Context, p Permission, id *Identity, r *http.Request) (demand, bool) {
	own, _ := p.(permission)
	if own.remedy != nil {
		return own.remedy(ctx, id, r)
	}
	return own.wants, !own.wants.isNothing()
}

func (p permission) Check(ctx context.Context, id *Identity, r *http.Request) (bool, error) {
	return p.check(ctx, id, r)
}

func (p permission) String() string { return p.name }

// SignedIn allows everybody who is signed in, and no machine.
func SignedIn() Permission {
	return permission{name: "signed in", check: func(_ context.Context, id *Identity, _ *http.Request) (bool, error) {
		return id != nil && !id.Machine, nil
	}}
}

// InGroup allows members of one group. It panics on an empty name.
func InGroup(name string) Permission { return InAnyGroup(name) }

// InAnyGroup allows members of at least one of the groups. It panics without a name, or on
// an empty one: otherwise it would silently refuse everybody.
func InAnyGroup(names ...string) Permission {
	if len(names) == 0 || slices.Contains(names, "") {
		panic("codegrant: a group permission needs at least one group name, and no empty one")
	}
	names = slices.Clone(names)
	return permission{name: "group " + strings.Join(names, " or "), check: func(_ context.Context, id *Identity, _ *http.Request) (bool, error) {
		return slices.ContainsFunc(names, id.InGroup), nil
	}}
}

// HasScope allows requests whose access token carries the scope. It panics on an
// empty one.
func HasScope(scope string) Permission {
	if scope == "" {
		panic("codegrant: HasScope needs a scope")
	}
	return permission{name: "scope " + scope, check: func(_ context.Context, id *Identity, _ *http.Request) (bool, error) {
		return id.HasScope(scope), nil
	}}
}

// All allows what every one of the permissions allows, asked in order. It panics without a
// permission.
func All(permissions ...Permission) Permission {
	mustHaveSome("All", permissions)
	return permission{name: join(permissions, " and "), check: func(ctx context.Context, id *Identity, r *http.Request) (bool, error) {
		for _, p := range permissions {
			if ok, err := p.Check(ctx, id, r); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	}, remedy: func(ctx context.Context, id *Identity, r *http.Request) (demand, bool) {
		var all demand
		for _, p := range permissions {
			own, _ := p.(permission)
			wanted := own.wants // also where it is met: the next sign-in is to meet it, too
			if ok, err := p.Check(ctx, id, r); err != nil {
				return demand{}, false
			} else if !ok {
				helps := false
				if wanted, helps = remedyOf(ctx, p, id, r); !helps {
					return demand{}, false
				}
			}
			all = all.and(wanted, id.measuredBy())
		}
		return all, true
	}, actors: admitsActors(permissions), machines: slices.ContainsFunc(permissions, admitsMachines), parts: permissions}
}

// Any allows what at least one of the permissions allows, asked in order. If one cannot
// find out, a later one can still allow. It panics without a permission.
func Any(permissions ...Permission) Permission {
	mustHaveSome("Any", permissions)
	return permission{name: join(permissions, " or "), check: func(ctx context.Context, id *Identity, r *http.Request) (bool, error) {
		var failed error
		for _, p := range permissions {
			if id != nil && id.Machine && !admitsMachines(p) {
				continue // it was written for people
			}
			ok, err := p.Check(ctx, id, r)
			if ok && err == nil {
				return true, nil
			}
			if err != nil && failed == nil {
				failed = err
			}
		}
		return false, failed
	}, remedy: func(ctx context.Context, id *Identity, r *http.Request) (demand, bool) {
		for _, p := range permissions {
			if wanted, helps := remedyOf(ctx, p, id, r); helps {
				return wanted, true
			}
		}
		return demand{}, false
	}, machines: slices.ContainsFunc(permissions, admitsMachines), parts: permissions}
}

// Not allows what the permission refuses. The person must still be signed in.
func Not(p Permission) Permission {
	mustHaveSome("Not", []Permission{p})
	return permission{name: "not " + p.String(), check: func(ctx context.Context, id *Identity, r *http.Request) (bool, error) {
		ok, err := p.Check(ctx, id, r)
		return id != nil && !ok && err == nil, err
	}}
}

// ReadOnly allows GET, HEAD and OPTIONS.
func ReadOnly() Permission {
	return permission{name: "reading", check: func(_ context.Context, _ *Identity, r *http.Request) (bool, error) {
		return isSafe(r.Method), nil
	}}
}

// PermissionFunc makes a permission from a function, for example to decide by an object of
// the application. People who are refused see the name: do not put details into it that
// they should not see.
func PermissionFunc(name string, check func(context.Context, *Identity, *http.Request) (bool, error)) Permission {
	if check == nil {
		panic("codegrant: PermissionFunc needs a function")
	}
	return permission{name: name, check: check}
}

func mustHaveSome(name string, permissions []Permission) {
	if len(permissions) == 0 || slices.Contains(permissions, nil) {
		panic(fmt.Sprintf("codegrant: %s needs at least one permission, and none of them nil", name))
	}
}

func join(permissions []Permission, word string) string {
	names := make([]string, len(permissions))
	for i, p := range permissions {
		names[i] = p.String()
	}
	if len(names) == 1 {
		return names[0]
	}
	return "(" + strings.Join(names, word) + ")"
}

func isSafe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}
