package settings

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/exchange"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/mcp"
	"github.com/codegrant/codegrant/secret"
)

// Delegation is what upstreams get in place of the person's token.
type Delegation struct {
	// Exchanges are by route; nil: it has none.
	Exchanges []*Exchange
	// ExchangeIssuer issues the tokens that no pool does, for people of ExchangePool first;
	// nil: none are.
	ExchangeIssuer *exchange.IssuerConfig
	ExchangePool   string
	// Upstreams are authorization servers of others. UpstreamOf is by route: which one its
	// upstream gets tokens of; empty: none.
	Upstreams  []Upstream
	UpstreamOf []string
}

// Exchange is what a route's upstream gets in place of the person's token.
type Exchange struct {
	// Config lacks By and Logger.
	exchange.Config
	// Pool issues the tokens, and Machine is the app client that acts; nil: the issuer of
	// this configuration does.
	Pool     *cognito.Pool
	Machine  *cognito.Pool
	PoolName string
}

// The values of by.
const (
	byPool     = "pool"
	byEndpoint = "token_endpoint"
	byGateway  = "gateway"
)

// exchanges makes them of the routes' settings. It is called when it is known which MCP
// servers clients come to with tokens of the broker.
func (r *reader) exchanges(f *file, s *Settings) {
	var issuer *Pool // of the first route that the gateway issues tokens for
	for i, c := range f.Routes {
		var e *Exchange
		if c.Exchange != nil {
			e = r.exchange(itemKey("routes", i)+".exchange", c, s, i)
		}
		if s.Exchanges = append(s.Exchanges, e); e != nil && e.Pool == nil && issuer == nil {
			issuer = poolOf(s, c)
		}
	}
	const key = "exchange_issuer"
	if issuer == nil {
		if r.has(key) && !r.faulty("routes") {
			r.fault(key, "no route has exchange with by: gateway; add one, or remove this")
		}
		return
	}
	c := f.ExchangeIssuer
	config := exchange.IssuerConfig{URL: cmp.Or(c.Issuer, issuer.Config.BaseURL+"/exchange"), Keys: s.Keys, Algorithm: c.Algorithm, Lifetime: c.Lifetime}
	if c.Algorithm != "" {
		r.oneOf(key+".algorithm", c.Algorithm, "RS256", "ES256", "EdDSA")
	}
	if !strings.HasPrefix(config.URL, issuer.Config.BaseURL+"/") {
		r.fault(key+".issuer", "it must be a URL below %s, where services find the keys", issuer.Config.BaseURL)
	} else if path := strings.TrimPrefix(config.URL, issuer.Config.BaseURL); path == issuer.Prefix || strings.HasPrefix(path, issuer.Prefix+"/") {
		r.fault(key+".issuer", "it must not be below the prefix of the pool's endpoints")
	}
	if r.faulty(key) {
		return
	}
	if _, err := exchange.NewIssuer(config); err != nil {
		r.exchangeFaults(key, err)
		return
	}
	s.ExchangeIssuer, s.ExchangePool = &config, issuer.Name
}

func (r *reader) exchangeFaults(key string, err error) {
	for _, leaf := range leaves(err) {
		r.follow(key, "%s", strings.TrimPrefix(leaf.Error(), "configure exchange: "))
	}
}

func (r *reader) exchange(key string, c route, s *Settings, i int) *Exchange {
	x := c.Exchange
	switch {
	case c.Upstream == nil:
		r.fault(key, "exchange needs an upstream that gets the token; add one")
	case c.Public:
		r.fault(key, "the route is public, and exchange needs a person's token; remove one of them")
	case c.Machines:
		r.fault(key, "the route lets machines in, and exchange works only for people; use two routes")
	case c.PassAccessToken || c.PassAuthorization:
		r.fault(key, "the upstream would also get the person's own token; remove pass_access_token and pass_authorization")
	}
	by := cmp.Or(x.By, byPool)
	r.oneOf(key+".by", by, byPool, byEndpoint, byGateway)
	if x.Audience == "" {
		r.fault(key+".audience", "it is missing: set the identifier of the service that gets the token")
	}
	e := &Exchange{Config: exchange.Config{Audience: x.Audience, Scopes: x.Scopes, Actor: x.Actor}}
	pool := poolOf(s, c)
	if r.faulty(key) || pool == nil {
		return nil
	}
	e.PoolName = pool.Name
	if slices.Contains(pool.Config.BearerResources, x.Audience) || slices.ContainsFunc(s.MCP, func(m *mcp.Config) bool { return m != nil && m.URL == x.Audience }) {
		r.fault(key+".audience", "routes of this gateway accept tokens for this audience, and the upstream could use them here; choose another audience")
	}
	if by == byGateway {
		for _, name := range []string{"client_id", "client_secret", "client_secret_file"} {
			if r.has(key + "." + name) {
				r.fault(key+"."+name, "the gateway issues the tokens, without the pool; remove it")
			}
		}
	} else if m := s.MCP[i]; m != nil && s.Broker != nil && s.brokered(*m) {
		r.fault(key+".by", "clients have tokens of the broker, which the pool does not know; set by: gateway")
	} else {
		r.exchangePool(key, c, by, pool, e)
	}
	if r.faulty(key) {
		return nil
	}
	// The issuer is not asked yet.
	if err := e.check(); err != nil {
		r.exchangeFaults(key, err)
		return nil
	}
	return e
}

// exchangePool names the app client that exchanges tokens: the pool's, or its own.
func (r *reader) exchangePool(key string, c route, by string, pool *Pool, e *Exchange) {
	x, own := c.Exchange, pool.Config.Pool
	if x.ClientID != "" {
		own.ClientID, own.ClientSecret, own.SecondSecret, own.Secrets, own.ClientSecretARN = x.ClientID, cognito.Secret(x.ClientSecret), "", nil, ""
		if x.ClientSecretFile != "" && r.readFile(key+".client_secret_file", x.ClientSecretFile, true) != nil {
			file, err := secret.NewFile(r.beside(x.ClientSecretFile))
			if err != nil {
				r.fault(key+".client_secret_file", "%w", err)
				return
			}
			own.Secrets = file
		}
		if x.ClientSecret != "" && x.ClientSecretFile != "" {
			r.fault(key+".client_secret", "set only one of client_secret and client_secret_file")
		}
	} else if x.ClientSecret+x.ClientSecretFile != "" {
		r.fault(key+".client_id", "it is missing: set the app client of the secret")
	}
	machine := own
	if by == byPool {
		own.Domain = "" // then the API is asked
	}
	e.Pool = &own
	if x.Actor {
		e.Machine = &machine
		if machine.Secrets == nil && machine.ClientSecret == "" {
			r.fault(key+".actor", "the app client has no secret, and cannot get a machine token that names the actor; set a secret, or remove actor")
		}
	}
}

// noActorToken stands for the source of tokens of who acts.
func noActorToken(context.Context) (string, error) { return "", errors.New("none is fetched yet") }

// check asks whether an exchange takes its configuration.
func (e *Exchange) check() error {
	c := e.Config
	c.By = new(exchange.Issuer)
	if e.Pool != nil {
		pool, err := exchange.NewPool(exchange.PoolConfig{Pool: *e.Pool, ActorToken: noActorToken})
		if err != nil {
			return err
		}
		c.By = pool
	}
	_, err := exchange.New(c)
	return err
}

// NewIssuer makes the issuer of exchanged tokens, and the routes that lead to its keys; nil:
// there is none.
func (s *Settings) NewIssuer() (issuer *exchange.Issuer, all []gateway.Route, err error) {
	if s.ExchangeIssuer == nil {
		return nil, nil, nil
	}
	if issuer, err = exchange.NewIssuer(*s.ExchangeIssuer); err != nil {
		return nil, nil, err
	}
	host := ""
	for _, p := range s.Pools {
		if u, err := url.Parse(s.ExchangeIssuer.URL); err == nil && p.Name == s.ExchangePool && len(p.Hosts) > 0 {
			host = u.Hostname()
		}
	}
	for path, h := range issuer.Handlers() {
		all = append(all, gateway.Route{Name: "exchange " + path, Host: host, Path: path, Exact: true, Tenant: s.ExchangePool, Public: true, Handler: h})
	}
	slices.SortFunc(all, func(a, b gateway.Route) int { return cmp.Compare(a.Path, b.Path) })
	return issuer, all, nil
}
