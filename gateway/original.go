package gateway

import (
	"context"
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

type roomKey struct{}

// WithRoom limits the headers that a [Pass] sets, in bytes, for a proxy with limited
// buffers. If a person needs more, [Gateway.CheckOriginal] refuses, with [TooLarge].
func WithRoom(ctx context.Context, bytes int) context.Context {
	return context.WithValue(ctx, roomKey{}, bytes)
}

// perHeader is what a header takes beside its name and value.
const perHeader = 16

// fits reports whether the proxy has room for all of a pass.
func (p *Pass) fits(ctx context.Context) error {
	room, bounded := ctx.Value(roomKey{}).(int)
	if !bounded {
		return nil
	}
	size, largest, most := 0, "", 0
	for name, values := range p.Set {
		if name == "Cookie" {
			continue // it is there already, and gets shorter
		}
		own := len(name) + perHeader
		for _, value := range values {
			own += len(value)
		}
		if size += own; own > most {
			largest, most = name, own
		}
	}
	if size <= room {
		return nil
	}
	return fmt.Errorf("%w: they take %d bytes, the proxy has room for %d, and %s takes %d of them; raise the proxy's buffers (HAProxy: tune.bufsize, and max-frame-size if spoe.conf has it), "+
		"or set send_groups to send only the groups that the upstream of this route needs", errIdentity, size, max(room, 0), largest, most)
}

// CheckOriginal answers a question as [Gateway.Check] does, for proxies that ask in a
// protocol of their own. original is the request that the proxy got: its method, Host,
// RequestURI and headers, and as RemoteAddr the address and port of the proxy, which
// has to be a trusted one.
//
// The keys group, any_group, scope, acr and max_age of narrow ask for more than the route does, as in
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
		g.doubt(w, r, fmt.Errorf("%w: the sender is not a trusted proxy; %s", errOriginal, listIt))
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
	r.Header = r.Header.Clone() // what is left of them is compared with those of original
	var pass *Pass
	outcome = g.answer(w, r, g.tenants[0], asked, admitted{trusted: true}, narrowing{values: narrow}, func(w http.ResponseWriter, r *http.Request, c *call) {
		seen := r.Header.Clone()
		c.trusted = true
		if err := g.present(seen, c, true); err != nil {
			g.unsigned(w, r, err)
			return
		}
		pass = g.changes(original.Header, seen)
		if err := pass.fits(r.Context()); err != nil && c.id != nil {
			pass, c.tooLarge = nil, true
			g.withhold(w, r, c.route, c.id, err)
		}
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
