package serve

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/internal/hop"
	"github.com/codegrant/codegrant/internal/tracing"
)

// decided hears of every request that the gateway decided on.
func (g *generation) decided(r *http.Request, o gateway.Outcome) {
	if seen, ok := r.Context().Value(endpointKey{}).(*statusWriter); ok {
		seen.decided = true
	}
	g.process.metrics.decided(o)
	g.process.day.Observe(o.Duration)
	g.spanDecided(r, o)
	if !g.Log.Access {
		return
	}
	attrs := append(g.requestAttrs(r), slog.Int("status", o.Status), milliseconds(o.Duration),
		slog.String("pool", o.Tenant), slog.String("route", o.Route), slog.String("decision", string(decisionOf(o))))
	if o.Reference != "" {
		attrs = append(attrs, slog.String("correlation", o.Reference))
	}
	if o.Identity != nil {
		attrs = append(attrs, slog.String("sub", o.Identity.Subject))
		if o.Identity.Actor != nil {
			attrs = append(attrs, slog.String("actor", clip(o.Identity.Actor.String(), 256)))
		}
	}
	g.process.log.LogAttrs(r.Context(), slog.LevelInfo, tracing.AccessLine, attrs...)
}

// requestAttrs are what a log may know of a request: never its query, which holds
// codes and states, and never a header with a proof.
func (g *generation) requestAttrs(r *http.Request) []slog.Attr {
	return []slog.Attr{
		slog.String("method", clip(r.Method, 16)), slog.String("host", clip(r.Host, 128)), slog.String("path", clip(r.URL.Path, 256)),
		slog.String("from", g.addressFor(r).String()), slog.String("protocol", r.Proto),
	}
}

func milliseconds(d time.Duration) slog.Attr {
	return slog.Float64("ms", float64(d.Microseconds())/1000)
}

func clip(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "") + "…"
	}
	return s
}

// endpointOf is the endpoint of a pool that a request is for, such as /login; empty
// where it is for none, or for the gateway's questions. Prefixes of pools of different
// hosts may lie within each other: what would cost a pool anything is taken for that.
func (g *generation) endpointOf(r *http.Request) string {
	found := ""
	for i := range g.Pools {
		rest, ok := strings.CutPrefix(r.URL.Path, g.Pools[i].Prefix)
		if !ok || rest == "" || rest[0] != '/' {
			continue
		}
		if rest = strings.TrimSuffix(rest, "/"); rest == "/check" || strings.HasPrefix(rest, "/check/") {
			return ""
		}
		if costsThePool(r.Method, rest) {
			return rest
		}
		found = cmp.Or(found, rest)
	}
	return found
}

// endpointRead is how long the body of a request to an endpoint may take.
const endpointRead = 30 * time.Second

// serve answers one request under this configuration.
func (g *generation) serve(w http.ResponseWriter, r *http.Request) {
	defer g.survive(w, r)
	endpoint := g.endpointOf(r)
	if endpoint == "" {
		g.gateway.ServeHTTP(w, r)
		return
	}
	// The gateway says nothing of these.
	start, seen := time.Now(), &statusWriter{ResponseWriter: w, status: http.StatusOK}
	var attrs []slog.Attr // as the request came
	if g.Log.Access {
		attrs = g.requestAttrs(r)
	}
	if costsThePool(r.Method, endpoint) {
		if wait := g.process.signIns.wait(network(g.addressFor(r)), start); wait > 0 {
			g.span(r).Set(tracing.DecisionKey, string(gateway.Refused))
			g.refuse(seen, r, http.StatusTooManyRequests, "sign-in rate", wait)
			g.ended(r, seen, attrs, start)
			return
		}
	}
	// Their bodies are small: who sends one slowly is up to something.
	seen.ResponseWriter, r = pace(w, r)
	g.gateway.ServeHTTP(seen, r.WithContext(context.WithValue(r.Context(), endpointKey{}, seen)))
	if !seen.decided {
		g.ended(r, seen, attrs, start)
	}
}

// ended tells of a request to an endpoint.
func (g *generation) ended(r *http.Request, seen *statusWriter, attrs []slog.Attr, start time.Time) {
	g.span(r).Answered(seen.status)
	g.process.metrics.endpoints.WithLabelValues(strconv.Itoa(seen.status/100) + "xx").Inc()
	if g.Log.Access {
		attrs = append(attrs, slog.Int("status", seen.status), milliseconds(time.Since(start)), slog.String("route", "endpoint"))
		g.process.log.LogAttrs(r.Context(), slog.LevelInfo, tracing.AccessLine, attrs...)
	}
}

// survive turns a panic into an answer, and says where it was.
func (g *generation) survive(w http.ResponseWriter, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler {
		panic(p) // how a proxy says that the answer is not whole
	}
	w.Header().Set("Connection", "close")
	reference := g.answer(w, r, http.StatusInternalServerError)
	g.process.log.LogAttrs(r.Context(), slog.LevelError, "request panicked", append(g.requestAttrs(r),
		slog.String("panic", clip(fmt.Sprint(p), 512)), slog.String("stack", clip(string(debug.Stack()), 8<<10)), slog.String("correlation", reference))...)
	g.span(r).Answered(http.StatusInternalServerError)
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status  int
	decided bool // it was not an endpoint after all, and has been told of
}

type endpointKey struct{}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// clientOf is the address that a request comes from: the peer's, unless that is a
// trusted proxy, and then the last one in X-Forwarded-For that is none.
func (g *generation) clientOf(r *http.Request) netip.Addr {
	peer := addressOf(r.RemoteAddr)
	if !g.trusts(peer) {
		return peer
	}
	client := peer
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for _, item := range slices.Backward(hops) {
		address, ok := hop.Parse(item)
		if !ok {
			return client // nobody to believe stands behind what is left
		}
		if client = address; !g.trusts(client) {
			return client
		}
	}
	return client
}

// addressFor is clientOf, as it was found out when the request came.
func (g *generation) addressFor(r *http.Request) netip.Addr {
	if c := callerOf(r.Context()); c != nil {
		return c.from
	}
	return g.clientOf(r)
}

func (g *generation) trusts(address netip.Addr) bool {
	return slices.ContainsFunc(g.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(address) })
}

// addressOf reads what the server says of a connection's other end.
func addressOf(remote string) netip.Addr {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return netip.IPv6Unspecified() // nobody's
	}
	return address.Unmap().WithZone("")
}
