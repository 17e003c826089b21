package settings

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/gateway"
)

// Question is what somebody may want to know of the rules: what becomes of a request of
// a person.
type Question struct {
	Request string // such as GET https://app.example.com/admin; GET unless there is a method
	As      string // empty: nobody is signed in
	Pool    string // that the person is of; empty: whichever is asked for
	Groups  []string
	Scopes  []string
	Actor   string        // who acts for them; empty: nobody
	Machine bool          // As is an app client
	ACR     string        // level that the person has signed in at
	Ago     time.Duration // since they have

	Unverified bool       // the pool has not verified the person's address
	From       netip.Addr // that the request comes from; zero: unknown
}

// Explain answers a question by the rules of the settings, without asking anybody.
func (s *Settings) Explain(q Question) (gateway.Explanation, error) {
	g, err := s.rules()
	if err != nil {
		return gateway.Explanation{}, err
	}
	return s.explain(g, q)
}

// ExplainFor answers what becomes of a request of somebody who is known, or of nobody: nil.
// The pool is the one that they are of, empty where it does not matter.
func (s *Settings) ExplainFor(request, pool string, from netip.Addr, who *codegrant.Identity) (gateway.Explanation, error) {
	g, err := s.rules()
	if err != nil {
		return gateway.Explanation{}, err
	}
	r, err := s.request(request)
	if err != nil {
		return gateway.Explanation{}, err
	}
	if from.IsValid() {
		r.RemoteAddr = netip.AddrPortFrom(from, 1).String()
	}
	return g.Explain(r, pool, who), nil
}

// rules is a gateway that decides, and reaches nobody.
func (s *Settings) rules() (*gateway.Gateway, error) {
	tenants, err := s.quietTenants()
	if err != nil {
		return nil, err
	}
	config := gateway.Config{
		Tenants: tenants, Assertions: placeholderAssertions(s), Headers: s.Headers, Logger: slog.New(slog.DiscardHandler), Transport: noTransport{},
		InAnyGroup: s.People.InAnyGroup, AnyRole: s.AnyRole,
	}
	all, err := s.AllRoutes(nil, nil)
	if err != nil {
		return nil, err
	}
	for _, route := range all {
		config.Routes = append(config.Routes, quiet(route))
	}
	return gateway.New(config)
}

func (s *Settings) quietTenants() ([]gateway.Tenant, error) {
	var all []gateway.Tenant
	for _, p := range s.Pools {
		auth, err := codegrant.New(codegrant.Config{Pool: p.Config.Pool, Levels: p.Config.Levels, Keys: s.Keys, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			return nil, err
		}
		all = append(all, gateway.Tenant{Name: p.Name, Auth: auth, Prefix: p.Prefix, Hosts: p.Hosts, Issuer: p.Issuer})
	}
	return all, nil
}

// quiet is a route whose servers nobody asks how they are.
func quiet(route gateway.Route) gateway.Route {
	if route.Upstream != nil {
		upstream := *route.Upstream
		upstream.Health = ""
		route.Upstream = &upstream
	}
	return route
}

func (s *Settings) explain(g *gateway.Gateway, q Question) (gateway.Explanation, error) {
	r, err := s.request(q.Request)
	if err != nil {
		return gateway.Explanation{}, err
	}
	if q.From.IsValid() {
		r.RemoteAddr = netip.AddrPortFrom(q.From, 1).String()
	}
	if q.Pool != "" && !slices.ContainsFunc(s.Pools, func(p Pool) bool { return p.Name == q.Pool }) {
		return gateway.Explanation{}, fmt.Errorf("there is no pool %q", q.Pool)
	}
	if q.As == "" {
		if len(q.Groups) > 0 || len(q.Scopes) > 0 || q.Pool != "" || q.ACR != "" || q.Ago != 0 || q.Actor != "" || q.Unverified {
			return gateway.Explanation{}, fmt.Errorf("groups, scopes, pool and actor need a person: set as")
		}
		return g.Explain(r, "", nil), nil
	}
	who := &codegrant.Identity{Subject: q.As, Username: q.As, Groups: q.Groups, Scopes: q.Scopes, ACR: q.ACR, AuthTime: time.Now().Add(-q.Ago)}
	if q.Machine {
		who = &codegrant.Identity{Subject: q.As, ClientID: q.As, Scopes: q.Scopes, Machine: true}
	}
	if q.Actor != "" {
		who.Actor = &codegrant.Actor{Subject: q.Actor}
	}
	for _, pool := range s.Pools {
		if pool.Name == q.Pool || q.Pool == "" && len(s.Pools) == 1 {
			who.Issuer = pool.Issuer // by which policies name people
		}
	}
	if strings.Contains(q.As, "@") {
		who.Email, who.EmailVerified = q.As, !q.Unverified
	}
	return g.Explain(r, q.Pool, who), nil
}

// request reads a method and a URL, byte for byte: the path may be one that net/url would
// write in another way. Without an origin, it is that of the first pool.
func (s *Settings) request(text string) (*http.Request, error) {
	method, target, ok := strings.Cut(text, " ")
	if target = strings.TrimSpace(target); !ok {
		method, target = http.MethodGet, text
	}
	if strings.HasPrefix(target, "/") && len(s.Pools) > 0 {
		target = s.Pools[0].Config.BaseURL + target
	}
	scheme, rest, ok := strings.Cut(target, "://")
	if !ok || scheme != "https" && scheme != "http" || method == "" || strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" {
		return nil, fmt.Errorf("%q is not of the form GET https://app.example.com/path", bounded(text))
	}
	host, uri := rest, "/"
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		host, uri = rest[:i], rest[i:]
	}
	if uri[0] == '?' {
		uri = "/" + uri
	}
	return &http.Request{Method: method, Host: host, RequestURI: uri, URL: &url.URL{Path: uri}, Header: http.Header{}}, nil
}

// outcomes are what a test may expect, by what the gateway calls them.
var outcomes = map[string]gateway.Decision{
	"pass": gateway.Passed, "sign_in": gateway.Unauthorized, "forbidden": gateway.Forbidden, "not_found": gateway.NotFound, "refused": gateway.Refused,
}

// tests runs those of the file, if there are no other faults.
func (r *reader) tests(f *file, s *Settings) {
	for i, t := range f.Tests {
		key := fmt.Sprintf("tests[%d]", i)
		if len(t.Requests) == 0 && !r.has(key+".requests") {
			r.fault(key, "requests is missing: add requests such as GET https://app.example.com/admin")
		}
		if t.Verified != "" {
			r.oneOf(key+".email_verified", t.Verified, "true", "false")
		}
		if _, err := netip.ParseAddr(t.From); err != nil && t.From != "" {
			r.fault(key+".from", "it is not an IP address such as 10.1.2.3")
		}
		if t.Expect == "" && !r.has(key+".expect") {
			r.fault(key, "expect is missing: set pass, sign_in, forbidden, not_found or refused")
		} else if _, ok := outcomes[t.Expect]; !ok {
			r.follow(key+".expect", "it must be one of pass, sign_in, forbidden, not_found, refused")
		}
	}
	if len(r.faults) > 0 || len(f.Tests) == 0 {
		return
	}
	g, err := s.rules()
	if err != nil {
		r.fault("tests", "%w", err)
		return
	}
	for i, t := range f.Tests {
		from, _ := netip.ParseAddr(t.From) // a fault was recorded above
		for j, request := range t.Requests {
			key := fmt.Sprintf("tests[%d].requests[%d]", i, j)
			if !r.has(key) {
				key = fmt.Sprintf("tests[%d].requests", i) // one needs no brackets
			}
			got, err := s.explain(g, Question{
				Request: request, As: t.As, Pool: t.Pool, Groups: t.Groups, Scopes: t.Scopes, Machine: t.Machine, ACR: t.ACR, Ago: t.SignedIn, Actor: t.Actor,
				Unverified: t.Verified == "false", From: from,
			})
			if err != nil {
				r.fault(key, "%w", err)
				continue
			}
			by := "no route"
			if got.Route != "" {
				by = "route " + got.Route
			}
			if got.Decision != outcomes[t.Expect] {
				r.fault(key, "%s: expected %s, got %s by %s: %s", bounded(request), t.Expect, Word(got.Decision), by, got.Reason)
			} else if t.Route != "" && t.Route != got.Route {
				r.fault(key, "%s: expected route %s, got %s", bounded(request), t.Route, by)
			}
		}
	}
}

// Word is what expect in a test calls a decision, or the decision's own word.
func Word(d gateway.Decision) string {
	for word, decision := range outcomes {
		if decision == d {
			return word
		}
	}
	return string(d)
}
