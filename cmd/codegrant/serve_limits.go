package main

import (
	"container/list"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// signInLimiter bounds how often one address starts and ends sign-ins: each costs the
// pool's quota, which everybody shares. Its memory is bounded: who was not heard of
// for longest is forgotten first, and begins anew.
type signInLimiter struct {
	mu        sync.Mutex
	limit     rate.Limit
	burst     int
	addresses map[netip.Prefix]*list.Element
	recent    list.List // of *limited, the last heard of in front
}

type limited struct {
	network netip.Prefix
	*rate.Limiter
}

const maxAddresses = 32 << 10

// set takes the limits of a configuration. Where they are new, everybody begins anew.
func (l *signInLimiter) set(aMinute, burst int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if limit := rate.Limit(float64(aMinute) / 60); limit != l.limit || burst != l.burst {
		l.limit, l.burst = limit, burst
		l.addresses = make(map[netip.Prefix]*list.Element)
		l.recent.Init()
	}
}

// wait is how long an address has to wait for its next request; 0: it may go on.
func (l *signInLimiter) wait(address netip.Addr, now time.Time) time.Duration {
	bits := 32
	if address.Is6() {
		bits = 64 // what one customer is given, at least
	}
	network, err := address.Prefix(bits)
	if err != nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.limit == 0 {
		return 0
	}
	e := l.addresses[network]
	if e == nil {
		if l.recent.Len() >= maxAddresses {
			last := l.recent.Back()
			delete(l.addresses, l.recent.Remove(last).(*limited).network)
		}
		e = l.recent.PushFront(&limited{network, rate.NewLimiter(l.limit, l.burst)})
		l.addresses[network] = e
	}
	l.recent.MoveToFront(e)
	reservation := e.Value.(*limited).ReserveN(now, 1)
	wait := reservation.DelayFrom(now)
	if wait > 0 {
		reservation.CancelAt(now)
	}
	return wait
}

// costsThePool reports whether an endpoint makes the pool work.
func costsThePool(endpoint string) bool {
	return endpoint == "/login" || endpoint == "/callback" || endpoint == "/session"
}

// refuse answers before anything is decided.
func (p *process) refuse(w http.ResponseWriter, status int, reason string, wait time.Duration) {
	p.metrics.refused.WithLabelValues(reason).Inc()
	h := w.Header()
	h.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	http.Error(w, http.StatusText(status), status)
}

// local has the other end of a Unix socket count as this machine, so that a proxy
// there can be trusted.
func local(r *http.Request) {
	if address, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && address.Network() == "unix" {
		r.RemoteAddr = "127.0.0.1:0"
	}
}
