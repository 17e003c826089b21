package broker

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// waiting bounds how often strangers make work, by network. Memory is bounded: when it
// is full, everybody begins anew.
type waiting struct {
	now   func() time.Time
	mu    sync.Mutex
	since time.Time // when the minute began
	known map[netip.Prefix]int
}

const (
	perMinute   = 20
	maxNetworks = 16 << 10
)

func newWaiting(now func() time.Time) *waiting { return &waiting{now: now} }

func (l *waiting) wait(r *http.Request) time.Duration {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	addr, _ := netip.ParseAddr(host) // of no address: one for all of those
	addr = addr.Unmap()
	bits := 32
	if addr.Is6() {
		bits = 64 // what one customer is given, at least
	}
	from, _ := addr.Prefix(bits)
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if age := now.Sub(l.since); age < 0 || age >= time.Minute || len(l.known) >= maxNetworks {
		l.since, l.known = now, make(map[netip.Prefix]int)
	}
	if l.known[from]++; l.known[from] > perMinute {
		return l.since.Add(time.Minute).Sub(now)
	}
	return 0
}
