package settings

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/internal/sign"
)

func (r *reader) routes(f *file, s *Settings) {
	for i, c := range f.Routes {
		key := fmt.Sprintf("routes[%d]", i)
		s.Routes = append(s.Routes, r.route(key, c, s))
		s.RouteLines = append(s.RouteLines, r.line(key))
		s.MCP = append(s.MCP, r.mcp(key+".mcp", c, s))
	}
	asserted := slices.ContainsFunc(s.Routes, func(c gateway.Route) bool { return c.Assertion })
	if asserted || r.has("assertions") {
		keys, err := sign.Derive(s.Keys, "assertion", f.Assertions.Algorithm)
		if err != nil {
			r.fault("assertions", "%w", err)
		}
		s.Assertions = &gateway.Assertions{
			Keys: keys.Ed25519, ECKeys: keys.EC, RSAKeys: keys.RSA, Algorithm: f.Assertions.Algorithm, Issuer: f.Assertions.Issuer, Lifetime: f.Assertions.Lifetime,
		}
		if f.Assertions.Algorithm != "" {
			r.oneOf("assertions.algorithm", f.Assertions.Algorithm, sign.EdDSA, sign.ES256, sign.RS256)
			if r.faulty("assertions.algorithm") {
				s.Assertions.Algorithm = ""
			}
		}
		if s.Assertions.Issuer == "" {
			s.Assertions.Issuer = f.BaseURL
		}
		if s.Assertions.Issuer == "" && len(s.Pools) > 0 {
			s.Assertions.Issuer = s.Pools[0].Config.BaseURL
		}
	}
	r.broker(f, s)
	r.exchanges(f, s)
	r.upstreams(f, s)
	r.console(f, s)
	r.checkRoutes(f, s)
	r.tryGateway(s)
	r.levels(f, s)
}

func (r *reader) route(key string, c route, s *Settings) gateway.Route {
	out := gateway.Route{
		Name: c.Name, Host: c.Host, Path: c.Path, Exact: c.Exact, Methods: c.Methods, Tenant: c.Tenant,
		Public: c.Public, Actors: c.Actors, StripPrefix: c.StripPrefix, EncodedPaths: c.EncodedPaths == "pass",
		ClearCookies:  c.ClearCookies,
		CaseSensitive: c.CaseSensitive, DotSensitive: c.DotSensitive, SlashSensitive: c.SlashSensitive, ExtensionSensitive: c.ExtensionSensitive,
		PassAccessToken: c.PassAccessToken, PassAuthorization: c.PassAuthorization, PassHeaders: c.PassHeaders, Assertion: c.Assertion, SendGroups: c.SendGroups,
	}
	if c.EncodedPaths != "" {
		r.oneOf(key+".encoded_paths", c.EncodedPaths, "refuse", "pass")
	}
	out.Permissions = slices.Concat(r.permissions(key, c, s), r.places(key, c), r.stepUp(key, c))
	switch {
	case !c.Machines:
	case len(c.Scopes) == 0:
		r.fault(key+".machines", "it needs scopes: set the scopes that machines must have")
	case len(c.Groups) > 0 || len(c.AnyGroups) > 0:
		r.fault(key+".machines", "machines are in no groups, so none could pass; use a separate route for machines")
	case c.Organization || len(c.OrganizationRoles) > 0:
		r.fault(key+".machines", "machines act for no organization, so none could pass; use a separate route for machines")
	case len(c.AllowEmails) > 0 || len(c.AllowEmailDomains) > 0:
		r.fault(key+".machines", "machines have no e-mail address, so none could pass; use a separate route for machines")
	default:
		out.Machines = c.Scopes
	}
	if c.Public && len(out.Permissions) > 0 {
		r.fault(key+".public", "a public route has no permissions: remove public, or the permissions")
		out.Permissions = nil
	}
	if c.Upstream != nil && c.Files != "" {
		r.fault(key, "it has an upstream and files: remove one of them")
	}
	if u := c.Upstream; u != nil {
		if len(u.URLs) == 0 && !r.has(key+".upstream.urls") {
			r.fault(key+".upstream.urls", "there is none")
		}
		retries := u.Retries
		if retries == 0 && r.has(key+".upstream.retries") {
			retries = -1 // to the gateway, 0 is what nobody has set
		}
		out.Upstream = &gateway.Upstream{
			URLs: u.URLs, Health: u.Health, HealthEvery: u.HealthEvery, Timeout: u.Timeout, Retries: retries, MaxBody: int64(u.MaxBody), Host: u.Host,
		}
	}
	if c.Files != "" {
		folder := r.beside(c.Files)
		if info, err := os.Stat(folder); err != nil {
			r.fault(key+".files", "%w", plain(err))
		} else if !info.IsDir() {
			r.fault(key+".files", "%s is not a folder", folder)
		}
		out.Files = os.DirFS(folder)
		for _, sent := range []struct {
			name string
			is   bool
		}{{"pass_access_token", c.PassAccessToken}, {"pass_authorization", c.PassAuthorization}, {"pass_headers", len(c.PassHeaders) > 0}, {"assertion", c.Assertion}, {"send_groups", c.SendGroups != nil}} {
			if sent.is {
				r.fault(key+"."+sent.name, "it does not work with files; remove it")
			}
		}
	}
	return out
}

// permissions are all needed, unless others may read.
func (r *reader) permissions(key string, c route, s *Settings) []codegrant.Permission {
	var all []codegrant.Permission
	named := func(list []string) bool { return len(list) > 0 && !slices.Contains(list, "") } // "" has a fault already
	if named(c.Groups) {
		for _, group := range c.Groups {
			all = append(all, s.People.InGroup(group))
		}
	}
	if named(c.AnyGroups) {
		all = append(all, s.People.InAnyGroup(c.AnyGroups...))
	}
	if named(c.Scopes) {
		for _, scope := range c.Scopes {
			all = append(all, codegrant.HasScope(scope))
		}
	}
	all = append(all, r.named(key, c, s)...)
	all = append(all, r.actingFor(key, c, s)...)
	if p := r.byPolicies(key, c, s); p != nil {
		all = append(all, p)
	}
	if !c.ReadOnlyForOthers {
		return all
	}
	if len(all) == 0 {
		r.fault(key+".read_only_for_others", "it needs groups, any_groups, roles or scopes: all other people may then read")
		return all
	}
	return []codegrant.Permission{codegrant.Any(codegrant.All(all...), codegrant.ReadOnly())}
}

// tryGateway asks the gateway whether it takes the configuration: routes one by one,
// so that each fault finds its line, then all, for what one route does to another. A
// command that has no use for routes has none for hosts and prefixes of pools.
func (r *reader) tryGateway(s *Settings) {
	if !r.uses("routes") {
		return
	}
	config := gateway.Config{
		TrustedProxies: s.TrustedProxies, Logger: slog.New(slog.DiscardHandler), Transport: noTransport{},
	}
	var err error
	if config.Tenants, err = s.quietTenants(); err != nil {
		return // what the real one would refuse has been said
	}
	if len(config.Tenants) == 0 {
		return
	}
	try := func(change func(*gateway.Config), found func(string)) {
		c := config
		change(&c)
		_, err := gateway.New(c)
		if err == nil {
			return
		}
		for _, leaf := range leaves(err) {
			found(strings.TrimPrefix(leaf.Error(), "configure the gateway: "))
		}
	}

	before := len(r.faults)
	try(func(*gateway.Config) {}, func(text string) {
		var i int
		if n, _ := fmt.Sscanf(text, "Tenants[%d]:", &i); n == 1 {
			_, text, _ = strings.Cut(text, ": ")
			r.fault(fmt.Sprintf("pools[%d].hosts", i), "%s", text)
			return
		}
		r.fault("pools", "%s", text)
	})
	if len(r.faults) > before {
		return // every route would be told the same
	}
	try(func(c *gateway.Config) { c.Headers = s.Headers }, func(text string) {
		r.fault("headers", "%s", strings.TrimPrefix(text, "Headers: "))
	})
	try(func(c *gateway.Config) { c.HSTS = s.HSTS }, func(text string) {
		r.fault("hsts", "%s", strings.TrimPrefix(text, "HSTS: "))
	})
	try(func(c *gateway.Config) { c.Assertions = s.Assertions }, func(text string) {
		r.fault("assertions", "%s", strings.TrimPrefix(text, "Assertions: "))
	})
	var tried []gateway.Route
	var index []int
	for i, route := range s.Routes {
		if u := route.Upstream; u != nil && u.Health != "" && !strings.HasPrefix(u.Health, "/") {
			r.fault(fmt.Sprintf("routes[%d].upstream.health", i), "it must begin with a slash")
		}
		route = quiet(route) // nobody is asked while settings are read
		good := true
		try(func(c *gateway.Config) { c.Routes, c.Assertions = []gateway.Route{route}, placeholderAssertions(s) }, func(text string) {
			good = false
			key := fmt.Sprintf("routes[%d]", i)
			_, text, _ = strings.Cut(text, "[0] ")
			if _, after, ok := strings.Cut(text, ": "); ok {
				text = after
			}
			for _, word := range []string{"host", "path", "method", "upstream", "there is no tenant", "pass_headers:", "clear_cookies:", "actors:"} {
				if strings.HasPrefix(text, word+" ") {
					key = join(key, map[string]string{
						"method": "methods", "there is no tenant": "tenant", "pass_headers:": "pass_headers", "clear_cookies:": "clear_cookies", "actors:": "actors",
					}[word])
					if strings.HasSuffix(key, ".") {
						key += word
					}
				}
			}
			r.follow(key, "%s", text)
		})
		if good && !r.faulty(fmt.Sprintf("routes[%d]", i)) {
			tried, index = append(tried, route), append(index, i)
		}
	}
	try(func(c *gateway.Config) { c.Routes, c.Assertions = tried, placeholderAssertions(s) }, func(text string) {
		name, why, ok := strings.Cut(strings.TrimPrefix(text, "Routes: "), " can never match: ")
		at := "routes"
		for j, route := range tried {
			path := route.Path
			if path == "" {
				path = "/"
			}
			if ok && (route.Name == name || route.Name == "" && route.Host+path == name) {
				at = fmt.Sprintf("routes[%d]", index[j]) // the last of that name
			}
		}
		r.fault(at, "it can never match: %s", why)
	})
}

// placeholderAssertions keep a fault of the assertions from being every route's.
func placeholderAssertions(s *Settings) *gateway.Assertions {
	if s.Assertions == nil {
		return nil
	}
	return &gateway.Assertions{Keys: s.Assertions.Keys, Issuer: "https://placeholder.example.com"}
}

// noTransport reaches nobody.
type noTransport struct{}

func (noTransport) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, fmt.Errorf("settings are read without talking to anybody")
}
