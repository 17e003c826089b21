package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"time"
)

// proxy sends requests on.
type proxy struct {
	gateway *Gateway
	reverse *httputil.ReverseProxy
	streams *httputil.ReverseProxy                          // reverse, for clients that take streams
	pass    func(http.ResponseWriter, *http.Request, *call) // serve
	cleans  func(http.Header)                               // clean
}

func newProxy(g *Gateway, transport http.RoundTripper) *proxy {
	if transport == nil {
		transport = NewTransport()
	}
	p := &proxy{gateway: g}
	p.pass, p.cleans = p.serve, p.clean
	p.reverse = &httputil.ReverseProxy{
		Rewrite:        p.rewrite,
		Transport:      &retrying{transport, g.now},
		ModifyResponse: p.modify,
		ErrorHandler:   p.failed,
		BufferPool:     buffers{},
		ErrorLog:       slog.NewLogLogger(g.log.Handler(), slog.LevelWarn),
	}
	// A stream holds its buffer as long as it lasts, and its events are small.
	streams := *p.reverse
	p.streams, streams.BufferPool = &streams, smallBuffers{}
	return p
}

// serve sends a request that was allowed to its route's upstream, or serves its
// file.
func (p *proxy) serve(w http.ResponseWriter, r *http.Request, c *call) {
	route := c.route
	if p.gateway.onPass != nil {
		if w = p.gateway.onPass(w, r, Passing{c.id, route.Files != nil || route.Handler != nil}); w == nil {
			return
		}
	}
	if route.Public {
		openToCaches(w.Header())
	}
	switch {
	case route.Files != nil:
		serveFile(w, r, route, c.target)
		return
	case route.Handler != nil:
		route.Handler.ServeHTTP(w, r)
		return
	case route.servers == nil:
		p.gateway.refuse(w, r, http.StatusNotFound, nil)
		return
	}
	if limit := route.servers.MaxBody; limit > 0 && r.Body != nil && r.Body != http.NoBody {
		if r.ContentLength > limit {
			p.gateway.refuse(w, r, http.StatusRequestEntityTooLarge, nil)
			return
		}
		if r.GetBody == nil {
			r.Body = http.MaxBytesReader(w, r.Body, limit)
		}
	}
	if r.Body != nil && r.Body != http.NoBody && r.GetBody == nil {
		r.Body = upload{r.Body, c}
	}
	c.recorder.keep(p.cleans, !route.Public || c.id != nil)
	c.begin()
	defer c.end()
	reverse := p.reverse
	if takesStreams(r) {
		reverse = p.streams
	}
	reverse.ServeHTTP(w, r)
	if c.answer != nil && len(c.answer.Trailer) > 0 {
		p.cleanTrailers(w.Header())
	}
}

// rewrite makes the request that the upstream sees: what was decided on, and who is
// asking. httputil has removed hop-by-hop headers, and those that Connection names.
func (p *proxy) rewrite(pr *httputil.ProxyRequest) {
	c, g := callOf(pr.In), p.gateway
	*pr.Out.URL = upstreamURL(c.target, c.route)
	// A guard that has read the body has it in memory: net/http then writes head and body at once.
	if pr.In.GetBody != nil {
		if body, err := pr.In.GetBody(); err == nil {
			pr.Out.Body = body
		}
	}
	pr.Out.Host = pr.In.Host
	if c.route.servers.Host != "" {
		pr.Out.Host = c.route.servers.Host
	}

	h := make(http.Header, len(pr.Out.Header)+len(g.headers.all)+6) // so that it grows once
	maps.Copy(h, pr.Out.Header)
	pr.Out.Header = h
	if c.trusted {
		for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"} {
			if values, ok := pr.In.Header[name]; ok {
				h[name] = values
			}
		}
	}
	proto, host := h.Get("X-Forwarded-Proto"), h.Get("X-Forwarded-Host")
	pr.SetXForwarded()
	if proto != "" {
		h.Set("X-Forwarded-Proto", proto)
	} else if strings.HasPrefix(c.tenant.Auth.Origin(), "https:") {
		h.Set("X-Forwarded-Proto", "https")
	}
	if host != "" {
		h.Set("X-Forwarded-Host", host)
	}
	tellPlace(h, c)
	if err := g.present(h, c, false); err != nil {
		g.log.LogAttrs(pr.In.Context(), slog.LevelError, "assertion not signed", slog.String("reason", err.Error()))
	}
}

// modify takes from an upstream's answer what only the gateway may say.
func (p *proxy) modify(response *http.Response) error {
	c := callOf(response.Request)
	c.answer = response
	switch {
	case response.StatusCode == http.StatusSwitchingProtocols:
		if err := switches(c, response); err != nil {
			response.Body.Close()
			return err
		}
	case response.StatusCode < 100:
		response.Body.Close()
		return fmt.Errorf("the upstream answered with %d, which is not an HTTP status", response.StatusCode)
	}
	p.clean(response.Header)
	if p.gateway.hsts != nil {
		delete(response.Header, "Strict-Transport-Security")
	}
	response.Request = nil // a stream would hold what was sent as long as it lasts
	return nil
}

// clean takes identity headers, and cookies of the gateway's, from what an upstream
// says.
func (p *proxy) clean(h http.Header) {
	for name := range h {
		if p.gateway.headers.managed(name) {
			delete(h, name)
		}
	}
	lines := h["Set-Cookie"]
	if len(lines) == 0 {
		return
	}
	kept := lines[:0:0]
	for _, line := range lines {
		if p.mayBeSet(line) {
			kept = append(kept, line)
		}
	}
	h["Set-Cookie"] = kept
}

// mayBeSet reports whether a cookie of an upstream's is none that could come back as one
// of ours. A browser sends one without a name as its value alone, which reads as any
// cookie that it is like.
func (p *proxy) mayBeSet(line string) bool {
	if strings.ContainsFunc(line, func(r rune) bool { return r < 0x20 && r != '\t' || r == 0x7f }) {
		return false // where it ends, browsers and servers see differently
	}
	pair, _, _ := strings.Cut(line, ";")
	name, _, ok := strings.Cut(pair, "=")
	name = strings.TrimSpace(name)
	return ok && name != "" && !p.gateway.ownsCookie(name)
}

// cleanTrailers takes identity headers and cookies from what is sent after a body.
// Of a header that was sent before it, nothing is left to take.
func (p *proxy) cleanTrailers(h http.Header) {
	for name := range h {
		if plain := strings.TrimPrefix(name, http.TrailerPrefix); plain == "Set-Cookie" || p.gateway.headers.managed(plain) {
			delete(h, name)
		}
	}
}

// failed answers for an upstream that did not.
func (p *proxy) failed(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusBadGateway
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		p.gateway.refuse(w, r, http.StatusRequestEntityTooLarge, nil)
		return
	case callOf(r).broken.Load():
		p.gateway.refuse(w, r, http.StatusBadRequest, fmt.Errorf("its body cannot be read: %w", err))
		return
	case errors.Is(err, errNoServer):
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "2")
	case errors.Is(err, errSlow), errors.Is(err, context.DeadlineExceeded):
		status = http.StatusGatewayTimeout
	case errors.Is(r.Context().Err(), context.Canceled):
		// The client has gone, or may no longer: nobody reads the answer.
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	c := callOf(r)
	c.reference = c.tenant.Auth.Answer(w, c.asked, status, err)
	p.gateway.log.LogAttrs(r.Context(), slog.LevelError, "upstream failed", slog.String("route", c.route.Name),
		slog.Int("status", status), slog.String("reason", err.Error()), slog.String("correlation", c.reference))
}

// retrying tries the servers of an upstream in turn.
type retrying struct {
	transport http.RoundTripper
	now       func() time.Time
}

var errSlow error = slow{}

type slow struct{}

func (slow) Error() string { return "the server did not begin to answer in time" }

// Timeout is what [net.Error] calls such a fault.
func (slow) Timeout() bool { return true }

func (t *retrying) RoundTrip(r *http.Request) (*http.Response, error) {
	c := callOf(r)
	candidates := c.route.servers.pick(t.now())
	if len(candidates) == 0 {
		return nil, errNoServer
	}
	tries := 1
	repeatable := r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
	if repeatable && (r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0) {
		tries = min(len(candidates), 1+c.route.servers.retries)
	}
	if tries == 1 {
		response, err := c.route.servers.timed(r, candidates[0], func() (*http.Response, error) { return t.only(r, c, candidates[0]) })
		if err != nil && r.Context().Err() == nil && !c.broken.Load() || errors.Is(err, errSlow) {
			candidates[0].rest.Store(t.now().Add(restAfterFault).UnixNano())
		}
		return response, err
	}
	var last error
	for _, one := range candidates[:tries] {
		response, err := c.route.servers.timed(r, one, func() (*http.Response, error) { return t.once(r, one, c.route.servers.Timeout) })
		if err == nil {
			return response, nil
		}
		last = err
		if r.Context().Err() != nil {
			break
		}
		one.rest.Store(t.now().Add(restAfterFault).UnixNano())
	}
	return nil, last
}

// only asks the one server that there is to ask: what the call has ends with it.
func (t *retrying) only(r *http.Request, c *call, one *server) (*http.Response, error) {
	r.URL.Scheme, r.URL.Host = one.url.Scheme, one.url.Host // the request is rewrite's own
	c.await()
	response, err := t.transport.RoundTrip(r)
	if !c.answered() {
		if err == nil {
			response.Body.Close()
		}
		err = errSlow
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", one.url.Host, err)
	}
	response.Request = r
	return response, nil
}

// once asks one of several, and leaves the next one its time.
func (t *retrying) once(r *http.Request, one *server, timeout time.Duration) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	out := r.WithContext(ctx)
	u := *r.URL
	u.Scheme, u.Host = one.url.Scheme, one.url.Host
	out.URL = &u
	timer := time.AfterFunc(timeout, func() { cancel(errSlow) })
	response, err := t.transport.RoundTrip(out)
	if !timer.Stop() && err == nil {
		response.Body.Close()
		err = errSlow
	}
	if err != nil {
		if errors.Is(context.Cause(ctx), errSlow) {
			err = errSlow
		}
		cancel(err)
		return nil, fmt.Errorf("%s: %w", one.url.Host, err)
	}
	if response.StatusCode == http.StatusSwitchingProtocols {
		return response, nil // its body is the connection, and ends with the request
	}
	response.Body = &endsWith{response.Body, cancel}
	response.Request = r
	return response, nil
}

// endsWith frees what a request holds when its answer was read.
type endsWith struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

func (e *endsWith) Close() error {
	defer e.cancel(nil)
	return e.ReadCloser.Close()
}

// buffers are for copying bodies.
type buffers struct{}

var pool = sync.Pool{New: func() any { return new([32 << 10]byte) }}

func (buffers) Get() []byte { return pool.Get().(*[32 << 10]byte)[:] }
func (buffers) Put(b []byte) {
	if len(b) == 32<<10 {
		pool.Put((*[32 << 10]byte)(b))
	}
}

// smallBuffers are those of streams.
type smallBuffers struct{}

var smallPool = sync.Pool{New: func() any { return new([4 << 10]byte) }}

func (smallBuffers) Get() []byte { return smallPool.Get().(*[4 << 10]byte)[:] }
func (smallBuffers) Put(b []byte) {
	if len(b) == 4<<10 {
		smallPool.Put((*[4 << 10]byte)(b))
	}
}
