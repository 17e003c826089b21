package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/codegrant/codegrant"
)

// proxy sends requests on.
type proxy struct {
	gateway *Gateway
	reverse *httputil.ReverseProxy
}

// call is what the reverse proxy has to know of one request.
type call struct {
	tenant *tenant
	route  *route
	target target
	id     *codegrant.Identity
}

type callKey struct{}

// recheckEvery is how often a request that lasts, such as a WebSocket or a stream of
// events, has its permission asked again.
const recheckEvery = time.Minute

func newProxy(g *Gateway, transport http.RoundTripper) *proxy {
	if transport == nil {
		transport = &http.Transport{
			DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSHandshakeTimeout:   10 * time.Second,
			ExpectContinueTimeout: time.Second,
			MaxIdleConns:          1024,
			MaxIdleConnsPerHost:   256,
			IdleConnTimeout:       90 * time.Second,
			DisableCompression:    true, // what the upstream and the client agree on is theirs
			ForceAttemptHTTP2:     true,
		}
	}
	p := &proxy{gateway: g}
	p.reverse = &httputil.ReverseProxy{
		Rewrite:        p.rewrite,
		Transport:      &retrying{transport, g.now},
		ModifyResponse: p.modify,
		ErrorHandler:   p.failed,
		BufferPool:     buffers{},
		ErrorLog:       slog.NewLogLogger(g.log.Handler(), slog.LevelWarn),
	}
	return p
}

// serve sends a request that was allowed to its route's upstream, or serves its
// file. asked is the request before anybody was found to be asking.
func (p *proxy) serve(w http.ResponseWriter, r, asked *http.Request, t *tenant, route *route, target target, id *codegrant.Identity) {
	if route.Public {
		w.Header().Del("Cache-Control") // no identity stands behind the answer
	}
	switch {
	case route.Files != nil:
		serveFile(w, r, route, target)
		return
	case route.servers == nil:
		p.gateway.refuse(w, r, http.StatusNotFound, nil)
		return
	}
	if limit := route.servers.MaxBody; limit > 0 && r.Body != nil {
		if r.ContentLength > limit {
			p.gateway.refuse(w, r, http.StatusRequestEntityTooLarge, nil)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
	}
	ctx, cancel := context.WithCancel(context.WithValue(r.Context(), callKey{}, &call{t, route, target, id}))
	defer cancel()
	if !route.Public {
		defer p.recheck(asked, t, route, cancel)()
	}
	p.reverse.ServeHTTP(w, r.WithContext(ctx))
}

// recheck ends a request that lasts once whoever makes it may no longer.
func (p *proxy) recheck(r *http.Request, t *tenant, route *route, cancel context.CancelFunc) (stop func()) {
	var mu sync.Mutex
	var timer *time.Timer
	stopped := false
	again := func() {
		asked := r.Clone(context.WithoutCancel(r.Context()))
		asked.Body = http.NoBody
		answer := &recorder{ResponseWriter: discard{http.Header{}}}
		decision, _ := p.gateway.decide(answer, asked, t, route, func(http.ResponseWriter, *http.Request, *codegrant.Identity) {})
		if decision == Unauthorized || decision == Forbidden {
			cancel()
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if !stopped {
			timer.Reset(recheckEvery)
		}
	}
	mu.Lock()
	timer = time.AfterFunc(recheckEvery, again)
	mu.Unlock()
	return func() {
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		timer.Stop()
	}
}

// discard is a response that nobody reads.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// rewrite makes the request that the upstream sees: what was decided on, and who is
// asking. httputil has removed hop-by-hop headers, and those that Connection names.
func (p *proxy) rewrite(pr *httputil.ProxyRequest) {
	c := pr.In.Context().Value(callKey{}).(*call)
	g := p.gateway
	path := c.target.raw
	if c.route.StripPrefix {
		path = "/" + strings.TrimPrefix(strings.TrimPrefix(path, (&url.URL{Path: strings.TrimSuffix(c.route.Path, "/")}).EscapedPath()), "/")
	}
	decoded, err := url.PathUnescape(path)
	if err != nil {
		decoded, path = c.target.path, c.target.raw // escaped by ourselves
	}
	pr.Out.URL = &url.URL{Scheme: "http", Host: "upstream.invalid", Path: decoded, RawPath: path, RawQuery: c.target.query}
	pr.Out.Host = pr.In.Host
	if c.route.servers.Host != "" {
		pr.Out.Host = c.route.servers.Host
	}

	h := pr.Out.Header
	if g.fromTrusted(pr.In) {
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
	} else if strings.HasPrefix(c.tenant.Auth.BaseURL, "https:") {
		h.Set("X-Forwarded-Proto", "https")
	}
	if host != "" {
		h.Set("X-Forwarded-Host", host)
	}
	if err := g.present(h, c.tenant, c.route, c.id); err != nil {
		g.log.LogAttrs(pr.In.Context(), slog.LevelError, "assertion not signed", slog.String("reason", err.Error()))
	}
}

// modify takes from an upstream's answer what only the gateway may say.
func (p *proxy) modify(response *http.Response) error {
	c := response.Request.Context().Value(callKey{}).(*call)
	for name := range response.Header {
		if p.gateway.headers.managed(name) {
			delete(response.Header, name)
		}
	}
	if lines := response.Header["Set-Cookie"]; len(lines) > 0 {
		kept := lines[:0:0]
		for _, line := range lines {
			name, _, _ := strings.Cut(line, "=")
			if !p.gateway.ownsCookie(strings.TrimSpace(name)) {
				kept = append(kept, line)
			}
		}
		response.Header["Set-Cookie"] = kept
	}
	// The upstream knows best how its answers may be stored, but that they were
	// given to somebody.
	if response.Header.Get("Cache-Control") == "" && !c.route.Public {
		response.Header["Cache-Control"] = []string{"no-store"}
	}
	return nil
}

// failed answers for an upstream that did not.
func (p *proxy) failed(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusBadGateway
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		status = http.StatusRequestEntityTooLarge
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
	name := ""
	if c, ok := r.Context().Value(callKey{}).(*call); ok {
		name = c.route.Name
	}
	p.gateway.log.LogAttrs(r.Context(), slog.LevelError, "upstream failed", slog.String("route", name), slog.String("reason", err.Error()))
	p.gateway.refuse(w, r, status, nil)
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
	c := r.Context().Value(callKey{}).(*call)
	candidates := c.route.servers.pick(t.now())
	if len(candidates) == 0 {
		return nil, errNoServer
	}
	tries := 1
	repeatable := r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
	if repeatable && (r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0) {
		tries = min(len(candidates), 1+c.route.servers.Retries)
	}
	var last error
	for _, one := range candidates[:tries] {
		response, err := t.once(r, one, c.route.servers.Timeout)
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
