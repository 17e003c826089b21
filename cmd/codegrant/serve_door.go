package main

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// door is where connections come in. It knows each of them, so that the process can
// end without losing a request: of those that wait to be let in, of those that were
// let in and have not spoken yet, and of those whose last answer did not say that it
// was the last.
type door struct {
	net.Listener
	passed bool // by systemd, which goes on listening: who waits is the next process's

	closed   atomic.Bool
	accepted atomic.Int64 // when the last one came in, Unix nanoseconds

	full func() // is told when somebody is turned away

	mu     sync.Mutex
	guests map[*guest]struct{}
	crowd  crowd
}

// The phases of a connection, as far as the end of the process cares.
const (
	silent int32 = iota // nothing has come since it was opened, or since the last answer
	spoken              // something has, and no request is under way yet
	served              // one is
	apart               // HTTP/2 ends in a way of its own, and what was taken over as its request does
)

const (
	// doorQuiet is for how long nobody came in when the door is closed. Who began to
	// connect before has arrived then.
	doorQuiet = 200 * time.Millisecond
	// silence is how long a connection that says nothing is kept when the process
	// ends: who uses it sends the next request within that time, and is told with the
	// answer that it was the last.
	silence = time.Second
	// speech is how long one may then take over the headers of a request.
	speech = 2 * time.Second
)

// guest is a connection. It is the server's, which reads and closes it.
type guest struct {
	net.Conn
	door  *door
	phase atomic.Int32
	since atomic.Int64 // of the phase, Unix nanoseconds
	once  sync.Once

	proven atomic.Bool // whose it is, is known
	place  place       // the door's
}

// newDoor makes one. Who is turned away, or has to go, is for full to know.
func newDoor(l net.Listener, passed bool, trusts func(netip.Addr) bool, full func()) *door {
	d := &door{Listener: l, passed: passed, guests: make(map[*guest]struct{}), full: full}
	d.crowd.limit, d.crowd.trusts = connectionsOf(openFiles()), trusts
	return d
}

// Accept implements [net.Listener].
func (d *door) Accept() (net.Conn, error) {
	for {
		c, err := d.Listener.Accept()
		if err != nil {
			if d.closed.Load() {
				return nil, net.ErrClosed
			}
			return nil, err
		}
		now := time.Now().UnixNano()
		d.accepted.Store(now)
		g := &guest{Conn: c, door: d}
		g.since.Store(now)
		d.mu.Lock()
		ok, goes := d.crowd.seat(g, len(d.guests))
		if ok {
			d.guests[g] = struct{}{}
		}
		d.mu.Unlock()
		if goes != nil {
			_ = goes.Close()
		}
		if !ok || goes != nil {
			d.full()
		}
		if ok {
			return g, nil
		}
		_ = c.Close()
	}
}

// prove says that it is known whose the connection is: it does not have to go for
// others.
func (g *guest) prove() {
	if g.proven.CompareAndSwap(false, true) {
		g.door.mu.Lock()
		g.door.crowd.prove(g)
		g.door.mu.Unlock()
	}
}

// Read implements [net.Conn].
func (g *guest) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if n > 0 && g.phase.CompareAndSwap(silent, spoken) {
		g.since.Store(time.Now().UnixNano())
	}
	return n, err
}

// Close implements [net.Conn].
func (g *guest) Close() error {
	g.once.Do(func() {
		g.door.mu.Lock()
		delete(g.door.guests, g)
		g.door.crowd.rise(g)
		g.door.mu.Unlock()
	})
	return g.Conn.Close()
}

// guestOf is the guest of a server's connection.
func guestOf(c net.Conn) (g *guest, h2 bool) {
	if secure, ok := c.(*tls.Conn); ok {
		g, _ = secure.NetConn().(*guest)
		return g, g != nil && g.phase.Load() != apart && secure.ConnectionState().NegotiatedProtocol == "h2"
	}
	g, _ = c.(*guest)
	return g, false
}

// follow is told by the server what becomes of its connections.
func follow(c net.Conn, state http.ConnState) {
	g, h2 := guestOf(c)
	if g == nil || g.phase.Load() == apart {
		return
	}
	switch {
	case state == http.StateHijacked || h2:
		g.phase.Store(apart)
	case state == http.StateActive:
		g.phase.Store(served)
	case state == http.StateIdle:
		g.since.Store(time.Now().UnixNano())
		g.phase.Store(silent)
	}
}

// close lets nobody in any more, and has let in everybody who waited: closing the
// socket resets their connections. Those that begin to connect meanwhile are not
// answered, and find the next process, or nobody, when they try again.
func (d *door) close(ctx context.Context) {
	if !d.passed {
		refuseNew(d.Listener)
		begin := time.Now()
		for tick := time.NewTicker(10 * time.Millisecond); ctx.Err() == nil; <-tick.C {
			since := time.Since(begin)
			if last := d.accepted.Load(); last > begin.UnixNano() {
				since = time.Since(time.Unix(0, last))
			}
			if since >= doorQuiet && waiting(d.Listener) == 0 || time.Since(begin) > 10*doorQuiet {
				break
			}
		}
	}
	d.closed.Store(true)
	if timed, ok := d.Listener.(interface{ SetDeadline(time.Time) error }); ok && d.passed {
		_ = timed.SetDeadline(time.Unix(1, 0)) // nobody else is disturbed
		return
	}
	_ = d.Listener.Close()
}

// empty waits until nobody is left who may be about to send a request that would get
// no answer. The server can end the others: HTTP/2 says which requests were not taken,
// and those under way are waited for.
func (d *door) empty(ctx context.Context) {
	suspects := make(map[*guest]bool)
	for tick := time.NewTicker(20 * time.Millisecond); ctx.Err() == nil; <-tick.C {
		d.mu.Lock()
		var left []*guest
		for g := range d.guests {
			age := time.Since(time.Unix(0, g.since.Load()))
			if phase := g.phase.Load(); phase == silent || phase == spoken && age < speech {
				left = append(left, g)
			}
		}
		d.mu.Unlock()
		if len(left) == 0 {
			return
		}
		for _, g := range left {
			quiet := g.phase.Load() == silent && time.Since(time.Unix(0, g.since.Load())) > silence && nothingToRead(g.Conn)
			if quiet && suspects[g] { // for two looks: what had just come would have been read
				_ = g.Close()
			}
			suspects[g] = quiet
		}
	}
}

// last has an answer be the last one of its connection. To HTTP/2, that is the
// beginning of its end.
func last(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") == "" { // which stands in Connection
		w.Header()["Connection"] = []string{"close"}
	}
}

// doorClosed is how a listener says that it was closed on purpose.
func doorClosed(err error) bool {
	return errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed)
}
