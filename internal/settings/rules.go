package settings

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/gateway"
)

// rules finds what the gateway would take and nobody means.
func (r *reader) rules(f *file, s *Settings) {
	for i, route := range s.Routes {
		r.onePool(fmt.Sprintf("routes[%d]", i), route, s)
	}
	for i, wide := range s.Routes {
		for j, narrow := range s.Routes {
			if !takesFrom(wide, narrow, s.Routes) {
				continue
			}
			key := fmt.Sprintf("routes[%d]", i)
			r.warnings = append(r.warnings, Fault{r.path, r.line(key), key, fmt.Errorf(
				"a route with a host goes before one without: at %s it takes the requests for %s from routes[%d] on line %d, %s; give that one the host too, or add a route for %s%s",
				wide.Host, pathOf(narrow), j, r.line(fmt.Sprintf("routes[%d]", j)), difference(narrow, wide), wide.Host, pathOf(narrow))})
		}
	}
}

func pathOf(route gateway.Route) string { return cmp.Or(route.Path, "/") }

func hostOf(host string) string { return strings.TrimSuffix(strings.ToLower(host), ".") }

// under reports whether a path is another one or below it.
func under(path, other string) bool {
	rest, ok := strings.CutPrefix(strings.TrimSuffix(path, "/"), strings.TrimSuffix(other, "/"))
	return ok && (rest == "" || rest[0] == '/')
}

// takesFrom reports whether a route with a host takes requests that a narrower one
// without would have judged more strictly.
func takesFrom(wide, narrow gateway.Route, all []gateway.Route) bool {
	covers := func(route gateway.Route) bool {
		return hostOf(route.Host) == hostOf(wide.Host) && !route.Exact && under(pathOf(narrow), pathOf(route))
	}
	length := func(route gateway.Route) int { return len(strings.TrimSuffix(pathOf(route), "/")) }
	if wide.Host == "" || narrow.Host != "" || !covers(wide) || length(wide) >= length(narrow) || difference(narrow, wide) == "" {
		return false
	}
	// Another one with the host may be there for these.
	return !slices.ContainsFunc(all, func(route gateway.Route) bool { return covers(route) && length(route) > length(wide) })
}

// difference is what a route does without that another one asks for; empty where that is
// nothing.
func difference(strict, loose gateway.Route) string {
	switch {
	case strict.Public:
		return ""
	case loose.Public:
		return "and is public"
	case strict.Tenant != "" && strict.Tenant != loose.Tenant:
		return "and is not for the people of pool " + strict.Tenant
	}
	var missing []string
	for _, p := range strict.Permissions {
		if !slices.ContainsFunc(loose.Permissions, func(o codegrant.Permission) bool { return o.String() == p.String() }) {
			missing = append(missing, p.String())
		}
	}
	if len(missing) == 0 {
		return ""
	}
	return "and does not ask for " + strings.Join(missing, ", ")
}

// onePool finds routes that could be for the people of two pools. The host says which
// pool, where one alone answers for it. Package gateway refuses those of tenants without
// issuers; here, pools always have one, and that chooses for bearer tokens alone: a person
// of the second pool who signs in would be nobody at the route.
func (r *reader) onePool(key string, route gateway.Route, s *Settings) {
	if route.Tenant != "" || route.Public && route.Files != nil {
		return
	}
	hosts := []string{hostOf(route.Host)}
	if route.Host == "" {
		for _, p := range s.Pools {
			for _, host := range p.Hosts {
				taken := func(o gateway.Route) bool {
					return hostOf(o.Host) == hostOf(host) && !o.Exact && len(o.Methods) == 0 && under(pathOf(route), pathOf(o))
				}
				if !slices.ContainsFunc(s.Routes, taken) {
					hosts = append(hosts, hostOf(host))
				}
			}
		}
	}
	for _, host := range hosts {
		var named, others []string
		for _, p := range s.Pools {
			if len(p.Hosts) == 0 {
				others = append(others, p.Name)
			} else if slices.ContainsFunc(p.Hosts, func(h string) bool { return hostOf(h) == host }) {
				named = append(named, p.Name)
			}
		}
		if len(named) == 0 {
			named = others
		}
		if len(named) > 1 {
			r.follow(key, "pools %s answer for %s, and nothing says whose people these are; add tenant: with the name of one",
				strings.Join(named, " and "), cmp.Or(host, "every other host"))
			return
		}
	}
}
