package serve

import (
	"container/list"
	"context"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/codegrant/codegrant"
)

// limiter bounds how often each of many does something. Its memory is bounded: who
// was not heard of for longest is forgotten first, and begins anew.
type limiter[K comparable] struct {
	mu     sync.Mutex // guards the fields below
	limit  rate.Limit
	burst  int
	known  map[K]*list.Element
	recent list.List // of *limited[K], the last heard of in front
}

type limited[K comparable] struct {
	who K
	*rate.Limiter
}

// maxLimited is how many a limiter knows.
const maxLimited = 32 << 10

// set takes the limits of a configuration. Where they are new, everybody begins anew.
func (l *limiter[K]) set(aMinute, burst int) { l.allow(rate.Limit(float64(aMinute)/60), burst) }

func (l *limiter[K]) allow(limit rate.Limit, burst int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if limit != l.limit || burst != l.burst {
		l.limit, l.burst = limit, burst
		l.known = make(map[K]*list.Element)
		l.recent.Init()
	}
}

// wait is how long somebody has to wait for the next time; 0: they may go on.
func (l *limiter[K]) wait(who K, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.limit == 0 {
		return 0
	}
	e := l.known[who]
	if e == nil {
		if l.recent.Len() >= maxLimited {
			last := l.recent.Back()
			delete(l.known, l.recent.Remove(last).(*limited[K]).who)
		}
		e = l.recent.PushFront(&limited[K]{who, rate.NewLimiter(l.limit, l.burst)})
		l.known[who] = e
	}
	l.recent.MoveToFront(e)
	reservation := e.Value.(*limited[K]).ReserveN(now, 1)
	wait := reservation.DelayFrom(now)
	if wait > 0 {
		reservation.CancelAt(now)
	}
	return wait
}

// network is what counts as one address: each request of it costs the pool's quota,
// which everybody shares.
func network(address netip.Addr) netip.Prefix {
	bits := 32
	if address.Is6() {
		bits = 64 // what one customer is given, at least
	}
	prefix, _ := address.Prefix(bits) // of no address: one for all of those
	return prefix
}

// account is whose sign-ins are counted together.
type account struct{ issuer, subject string }

// admitPerson bounds how often one person signs in, from however many addresses:
// each time costs a session, and the pool's quota.
func (p *process) admitPerson(_ context.Context, id *codegrant.Identity) error {
	if id.Method != codegrant.MethodSession {
		return nil // they signed in somewhere else, or a while ago
	}
	if wait := p.people.wait(account{id.Issuer, id.Subject}, time.Now()); wait > 0 {
		p.metrics.refused.WithLabelValues(label("sign-ins of one person")).Inc()
		return codegrant.TooManySignIns(wait)
	}
	return nil
}

// admitting asks the rules of a pool first, where it has any: a sign-in that they refuse is
// none of the person's.
func (p *process) admitting(rules func(context.Context, *codegrant.Identity) error) func(context.Context, *codegrant.Identity) error {
	if rules == nil {
		return p.admitPerson
	}
	return func(ctx context.Context, id *codegrant.Identity) error {
		if err := rules(ctx, id); err != nil {
			return err
		}
		return p.admitPerson(ctx, id)
	}
}

// costsThePool reports whether a request of an endpoint makes the pool work.
func costsThePool(method, endpoint string) bool {
	return endpoint == "/organization/invitation" && method == http.MethodPost || endpoint == "/login" || endpoint == "/callback" || endpoint == "/session"
}

// refuse answers before anything is decided.
func (g *generation) refuse(w http.ResponseWriter, r *http.Request, status int, reason string, wait time.Duration) {
	g.process.metrics.refused.WithLabelValues(label(reason)).Inc()
	w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
	g.answer(w, r, status)
}

// answer answers a request that ends here, as the gateway would.
func (g *generation) answer(w http.ResponseWriter, r *http.Request, status int) (reference string) {
	return g.pools[g.Pools[0].Name].auth.Answer(w, r, status, nil)
}

// local has the other end of a Unix socket count as this machine, so that a proxy
// there can be trusted.
func local(r *http.Request) {
	if address, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && address.Network() == "unix" {
		r.RemoteAddr = "127.0.0.1:0"
	}
}
