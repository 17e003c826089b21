package gateway

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// endpointOf is the tenant whose own endpoint the target is.
func (g *Gateway) endpointOf(target target) *tenant {
	under := func(t *tenant) bool { return target.path == t.Prefix || strings.HasPrefix(target.path, t.Prefix+"/") }
	for _, t := range g.tenants {
		if slices.Contains(t.Hosts, target.host) && under(t) {
			return t
		}
	}
	for _, t := range g.tenants {
		if len(t.Hosts) == 0 && under(t) {
			return t
		}
	}
	return nil
}

// tenantOf is the tenant that a request is judged by, where its route names none: that of
// its host. Where a host has several, the issuer that a bearer token names selects among
// those, and proves nothing. Nothing that a request says selects another pool: whose
// people may pass, and in whose groups they have to be, is not for it to choose.
func (g *Gateway) tenantOf(r *http.Request, target target) *tenant {
	if len(g.tenants) == 1 {
		return g.tenants[0]
	}
	host := hostOf(g.tenants, target.host)
	first, several := (*tenant)(nil), false
	for _, t := range g.tenants {
		if t.isOf(host) {
			several = first != nil
			first = cmp.Or(first, t)
		}
	}
	if first == nil {
		return g.tenants[0]
	}
	if !several {
		return first
	}
	if issuer := bearerIssuer(r); issuer != "" {
		for _, t := range g.tenants {
			if t.isOf(host) && t.Issuer == issuer {
				return t
			}
		}
	}
	return first
}

// undecided says of a route that names no tenant at which host two of them answer, with
// nothing that chooses between them: the first one's people would pass, and nobody has said
// that it is theirs. Of tenants that each have an issuer of their own, a bearer token's
// chooses, which is what [Tenant.Issuer] is for; sessions are the first one's then. The
// configuration file of codegrant serve has no such choice, and asks for a name there, too.
func (t *table) undecided(r *route) error {
	if r.tenant != nil || r.Public && r.Files != nil {
		return nil
	}
	hosts := []string{hostOf(t.tenants, r.Host)}
	if r.Host == "" {
		for _, one := range t.tenants {
			for _, host := range one.Hosts {
				if !slices.ContainsFunc(t.routes, func(o *route) bool { return o.Host == host && o.takesAllOf(r) }) {
					hosts = append(hosts, host)
				}
			}
		}
	}
	for _, host := range hosts {
		var names []string
		issuers := make(map[string]bool)
		for _, one := range t.tenants {
			if one.isOf(host) {
				names = append(names, one.Name)
				issuers[one.Issuer] = true
			}
		}
		if len(names) > 1 && (len(issuers) < len(names) || issuers[""]) {
			return fmt.Errorf("%s: tenants %s answer for %s, and nothing says whose people these are; set Tenant to one of them, or Issuer of each",
				r.Name, strings.Join(names, " and "), cmp.Or(r.Host, host, "every other host"))
		}
	}
	return nil
}

// takesAllOf reports whether no request for the paths of another route comes to that one,
// at the hosts that this one is for.
func (r *route) takesAllOf(o *route) bool {
	rest, ok := strings.CutPrefix(strings.TrimSuffix(o.Path, "/"), strings.TrimSuffix(r.Path, "/"))
	return ok && (rest == "" || rest[0] == '/') && !r.Exact && len(r.Methods) == 0
}

// hostOf is a host that tenants name, or empty, which stands for all others.
func hostOf(tenants []*tenant, host string) string {
	for _, t := range tenants {
		if slices.Contains(t.Hosts, host) {
			return host
		}
	}
	return ""
}

// isOf reports whether a tenant answers for a host, as hostOf has it.
func (t *tenant) isOf(host string) bool {
	return host == "" && len(t.Hosts) == 0 || slices.Contains(t.Hosts, host)
}
