package gateway

import (
	"cmp"
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
