package serve

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
	shut     chan struct{} // is closed when the server has each whom it will ever have
	shutOnce sync.Once
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
	// patience is how long the server is not told to end for the sake of answers that
	// began before it was known that they are the last. What goes on for longer, such as
	// a stream, is waited for by the server, which closes its connection right after it.
	patience = 5 * time.Second
)

// guest is a connection. It is the server's, which reads and closes it.
type guest struct {
	net.Conn
	door  *door
	phase atomic.Int32
	since atomic.Int64 // of the phase, Unix nanoseconds
	told  atomic.Bool  // that the answer under way is the last
	once  sync.Once

	proven atomic.Bool // whose it is, is known
	place  place       // the door's
}

// newDoor makes one. Who is turned away, or has to go, is for full to know.
func newDoor(l net.Listener, passed bool, trusts func(netip.Addr) bool, full func()) *door {
	d := &door{Listener: l, passed: passed, guests: make(map[*guest]struct{}), full: full, shut: make(chan struct{})}
	d.crowd.limit, d.crowd.trusts = connectionsOf(openFiles()), trusts
	return d
}

// Accept implements [net.Listener].
func (d *door) Accept() (net.Conn, error) {
	for {
		c, err := d.Listener.Accept()
		if err != nil {
			if d.closed.Load() {
				d.shutOnce.Do(func() { close(d.shut) })
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

// CloseWrite lets the server say that nothing more comes, and wait a moment before it
// closes: with what was not read, closing takes an answer back that is on its way.
func (g *guest) CloseWrite() error {
	if half, ok := g.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
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

// letIn waits until everybody is in who has begun to connect, and has the kernel take
// no others. accepted is when the last one came in.
func letIn(ctx context.Context, l net.Listener, accepted *atomic.Int64) {
	refuseNew(l)
	begin := time.Now()
	for tick := time.NewTicker(10 * time.Millisecond); ctx.Err() == nil; <-tick.C {
		since := time.Since(begin)
		if last := accepted.Load(); last > begin.UnixNano() {
			since = time.Since(time.Unix(0, last))
		}
		if since >= doorQuiet && waiting(l) == 0 || time.Since(begin) > 10*doorQuiet {
			return
		}
	}
}

// close lets nobody in any more, and has let in everybody who waited: closing the
// socket resets their connections. Those that begin to connect meanwhile are not
// answered, and find the next process, or nobody, when they try again.
func (d *door) close(ctx context.Context) {
	if !d.passed {
		letIn(ctx, d.Listener, &d.accepted)
	}
	d.closed.Store(true)
	if timed, ok := d.Listener.(interface{ SetDeadline(time.Time) error }); ok && d.passed {
		_ = timed.SetDeadline(time.Unix(1, 0)) // nobody else is disturbed
	} else {
		_ = d.Listener.Close()
	}
	select { // who was let in just now is known to the server then, and to empty
	case <-d.shut:
	case <-time.After(patience): // the server takes nobody any more
	case <-ctx.Done():
	}
}

// empty waits until nobody is left who may be about to send a request that would get
// no answer. The server can end the others: HTTP/2 says which requests were not taken,
// and those under way are waited for.
func (d *door) empty(ctx context.Context) {
	suspects, begin := make(map[*guest]bool), time.Now()
	for tick := time.NewTicker(20 * time.Millisecond); ctx.Err() == nil; <-tick.C {
		d.mu.Lock()
		var left []*guest
		for g := range d.guests {
			age := time.Since(time.Unix(0, g.since.Load()))
			switch phase := g.phase.Load(); {
			case phase == silent, phase == spoken && age < speech,
				phase == served && !g.told.Load() && time.Since(begin) < patience:
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
		if g, ok := r.Context().Value(guestKey{}).(*guest); ok {
			g.told.Store(true)
		}
	}
}

// doorClosed is how a listener says that it was closed on purpose.
func doorClosed(err error) bool {
	return errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed)
}
