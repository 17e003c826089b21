package settings

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/gateway"
)

// Console is where operators' pages are, and for whom.
type Console struct {
	Groups   []string
	PoolName string
	Prefix   string
	Unsafe   []codegrant.Permission // what actions ask beside the group
	Route    gateway.Route          // to it; its handler finds nothing
}

// console reads what is said of it. It is public to the gateway, because it asks by itself
// who comes.
func (r *reader) console(f *file, s *Settings) {
	const key = "console"
	c := f.Console
	if c == nil || len(s.Pools) == 0 {
		return
	}
	pool := &s.Pools[0]
	if c.Pool != "" {
		i := slices.IndexFunc(s.Pools, func(p Pool) bool { return p.Name == c.Pool })
		if i < 0 {
			r.fault(key+".pool", "there is no pool of this name")
			return
		}
		pool = &s.Pools[i]
	}
	if len(c.Groups) == 0 && !r.has(key+".groups") {
		r.fault(key, "groups is missing: set the groups whose members may open the console")
	}
	if s.Sessions == InCookies || pool.Config.InsecureSharedTokensDomain != "" {
		r.fault(key, "it needs sessions in memory, a database or Redis: the gateway cannot end an operator's session that is in a cookie")
	}
	out := &Console{Groups: c.Groups, PoolName: pool.Name, Prefix: "/" + strings.Trim(cmp.Or(c.Path, "/console"), "/")}
	out.Unsafe = r.stepUp(key, route{ACR: c.ACR, MaxAge: c.MaxAge})
	out.Route = gateway.Route{Name: "console", Path: out.Prefix, Tenant: pool.Name, Public: true, Handler: http.NotFoundHandler()}
	if u, err := url.Parse(pool.Config.BaseURL); err == nil && len(pool.Hosts) > 0 {
		out.Route.Host = u.Hostname()
	}
	if out.Prefix == "/" || out.Prefix == pool.Prefix || strings.HasPrefix(pool.Prefix, out.Prefix+"/") || strings.HasPrefix(out.Prefix, pool.Prefix+"/") {
		r.fault(key+".path", "it must be a separate path, such as /console, outside the pool's endpoints at %s", pool.Prefix)
	}
	for i, other := range s.Routes {
		if strings.EqualFold(pathOf(other), out.Prefix) && hostOf(other.Host) == hostOf(out.Route.Host) {
			r.fault(key+".path", "routes[%d] has this path already", i)
		}
	}
	if tenants, err := s.quietTenants(); err == nil && !r.faulty(key) {
		i := slices.IndexFunc(tenants, func(t gateway.Tenant) bool { return t.Name == pool.Name })
		if c.ACR != "" && !hasLevel(tenants[i], c.ACR) {
			r.follow(key+".acr", "pool %s has no such level; its levels say the values of acr that it has", pool.Name)
		}
		if _, err := gateway.New(gateway.Config{Tenants: tenants, Routes: []gateway.Route{out.Route}, Transport: noTransport{}}); err != nil {
			for _, leaf := range leaves(err) {
				r.fault(key+".path", "%s", strings.TrimPrefix(leaf.Error(), "configure the gateway: "))
			}
		}
	}
	if !r.faulty(key) {
		s.Console = out
	}
}
