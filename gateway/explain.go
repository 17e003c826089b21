package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/codegrant/codegrant"
)

// Explanation says what would become of a request, and why.
type Explanation struct {
	Decision Decision
	// Route and Tenant decide; empty where no route is found. Also are routes whose
	// permissions are asked too, because a server could take the path for theirs.
	Route, Tenant string
	Also          []string
	// Asked is each permission, in order. None: being signed in is enough, or on a
	// public route nothing.
	Asked []Asked
	// Servers are the URLs that the request may go to, or "files".
	Servers []string
	// Reason is one sentence.
	Reason string
}

// Asked is a permission of a route, and whether the person has it.
type Asked struct {
	Route      string
	Permission string
	Has        bool
	Why        string // not, where there is more to say
}

// Explain says what would become of a request of a person, without sending it anywhere:
// for tests of rules. The person is of the tenant that is named, or of the one that
// decides where none is; nil is nobody. Of the request, Method, Host and RequestURI
// count, and RemoteAddr, an address with a port, as where it comes from.
func (g *Gateway) Explain(r *http.Request, tenant string, id *codegrant.Identity) Explanation {
	path, query, _ := strings.Cut(r.RequestURI, "?")
	target, err := newTarget(r.Method, r.Host, path, query)
	if err != nil {
		return Explanation{Decision: Refused, Reason: err.Error()}
	}
	if r.URL == nil {
		r = r.WithContext(r.Context())
		r.URL = &url.URL{Path: target.path, RawQuery: query}
	}
	if t := g.endpointOf(target); t != nil {
		if target.doubt != nil {
			return Explanation{Decision: Refused, Tenant: t.Name, Reason: target.doubt.Error()}
		}
		return Explanation{Decision: Passed, Tenant: t.Name, Reason: "the path is of the gateway's own endpoints"}
	}
	t, found := g.tenantOf(r, target), g.unrouted
	if len(g.table.routes) > 0 {
		if found, err = g.table.find(target, r.Method); err != nil {
			return Explanation{Decision: Refused, Reason: err.Error()}
		}
	}
	switch {
	case found == nil:
		return Explanation{Decision: NotFound, Reason: "no route is for it"}
	case found.tenant != nil:
		t = found.tenant
	}
	out := Explanation{Route: found.Name, Tenant: t.Name}
	for _, other := range found.because {
		out.Also = append(out.Also, other.Name)
	}
	if found.Files != nil {
		out.Servers = []string{"files"}
	} else if found.Upstream != nil {
		out.Servers = found.Upstream.URLs
	}
	if !found.takes(r.Method) {
		out.Decision, out.Reason = Refused, "the route takes only "+strings.Join(found.Methods, ", ")
		return out
	}
	if found.Public {
		out.Decision, out.Reason = Passed, "the route is public"
		return out
	}
	if id == nil {
		out.Decision, out.Reason = Unauthorized, "nobody is signed in"
	} else if tenant != "" && tenant != t.Name {
		out.Decision, out.Reason = Unauthorized, "the person is of another pool"
		id = nil
	}
	if id != nil && id.Machine && !slices.ContainsFunc(append(slices.Clip(found.because), found), func(r *route) bool { return len(r.Machines) > 0 }) {
		// As a token that proves nothing: nobody said that machines may.
		out.Decision, out.Reason = Unauthorized, "it is a machine, and the route lets none in"
	}
	if id != nil && id.Actor != nil && !slices.ContainsFunc(append(found.because, found), func(r *route) bool { return len(r.Actors) > 0 }) {
		out.Decision, out.Reason = Forbidden, id.Actor.String()+" acts for the person, and the route allows no actor"
	}
	missing := []string(nil)
	own := len(found.permissions)
	for _, other := range found.because {
		if other.takes(r.Method) {
			own -= len(other.permissions)
		}
	}
	r = r.WithContext(&call{Context: r.Context(), gateway: g, tenant: t, route: found, asked: r})
	ask := func(route string, permissions []codegrant.Permission) {
		for _, p := range permissions {
			has, why := false, ""
			if id != nil {
				err := t.Auth.Authorize(r.Context(), id, r, p)
				if errors.Is(err, codegrant.ErrUnavailable) {
					out.Decision, out.Reason = Unavailable, err.Error()
				}
				if has = err == nil; !has {
					missing = append(missing, p.String())
					if own, ok := p.(interface {
						Why(context.Context, *codegrant.Identity, *http.Request) string
					}); ok {
						why = own.Why(r.Context(), id, r)
					}
				}
			}
			out.Asked = append(out.Asked, Asked{route, p.String(), has, why})
		}
	}
	ask(found.Name, found.permissions[:own])
	for _, other := range found.because {
		ask(other.Name, other.permissions)
	}
	var again *codegrant.StepUpError
	switch {
	case out.Decision != "":
	case len(missing) > 0 && errors.As(t.Auth.Authorize(r.Context(), id, r, found.permissions...), &again):
		out.Decision, out.Reason = Unauthorized, "the person is to sign in again, for "+strings.Join(missing, " and ")
	case len(missing) > 0:
		out.Decision, out.Reason = Forbidden, "the person does not have "+strings.Join(missing, ", nor ")
	case len(out.Asked) > 0:
		out.Decision, out.Reason = Passed, "the person has what the route requires"
	default:
		out.Decision, out.Reason = Passed, "the person is signed in"
	}
	return out
}
