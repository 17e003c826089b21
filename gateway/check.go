package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/internal/fault"
)

// RedirectHeader carries where a sign-in begins, for nginx, which takes no redirect
// from a server that it asks.
const RedirectHeader = "X-Auth-Redirect"

var (
	errOriginal = errors.New("the request in the question of the proxy is missing or contradictory")
	errQuery    = errors.New("the permission asked for is malformed")
)

// original is the request that a proxy asks about.
type original struct {
	method string
	target target
	nginx  bool // it understands 2xx, 401 and 403, and nothing else
	below  bool // it was the path below the endpoint

	named []string // the headers that said so; nil where none did
}

// Check answers a proxy's question whether a request may pass: 200 with identity
// headers, 401, 403, 503, or a redirect to sign in. It is what tenants serve at
// /check under their prefix.
//
// The request asked about comes from a trusted proxy in X-Original-URL and
// X-Original-Method (nginx), or in X-Forwarded-Method, -Proto, -Host and -Uri (Caddy,
// Traefik), or as the path below /check (Envoy). Two of them, a part missing, or another
// header that names a target or method (X-Rewrite-URL), is 403: deciding about another
// request than the one that is served is worse.
//
// In the query, group=, any_group=, role=, any_role=, scope=, acr= and max_age= (seconds) may be repeated,
// and each of them asks for more than the route does, never less.
func (g *Gateway) Check() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := g.tenants[0]
		if target, err := newTarget(r.Method, r.Host, r.URL.EscapedPath(), r.URL.RawQuery); err == nil {
			t = g.tenantOf(r, target)
		}
		g.check(w, r, t, g.admit(r))
	})
}

// check answers a question that was admitted. A proxy that asks about a request which has
// what admit took away has not removed it, and would send it on.
func (g *Gateway) check(w http.ResponseWriter, r *http.Request, t *tenant, said admitted) {
	start := g.now()
	outcome := Outcome{Tenant: t.Name, Decision: Forbidden, Status: http.StatusForbidden}
	defer func() {
		outcome.Duration = g.now().Sub(start)
		g.observe(r, outcome)
	}()
	asked, err := g.originalOf(r, t)
	if err == nil {
		err = g.carries(asked.methodOr(r.Method), r.Header, said.claimed)
	}
	if err != nil {
		g.doubt(w, r, err)
		return
	}
	narrow, pass := narrowing{query: r.URL.RawQuery}, g.passCheck
	if asked != nil {
		pass = func(w http.ResponseWriter, r *http.Request, c *call) { g.passAsked(w, r, c, asked) }
		r = asked.request(r)
		if asked.below {
			narrow.query = "" // it is the original's
		}
		if asked.nginx {
			w = &forNginx{ResponseWriter: w}
		}
	}
	outcome = g.answer(w, r, t, asked, said, narrow, pass)
}

// passCheck tells the proxy who may pass.
func (g *Gateway) passCheck(w http.ResponseWriter, r *http.Request, c *call) {
	g.tell(w.Header(), c.told)
	if err := g.assert(w.Header(), c.route, c.told); err != nil {
		g.unsigned(w, r, err)
		return
	}
	c.recorder.status = http.StatusOK // net/http sends it by itself; told to, it would copy all headers first
}

// answer asks the permission of the route of what a proxy asks about, and that which
// the proxy adds; pass is called with whom they allow. r is the request asked about,
// or the question itself where nobody said.
func (g *Gateway) answer(w http.ResponseWriter, r *http.Request, t *tenant, asked *original, said admitted, narrow narrowing,
	pass func(http.ResponseWriter, *http.Request, *call)) Outcome {
	outcome := Outcome{Tenant: t.Name, Decision: Forbidden, Status: http.StatusForbidden}
	found := g.unrouted
	if asked != nil {
		t = g.tenantOf(r, asked.target)
		if len(g.table.routes) > 0 {
			var err error
			if found, err = g.table.find(asked.target, asked.method); err != nil {
				g.doubt(w, r, err)
				return outcome
			}
			if found == nil || !found.takes(asked.method) {
				outcome.Decision = NotFound
				g.deny(w, r) // no route: nobody said that anyone may
				return outcome
			}
			if found.tenant != nil {
				t = found.tenant
			}
		} else if asked.target.doubt != nil {
			g.doubt(w, r, fmt.Errorf("%w: %w", errTarget, asked.target.doubt))
			return outcome
		}
	}
	outcome.Tenant, outcome.Route = t.Name, found.Name
	if found.Guard != nil {
		g.doubt(w, r, fmt.Errorf("%w: proxies do not pass on what the route needs; send its requests through the gateway", errOriginal))
		return outcome
	}
	if found.Handover != nil {
		g.doubt(w, r, fmt.Errorf("%w: the route hands on a token in place of the client's, which no proxy would; send its requests through the gateway", errOriginal))
		return outcome
	}
	if err := g.strays(r.Header, asked, said, found); err != nil {
		g.doubt(w, r, err)
		return outcome
	}
	guard, err := g.narrowed.of(t, found, narrow)
	if err != nil {
		g.doubt(w, r, err)
		return outcome
	}
	c := &call{Context: r.Context(), gateway: g, tenant: t, route: found, asked: r, pass: pass}
	if asked == nil || asked.named != nil {
		// A proxy that is told of a path takes it for one here (Traefik), or of its own
		// site under the port that it listens on (nginx).
		c.recorder.origin = t.Auth.Origin()
	}
	outcome.Decision, outcome.Identity = c.decide(w, guard)
	outcome.Status = c.recorder.status
	return outcome
}

// varies: an answer is for who asked, and for nobody else.
func varies(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Cookie, Authorization")
}

// doubt refuses a question that is not clear.
func (g *Gateway) doubt(w http.ResponseWriter, r *http.Request, err error) {
	g.log.LogAttrs(r.Context(), slog.LevelWarn, "check refused", g.poolFor(r), slog.String("reason", err.Error()), slog.String("from", r.RemoteAddr))
	g.deny(w, r)
}

func (g *Gateway) unsigned(w http.ResponseWriter, r *http.Request, err error) {
	g.log.LogAttrs(r.Context(), slog.LevelError, "assertion not signed", slog.String("reason", err.Error()))
	w.WriteHeader(http.StatusServiceUnavailable)
}

// untold refuses a request that might pass, because the proxy could not be told all of
// the answer.
func (g *Gateway) untold(w http.ResponseWriter, r *http.Request, err error) {
	g.log.LogAttrs(r.Context(), slog.LevelError, "check not answered", g.poolFor(r), slog.String("reason", err.Error()))
	for _, name := range append(slices.Clip(proofHeaders), g.headers.all...) {
		delete(w.Header(), name)
	}
	w.WriteHeader(http.StatusServiceUnavailable)
}

// withhold refuses a request of somebody of whom the upstream cannot be told whole:
// less than all of it would mean something else.
func (g *Gateway) withhold(w http.ResponseWriter, r *http.Request, route *route, id *codegrant.Identity, err error) {
	reference := g.endedAt(r.Host).Auth.Answer(w, r, http.StatusForbidden, fault.Untellable)
	g.log.LogAttrs(r.Context(), slog.LevelError, "identity too large", g.poolFor(r), slog.String("sub", id.Subject), slog.String("route", route.Name),
		slog.String("reason", err.Error()), slog.String("correlation", reference))
}

// deny refuses without having asked who it is. Where somebody was asked, package
// codegrant has said what the answer depends on.
func (g *Gateway) deny(w http.ResponseWriter, r *http.Request) {
	varies(w.Header())
	g.endedAt(r.Host).Auth.Answer(w, r, http.StatusForbidden, nil)
}

// originalOf reads what is asked about: nil where nobody said, and no route needs it.
func (g *Gateway) originalOf(r *http.Request, t *tenant) (*original, error) {
	for _, name := range [...]string{"X-Original-Url", "X-Original-Method", "X-Forwarded-Method", "X-Forwarded-Host", "X-Forwarded-Uri"} {
		if len(r.Header[name]) > 1 {
			return nil, fmt.Errorf("%w: %s is repeated", errOriginal, name)
		}
	}
	read := r.Header.Get
	path, mark := pathOf(r)
	below, isBelow := strings.CutPrefix(path, t.Prefix+"/check/")
	isNginx, isForward := len(r.Header["X-Original-Url"]) > 0, len(r.Header["X-Forwarded-Uri"]) > 0
	switch {
	case boolean(isNginx)+boolean(isForward)+boolean(isBelow) > 1:
		return nil, fmt.Errorf("%w: it is named in two ways", errOriginal)
	case isNginx:
		u, err := url.Parse(read("X-Original-Url"))
		if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") {
			return nil, fmt.Errorf("%w: X-Original-URL is not a URL", errOriginal)
		}
		_, rest, _ := strings.Cut(read("X-Original-Url"), "://")
		o, err := newOriginal(read("X-Original-Method"), u.Host, strings.TrimPrefix(rest, u.Host))
		if err == nil {
			o.nginx = true
		}
		return o.namedBy(namedByNginx), err
	case isForward:
		o, err := newOriginal(read("X-Forwarded-Method"), read("X-Forwarded-Host"), read("X-Forwarded-Uri"))
		return o.namedBy(namedByOthers), err
	case isBelow && g.fromTrusted(r):
		uri := "/" + below
		if r.URL.RawQuery != "" || mark {
			uri += "?" + r.URL.RawQuery
		}
		o, err := newOriginal(r.Method, r.Host, uri)
		if err == nil {
			o.below = true
		}
		return o.namedBy([]string{}), err
	case len(g.table.routes) > 0:
		return nil, fmt.Errorf("%w: the request does not say which URL is asked about; %s", errOriginal, listIt)
	}
	return nil, nil
}

// The headers in which proxies name what they ask about.
var (
	namedByNginx  = []string{"X-Original-Url", "X-Original-Method"}
	namedByOthers = []string{"X-Forwarded-Uri", "X-Forwarded-Method"}
)

func (o *original) namedBy(headers []string) *original {
	if o != nil {
		o.named = headers
	}
	return o
}

// strays refuses a question with a header by which the request that is asked about names
// another target or method, in any spelling, and which the proxy would send on: whoever
// asks, and whether or not anything else names the request. Of the headers that do, those
// that came alone say what is asked about; what a route passes may come too.
func (g *Gateway) strays(h http.Header, o *original, said admitted, r *route) error {
	var named []string
	if o != nil {
		if o.named == nil {
			return nil // CheckOriginal has the proxy remove them
		}
		named = o.named
	}
	help := "have the proxy remove it before it asks, or list it in pass_headers of the route"
	stray := func(name string) error {
		return fmt.Errorf("%w: %.64q names something else; %s", errOriginal, name, help)
	}
	if len(said.strays) > 0 {
		if !said.trusted {
			help += "; " + listIt
		}
		return stray(said.strays[0])
	}
	for name := range h {
		if m, _ := g.headers.of(name); m == elsewhere && !slices.Contains(named, name) && !r.passes(name) {
			return stray(name)
		}
	}
	return nil
}

// listIt is what helps where the line's from is a proxy. It has no address: reasons go
// to traces, too, which tell of nobody.
const listIt = "if it is your proxy, list it among the trusted ones"

// newOriginal takes path and query as the proxy got them.
func newOriginal(method, host, uri string) (*original, error) {
	if method == "" || strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" {
		return nil, fmt.Errorf("%w: its method is missing", errOriginal)
	}
	path, query, mark := strings.Cut(uri, "?")
	target, err := newTarget(method, host, path, query)
	if err == nil && disguised(path) {
		// The proxy has chosen by this path already, and may have read it as it is.
		err = fmt.Errorf("%w: it has letters or digits escaped in its path", errTarget)
	}
	if err != nil {
		return nil, err
	}
	target.mark = mark && query == ""
	return &original{method: method, target: target}, nil
}

// methodOr is the method of what is asked about; that of the question where nobody said.
func (o *original) methodOr(method string) string {
	if o == nil {
		return method
	}
	return o.method
}

// request is what the proxy got, as far as it told. It has the headers of the question.
func (o *original) request(r *http.Request) *http.Request {
	out := r.WithContext(r.Context())
	out.Method, out.Host, out.Body = o.method, o.target.given, http.NoBody
	out.URL = &url.URL{Path: o.target.raw, RawPath: o.target.raw, RawQuery: o.target.query, ForceQuery: o.target.mark}
	if path, err := url.PathUnescape(o.target.raw); err == nil {
		out.URL.Path = path
	}
	out.RequestURI = o.target.raw
	if o.target.query != "" || o.target.mark {
		out.RequestURI += "?" + o.target.query
	}
	return out
}

// forNginx turns a redirect into a 401 that says where it led.
type forNginx struct {
	http.ResponseWriter
	silent bool
}

func (w *forNginx) WriteHeader(status int) {
	_ = numberCookies(w.Header()) // what is refused is so without the rest, too
	if status >= 300 && status < 400 {
		h := w.Header()
		h.Set(RedirectHeader, h.Get("Location"))
		h.Del("Location")
		h.Del("Content-Length")
		w.silent, status = true, http.StatusUnauthorized
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *forNginx) Write(b []byte) (int, error) {
	if w.silent {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

func (w *forNginx) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// recorder remembers the status, and what was in the header before an upstream was
// asked: httputil takes that away with an informational answer (RFC 9110, section
// 15.2), such as the 100 that a client can ask for.
type recorder struct {
	http.ResponseWriter
	status int

	own      []headerLine
	room     [4]headerLine     // of own, as a rule
	clean    func(http.Header) // takes what is not for an upstream to say; nil: it says nothing
	private  bool              // what an upstream says is for one person
	informed bool
	origin   string // what a redirect to a path of this site begins with, for a proxy; empty: nothing
}

type headerLine struct {
	name   string
	values []string
}

// keep has what is in the header now be there in the end, beside what an upstream says.
func (w *recorder) keep(clean func(http.Header), private bool) {
	w.clean, w.private, w.own = clean, private, w.room[:0]
	for name, values := range w.Header() {
		w.own = append(w.own, headerLine{name, values})
	}
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 || w.status < 200 {
		w.status = status
	}
	h := w.Header()
	if location := h["Location"]; w.origin != "" && status >= 300 && status < 400 && len(location) == 1 && strings.HasPrefix(location[0], "/") {
		h["Location"] = []string{w.origin + location[0]}
	}
	switch {
	case w.clean == nil:
	case status < 200 && status != http.StatusSwitchingProtocols:
		if !w.informed {
			for _, one := range w.own {
				if h[one.name] = h[one.name][len(one.values):]; len(h[one.name]) == 0 {
					delete(h, one.name)
				}
			}
		}
		w.informed = true
		w.clean(h)
		delete(h, "Set-Cookie") // nobody says which clients keep it
	case w.informed:
		w.informed = false
		for _, one := range w.own {
			h[one.name] = append(slices.Clip(one.values), h[one.name]...)
		}
		w.settle(h)
	default:
		w.settle(h)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
