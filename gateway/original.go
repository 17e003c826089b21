package gateway

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Pass is what a proxy does to a request that may pass, so that an upstream sees what
// it would see behind [Gateway] as a reverse proxy.
type Pass struct {
	// Set are headers that the request gets, in place of all that it has of the
	// same name. Every identity header is among them, empty where there is nothing
	// to tell.
	Set http.Header
	// Remove are names of headers that the request loses: those that a server
	// could take for identity headers once it has folded their names, and what is
	// for nobody but the gateway.
	Remove []string
}

// CheckOriginal answers a question as [Gateway.Check] does, for proxies that ask in a
// protocol of their own. original is the request that the proxy got: its method, Host,
// RequestURI and headers, and as RemoteAddr the address and port of the proxy, which
// has to be a trusted one.
//
// The keys group, any_group and scope of narrow ask for more than the route does, as in
// the query of Check, never less.
//
// It returns nil where the request may not pass: what the client is to get instead is
// in w. Where it may, w has nothing but headers for the client, such as Set-Cookie.
func (g *Gateway) CheckOriginal(w http.ResponseWriter, original *http.Request, narrow url.Values) *Pass {
	start := g.now()
	r := original
	if r.URL == nil {
		r = r.WithContext(r.Context())
		r.URL = new(url.URL) // for who is told of the outcome
	}
	outcome := Outcome{Tenant: g.tenants[0].Name, Decision: Forbidden, Status: http.StatusForbidden}
	defer func() {
		outcome.Duration = g.now().Sub(start)
		g.observe(r, outcome)
	}()
	if !g.fromTrusted(r) {
		g.doubt(w, r, fmt.Errorf("%w: who asks is no trusted proxy; %s", errOriginal, listIt))
		return nil
	}
	asked, err := newOriginal(r.Method, r.Host, r.RequestURI)
	if err != nil {
		g.doubt(w, r, err)
		return nil
	}
	if err := g.carries(r.Method, r.Header, g.claims(r.Header)); err != nil {
		g.doubt(w, r, err)
		return nil
	}
	r = asked.request(r)
	var pass *Pass
	outcome = g.answer(w, r, g.tenants[0], asked, admitted{trusted: true}, narrowing{values: narrow}, func(w http.ResponseWriter, r *http.Request, c *call) {
		seen := r.Header.Clone()
		c.trusted = true
		if err := g.present(seen, c, true); err != nil {
			g.unsigned(w, r, err)
			return
		}
		pass = g.changes(original.Header, seen)
	})
	if outcome.Status == 0 {
		outcome.Status = http.StatusOK
	}
	return pass
}

// disguised reports whether a path has escapes that nobody needs.
func disguised(path string) bool {
	for _, part := range strings.Split(path, "%")[1:] {
		if len(part) < 2 {
			return true
		}
		c, err := url.PathUnescape("%" + part[:2])
		if err != nil || strings.Trim(c, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == "" {
			return true
		}
	}
	return false
}

// changes are those that make the headers after of the headers before.
func (g *Gateway) changes(before, after http.Header) *Pass {
	pass := &Pass{Set: make(http.Header)}
	for name, values := range after {
		if slices.Contains(g.headers.all, name) || !slices.Equal(values, before[name]) {
			pass.Set[name] = values
		}
	}
	for name := range before {
		if _, kept := after[name]; !kept {
			pass.Remove = append(pass.Remove, name)
		}
	}
	slices.Sort(pass.Remove)
	return pass
}
