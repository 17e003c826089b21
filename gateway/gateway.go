package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant"
)

// Config is what [New] needs. Tenants is required.
type Config struct {
	// Tenants are the pools and app clients that people sign in with. The first
	// one answers for hosts that no other one names.
	Tenants []Tenant

	// Routes say which requests go where, and who may make them. A request that
	// none of them matches is 404. Without any, the gateway answers forward-auth
	// questions alone, and lets everybody through who is signed in.
	Routes []Route

	// TrustedProxies are the addresses of proxies whose X-Forwarded-* and
	// X-Original-* headers count. From anybody else they are dropped. Defaults
	// to none.
	TrustedProxies []netip.Prefix

	// Headers names the headers with which upstreams learn who is asking.
	Headers Headers

	// Assertions signs what upstreams get, for routes that ask for it.
	// Defaults to none.
	Assertions *Assertions

	// HSTS is said with every answer, in place of what upstreams say of it. Defaults
	// to nothing.
	HSTS *HSTS

	// Transport sends requests to upstreams. Default: [NewTransport].
	Transport http.RoundTripper

	// OnPass gets every request that may pass, before a file or an upstream
	// answers it, and returns where the answer goes: w, or what it has wrapped w in.
	// nil: it has answered by itself. Defaults to w. Questions are not among them.
	OnPass func(w http.ResponseWriter, r *http.Request, p Passing) http.ResponseWriter

	// OnRequest gets every request that was decided on, after it was
	// answered. Defaults to nobody.
	OnRequest func(*http.Request, Outcome)

	// OnUpstream gets every request that a server of an upstream was asked, after it
	// has begun to answer, or has not. Defaults to nobody.
	OnUpstream func(UpstreamAnswer)

	// Logger receives faults of upstreams. Defaults to [slog.Default].
	Logger *slog.Logger

	// InAnyGroup makes a permission of the groups that a proxy asks for, in its query or
	// its own configuration. Defaults to [codegrant.InAnyGroup].
	InAnyGroup func(names ...string) codegrant.Permission

	// AnyRole makes a permission of the roles that a proxy asks for in the same way. An
	// error says that there is no such role. Defaults to none.
	AnyRole func(names ...string) (codegrant.Permission, error)

	// Now is the clock. Defaults to [time.Now].
	Now func() time.Time
}

// Tenant is one pool and app client, under the hosts that it serves.
type Tenant struct {
	// Name is for logs and metrics, and what routes call it.
	Name string
	// Auth signs its people in. Required.
	Auth *codegrant.Auth
	// Prefix is where its endpoints are mounted. Defaults to "/auth".
	Prefix string
	// Hosts that it answers for, without a port. Several tenants on one host
	// need prefixes of their own. Empty: those that no other tenant names.
	Hosts []string
	// Account answers at Prefix + "/account", and below it: the pages of package account.
	// Defaults to none.
	Account http.Handler
	// Organization answers at Prefix + "/organization", and below it: the endpoint and the
	// pages of package organization. Defaults to none.
	Organization http.Handler
	// Issuer of its tokens. Of several tenants on one host, a bearer token is judged
	// by that of its issuer where no route says which. It never chooses another
	// tenant than those of the host. Empty: bearer tokens follow the host.
	Issuer string
}

// Decision is what became of a request.
type Decision string

// The decisions.
const (
	Passed       Decision = "passed"       // allowed, or public
	Unauthorized Decision = "unauthorized" // nobody, or a proof that was refused
	Forbidden    Decision = "forbidden"    // signed in, without the permission
	Unavailable  Decision = "unavailable"  // it could not be found out
	NotFound     Decision = "not found"    // no route
	Refused      Decision = "refused"      // a target that is not plain, a method that the route does not have
	TooLarge     Decision = "too large"    // allowed, but the upstream cannot be told whole who is asking
)

// Passing is a request that may pass.
type Passing struct {
	Identity *codegrant.Identity // nil: nobody
	Files    bool                // a file answers it, or a handler
}

// Outcome is a request as the gateway decided on it.
type Outcome struct {
	Tenant   string
	Route    string
	Decision Decision
	Identity *codegrant.Identity // nil: nobody
	Status   int                 // of the answer; 0 where the connection was taken over
	Duration time.Duration
	// Reference is on the page of a person whose request the upstream did not answer.
	Reference string
}

// Gateway answers for its routes. It is safe for concurrent use. Make one with
// [New].
type Gateway struct {
	tenants []*tenant
	table   *table
	trusted []netip.Prefix
	headers headerNames
	signer  *signer
	proxy   *proxy
	hsts    []string // the header's; nil: none

	unrouted *route // what is asked about where there are no routes
	narrowed narrowedGuards

	observe func(*http.Request, Outcome)
	onPass  func(http.ResponseWriter, *http.Request, Passing) http.ResponseWriter
	log     *slog.Logger
	now     func() time.Time
}

type tenant struct {
	Tenant
	endpoints http.Handler
}

// New checks the configuration and joins the parts. The error names every fault
// at once. [Gateway.Close] ends what it starts.
func New(config Config) (*Gateway, error) {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	g := &Gateway{trusted: slices.Clone(config.TrustedProxies), observe: config.OnRequest, onPass: config.OnPass, log: config.Logger, now: config.Now}
	if g.log == nil {
		g.log = slog.Default()
	}
	if g.now == nil {
		g.now = time.Now
	}
	g.narrowed.anyRole = config.AnyRole
	if g.narrowed.inAny = config.InAnyGroup; g.narrowed.inAny == nil {
		g.narrowed.inAny = codegrant.InAnyGroup
	}
	if g.observe == nil {
		g.observe = func(*http.Request, Outcome) {}
	}
	if len(config.Tenants) == 0 {
		fault("Tenants: one is needed")
	}
	seen := make(map[string]string)
	for i, t := range config.Tenants {
		t.Name = cmp.Or(t.Name, fmt.Sprintf("tenant %d", i+1))
		t.Prefix = "/" + strings.Trim(cmp.Or(t.Prefix, "/auth"), "/")
		t.Hosts = slices.Clone(t.Hosts)
		if t.Auth == nil {
			fault("Tenants[%d]: Auth is missing", i)
			continue
		}
		for j, host := range t.Hosts {
			name, err := canonicalHost(host)
			if err != nil {
				fault("Tenants[%d]: host %q: %w", i, host, err)
			}
			t.Hosts[j] = name
		}
		for _, host := range append(t.Hosts, "")[:max(1, len(t.Hosts))] {
			if other, ok := seen[host+t.Prefix]; ok {
				fault("Tenants[%d]: %s answers for %s%s already", i, other, cmp.Or(host, "every host, "), t.Prefix)
			}
			seen[host+t.Prefix] = t.Name
		}
		if slices.ContainsFunc(g.tenants, func(o *tenant) bool { return o.Name == t.Name }) {
			fault("Tenants[%d]: the name %q is used twice", i, t.Name)
		}
		g.tenants = append(g.tenants, &tenant{Tenant: t, endpoints: t.Auth.Handler(t.Prefix)})
	}
	var err error
	if g.headers, err = config.Headers.resolve(); err != nil {
		fault("Headers: %w", err)
	}
	if config.HSTS != nil {
		value, err := config.HSTS.value()
		if err != nil {
			fault("HSTS: %w", err)
		}
		g.hsts = []string{value}
	}
	if config.Assertions != nil {
		if g.signer, err = newSigner(*config.Assertions, g.now); err != nil {
			fault("Assertions: %w", err)
		}
	}
	if g.table, err = newTable(config.Routes, g.tenants, g.signer != nil); err != nil {
		fault("Routes: %w", err)
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("configure the gateway: %w", errors.Join(faults...))
	}
	if g.unrouted, err = newRoute(Route{Name: "check"}, g.tenants, false); err != nil {
		return nil, fmt.Errorf("configure the gateway: %w", err)
	}
	g.proxy = newProxy(g, config.Transport)
	g.table.start(g, config.OnUpstream)
	return g, nil
}

// Close ends health checks and waits for what tenants do in the background, until
// ctx ends. It does not close stores.
func (g *Gateway) Close(ctx context.Context) error {
	g.table.stop()
	var faults []error
	for _, t := range g.tenants {
		faults = append(faults, t.Auth.Close(ctx))
	}
	return errors.Join(faults...)
}

// ServeHTTP is the reverse proxy, with the endpoints of the tenants.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := g.now()
	if g.hsts != nil {
		w.Header()["Strict-Transport-Security"] = g.hsts
	}
	said := g.admit(r)
	raw, mark := pathOf(r)
	target, err := newTarget(r.Method, r.Host, raw, r.URL.RawQuery)
	target.mark = mark
	if err == nil && r.URL.IsAbs() {
		// Which of its two hosts counts, net/http and others see differently.
		err = fmt.Errorf("%w: it is a whole URL", errTarget)
	}
	var endpoints *tenant
	var route *route
	if err == nil {
		switch endpoints = g.endpointOf(target); {
		case endpoints == nil:
			route, err = g.table.find(target, r.Method)
		case target.doubt != nil && !strings.HasPrefix(raw, endpoints.Prefix+"/check/"): // there, it is another request's
			err = fmt.Errorf("%w: %w", errTarget, target.doubt)
		case isQuestion(endpoints, target):
			g.check(w, r, endpoints, said)
			return
		}
	}
	if len(said.claimed) > 0 {
		g.tellRemoved(r, said.claimed)
	}
	if err != nil {
		g.refuse(w, r, http.StatusBadRequest, err)
		g.observe(r, Outcome{Decision: Refused, Status: http.StatusBadRequest, Duration: g.now().Sub(start)})
		return
	}
	socket := withoutUpgrade(r)
	if endpoints != nil {
		g.serveEndpoint(w, r, endpoints, target)
		return
	}
	tenant := g.tenantOf(r, target)
	outcome := Outcome{Tenant: tenant.Name, Decision: NotFound, Status: http.StatusNotFound}
	switch {
	case route == nil:
		g.refuse(w, r, http.StatusNotFound, nil)
	case !route.takes(r.Method):
		outcome.Decision, outcome.Status = Refused, http.StatusMethodNotAllowed
		w.Header().Set("Allow", strings.Join(route.Methods, ", "))
		g.refuse(w, r, http.StatusMethodNotAllowed, nil)
	default:
		if route.tenant != nil {
			tenant = route.tenant
		}
		outcome.Tenant, outcome.Route = tenant.Name, route.Name
		c := &call{
			Context: r.Context(), gateway: g, tenant: tenant, route: route, target: target, trusted: said.trusted, socket: socket, asked: r, pass: g.proxy.pass,
		}
		if route.servers != nil {
			c.Context, c.cancel = context.WithCancelCause(c.Context)
			defer c.cancel(nil)
		}
		outcome.Decision, outcome.Identity = c.decide(w, route.guards[tenant])
		outcome.Status, outcome.Reference = c.recorder.status, c.reference
	}
	outcome.Duration = g.now().Sub(start)
	g.observe(r, outcome)
}

// isQuestion reports whether a proxy asks about another request.
func isQuestion(t *tenant, target target) bool {
	endpoint := strings.TrimPrefix(target.path, t.Prefix)
	return endpoint == "/check" || strings.HasPrefix(endpoint, "/check/")
}

func (g *Gateway) serveEndpoint(w http.ResponseWriter, r *http.Request, t *tenant, target target) {
	endpoint := strings.TrimPrefix(target.path, t.Prefix)
	switch {
	case strings.TrimSuffix(endpoint, "/") == "/.well-known/jwks.json":
		g.jwks(w, r)
	case g.table.clears && strings.TrimSuffix(endpoint, "/") == "/logout":
		t.endpoints.ServeHTTP(&signingOut{ResponseWriter: w, gateway: g, tenant: t, host: target.host}, r)
	case t.Account != nil && (endpoint == "/account" || strings.HasPrefix(endpoint, "/account/")):
		t.Account.ServeHTTP(w, r)
	case t.Organization != nil && (endpoint == "/organization" || strings.HasPrefix(endpoint, "/organization/")):
		t.Organization.ServeHTTP(w, r)
	default:
		t.endpoints.ServeHTTP(w, r)
	}
}

// refuse answers what never comes near an upstream.
func (g *Gateway) refuse(w http.ResponseWriter, r *http.Request, status int, err error) {
	if err != nil {
		g.log.LogAttrs(r.Context(), slog.LevelWarn, "request refused", g.poolFor(r), slog.String("reason", err.Error()))
	}
	g.endedAt(r.Host).Auth.Answer(w, r, status, nil)
}

// endedAt is whose pages are shown where no tenant was decided on.
func (g *Gateway) endedAt(host string) *tenant {
	if name, err := canonicalHost(host); err == nil && len(g.tenants) > 1 {
		for _, t := range g.tenants {
			if slices.Contains(t.Hosts, name) {
				return t
			}
		}
	}
	return g.tenants[0]
}
