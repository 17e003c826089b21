package settings

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/gateway"
	oauth "github.com/codegrant/codegrant/upstream"
)

// Upstream is an authorization server of others, for people of a pool.
type Upstream struct {
	// Config lacks Auth, Cupboard and Logger.
	oauth.Config
	PoolName string
}

// upstreams reads them, and which routes get tokens there.
func (r *reader) upstreams(f *file, s *Settings) {
	for _, name := range slices.Sorted(maps.Keys(f.UpstreamOAuth)) {
		r.upstream("upstream_oauth."+name, name, f.UpstreamOAuth[name], s)
	}
	for i, c := range f.Routes {
		key := itemKey("routes", i) + ".upstream_oauth"
		s.UpstreamOf = append(s.UpstreamOf, c.UpstreamOAuth)
		if c.UpstreamOAuth == "" {
			continue
		}
		known := slices.IndexFunc(s.Upstreams, func(u Upstream) bool { return u.Name == c.UpstreamOAuth })
		switch _, named := f.UpstreamOAuth[c.UpstreamOAuth]; {
		case !named:
			r.fault(key, "there is no %q in upstream_oauth at the top of the file", bounded(c.UpstreamOAuth))
		case c.Upstream == nil:
			r.fault(key, "the route has no upstream for the token; add one")
		case c.Public:
			r.fault(key, "the route is public, and tokens belong to people; remove one of them")
		case c.Machines:
			r.fault(key, "the route lets machines in, and tokens belong to people; use a separate route for machines")
		case c.PassAccessToken || c.PassAuthorization || c.Exchange != nil:
			r.fault(key, "the upstream would get two tokens; remove pass_access_token, pass_authorization and exchange")
		case known >= 0 && poolOf(s, c) != nil && poolOf(s, c).Name != s.Upstreams[known].PoolName:
			r.fault(key, "it belongs to pool %s, and the route to pool %s", s.Upstreams[known].PoolName, poolOf(s, c).Name)
		}
	}
}

func (r *reader) upstream(key, name string, c otherServer, s *Settings) {
	if len(s.Pools) == 0 {
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
	if s.Sessions == InCookies || pool.Config.InsecureSharedTokensDomain != "" {
		r.fault(key, "it needs sessions in memory, a database or Redis: the gateway cannot end sessions that are in cookies")
	}
	secret := c.ClientSecret
	if c.ClientSecretFile != "" {
		if secret != "" {
			r.fault(key+".client_secret", "set only one of client_secret and client_secret_file")
		}
		secret = strings.TrimSpace(string(r.readFile(key+".client_secret_file", c.ClientSecretFile, true)))
	}
	config := oauth.Config{
		Name: name, AuthorizeURL: c.AuthorizeURL, TokenURL: c.TokenURL, RevokeURL: c.RevokeURL, Issuer: c.Issuer, ClientID: c.ClientID,
		ClientSecret: cognito.Secret(secret), SecretInForm: c.SecretInForm, Scopes: c.Scopes, Keys: s.Keys,
	}
	if r.faulty(key) {
		return
	}
	if err := config.Check(); err != nil {
		for _, leaf := range leaves(err) {
			r.fault(key, "%s", strings.TrimPrefix(leaf.Error(), "configure upstream: "))
		}
		return
	}
	s.Upstreams = append(s.Upstreams, Upstream{config, pool.Name})
}

// UpstreamRoutes lead to where people agree.
func (s *Settings) UpstreamRoutes(of Upstream, u *oauth.Upstream) (all []gateway.Route) {
	host := ""
	for _, p := range s.Pools {
		if at, err := url.Parse(p.Config.BaseURL); err == nil && p.Name == of.PoolName && len(p.Hosts) > 0 {
			host = at.Hostname()
		}
	}
	handlers := u.Handlers()
	for _, path := range of.Paths() {
		all = append(all, gateway.Route{Name: "upstream " + path, Host: host, Path: path, Exact: true, Tenant: of.PoolName, Public: true, Handler: handlers[path]})
	}
	return all
}
