package serve

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/codegrant/codegrant/gateway"
)

// How long strangers may take. Upstreams' bodies and answers may take as long as they
// like; of ours, nobody holds a place who does nothing.
const (
	readEach  = 10 * time.Second // the next piece of a body, of endpoints
	writeEach = 30 * time.Second // the next piece of an answer, of endpoints and files
)

// admit lets a request in, or refuses it where there are too many: better some are told
// to come again than all wait, and memory grows. nil: it was refused.
func (g *generation) admit(w http.ResponseWriter, r *http.Request) *stay {
	p := g.process
	from, peer := g.addressFor(r), addressOf(r.RemoteAddr)
	trusted := g.trusts(peer)
	if !trusted {
		p.tellProxy(r, peer)
	}
	where := &p.room
	if r.Header.Get("Upgrade") != "" {
		where = &p.tunnels
	}
	var s *stay
	if trusted && g.asks(r) {
		s = where.ask()
	} else {
		s = where.come(network(from), g.endpointOf(r) == "" && showsProof(r))
	}
	if s == nil {
		g.overloaded(w, r)
	}
	return s
}

// overloaded refuses a request for want of room.
func (g *generation) overloaded(w http.ResponseWriter, r *http.Request) {
	g.process.turnedAway()
	g.refuse(w, r, http.StatusServiceUnavailable, "overload", time.Second)
}

// turnedAway takes note that there was no room, about once a second.
func (p *process) turnedAway() {
	now := time.Now().UnixNano()
	if before := p.fullAt.Load(); now-before > int64(time.Second) && p.fullAt.CompareAndSwap(before, now) {
		p.tell(nil, p.ready.overload())
	}
}

// crowded is told by the door that somebody had to go.
func (p *process) crowded() {
	p.metrics.refused.WithLabelValues("connections").Inc()
	p.turnedAway()
}

// trustsNow reports whether the configuration in use trusts a proxy.
func (p *process) trustsNow(address netip.Addr) bool {
	g := p.enter()
	defer g.leave()
	return g.trusts(address)
}

// asks reports whether a request is a proxy's question.
func (g *generation) asks(r *http.Request) bool {
	for i := range g.Pools {
		if rest, ok := strings.CutPrefix(r.URL.Path, g.Pools[i].Prefix); ok && (rest == "/check" || strings.HasPrefix(rest, "/check/")) {
			return true
		}
	}
	return false
}

// pass is told whose a request is that may pass, before it is served.
func (g *generation) pass(w http.ResponseWriter, r *http.Request, passing gateway.Passing) http.ResponseWriter {
	c := callerOf(r.Context())
	if c == nil || c.stay == nil {
		return w
	}
	if !c.stay.known(passing.Identity) {
		g.overloaded(w, r)
		return nil
	}
	if guest, ok := r.Context().Value(guestKey{}).(*guest); ok && passing.Identity != nil {
		guest.prove()
	}
	if passing.Files {
		return &paced{ResponseWriter: w, control: http.NewResponseController(w)}
	}
	return w
}

// leaveRoom ends the stay of a request. Of a stranger's, nothing is to go on after it: what
// is left of the answer is sent now, and what is left of the body is not waited for.
func (g *generation) leaveRoom(w http.ResponseWriter, r *http.Request, s *stay) {
	defer s.leave()
	if failed := recover(); failed != nil {
		panic(failed) // the answer is not whole, and is not to look so
	}
	if s.person {
		return
	}
	control := http.NewResponseController(w)
	if r.ProtoMajor == 2 {
		_ = control.SetWriteDeadline(time.Now().Add(writeEach))
		_ = control.Flush()
	} else if r.ContentLength != 0 {
		_ = control.SetReadDeadline(time.Now().Add(readEach))
	}
}

// paced is an answer that its reader has to take, piece by piece.
type paced struct {
	http.ResponseWriter
	control *http.ResponseController
}

// Write implements [io.Writer].
func (p *paced) Write(b []byte) (int, error) {
	_ = p.control.SetWriteDeadline(time.Now().Add(writeEach))
	n, err := p.ResponseWriter.Write(b)
	_ = p.control.SetWriteDeadline(time.Time{})
	return n, err
}

// Unwrap is for [http.ResponseController].
func (p *paced) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// pacedBody is a body that its sender has to send, piece by piece, and whole by its
// end.
type pacedBody struct {
	io.ReadCloser
	control *http.ResponseController
	end     time.Time
}

// Read implements [io.Reader].
func (p *pacedBody) Read(b []byte) (int, error) {
	deadline := time.Now().Add(readEach)
	if p.end.Before(deadline) {
		deadline = p.end
	}
	_ = p.control.SetReadDeadline(deadline)
	n, err := p.ReadCloser.Read(b)
	_ = p.control.SetReadDeadline(time.Time{}) // it would end what is done with the request
	return n, err
}

// pace has a request to an endpoint come, and its answer go, in time.
func pace(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request) {
	control := http.NewResponseController(w)
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &pacedBody{r.Body, control, time.Now().Add(endpointRead)}
	}
	return &paced{w, control}, r
}

// tellProxy says once that requests come through a proxy that is not listed: all of its
// clients are one client then, to limits and logs. It is told by its address, which a
// stranger's on the internet is not.
func (p *process) tellProxy(r *http.Request, peer netip.Addr) {
	if len(r.Header["X-Forwarded-For"]) == 0 || p.proxyTold.Load() || !inside(peer) || !p.proxyTold.CompareAndSwap(false, true) {
		return
	}
	p.log.Warn("requests come through a proxy that is not listed: limits take all of its clients for one; list its address",
		"address", peer.String(), "setting", "trusted_proxies")
}

// shared are addresses of carriers' networks (RFC 6598), where clouds have proxies.
var shared = netip.MustParsePrefix("100.64.0.0/10")

func inside(a netip.Addr) bool {
	return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || shared.Contains(a)
}

// guestKey is for the connection of a request.
type guestKey struct{}

func withGuest(ctx context.Context, c net.Conn) context.Context {
	if g, _ := guestOf(c); g != nil {
		return context.WithValue(ctx, guestKey{}, g)
	}
	return ctx
}
