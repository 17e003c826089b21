package spoe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"sync"
	"time"

	"github.com/codegrant/codegrant/gateway"
)

// Gateway decides. A [*gateway.Gateway] is one; so is what finds the gateway of the
// hour, where a new configuration replaces it.
type Gateway interface {
	CheckOriginal(w http.ResponseWriter, original *http.Request, narrow url.Values) *gateway.Pass
	Trusts(address string) bool
}

// Config is what [New] needs. Gateway is required.
type Config struct {
	Gateway Gateway

	// MaxFrame bounds one frame, in bytes, as far as HAProxy does not bound it
	// further: it sends what fits its tune.bufsize. Defaults to 256 KiB.
	MaxFrame int

	// MaxConnections limits the number of connections. Further ones are closed at
	// once. Each has at most 64 questions in progress, and the next one is read when
	// one of them is answered. Defaults to 1024.
	MaxConnections int

	// Timeout is how long one question may take. Keep it at HAProxy's timeout
	// processing, after which nobody waits. Defaults to 10 seconds.
	Timeout time.Duration

	// Idle is how long a connection may have no question. Keep it above HAProxy's
	// timeout idle, so that HAProxy is the one who ends it. Defaults to 10 minutes.
	Idle time.Duration

	// Drain is how long questions in progress may continue after Serve has to
	// stop. Defaults to 10 seconds.
	Drain time.Duration

	// Logger receives what is refused before it comes to the gateway. Defaults to
	// [slog.Default].
	Logger *slog.Logger
}

// Server is an agent that HAProxy asks. It is safe for concurrent use. Make one with
// [New].
type Server struct{ config Config }

const (
	defaultMaxFrame       = 256 << 10
	defaultMaxConnections = 1024
	maxPending            = 64 // questions of one connection

	// Of one frame, once it has begun, and of the HELLO.
	frameTimeout = 10 * time.Second
)

// New checks the configuration.
func New(config Config) (*Server, error) {
	config.MaxFrame = cmp.Or(config.MaxFrame, defaultMaxFrame)
	config.MaxConnections = cmp.Or(config.MaxConnections, defaultMaxConnections)
	config.Timeout = cmp.Or(config.Timeout, 10*time.Second)
	config.Idle = cmp.Or(config.Idle, 10*time.Minute)
	config.Drain = cmp.Or(config.Drain, 10*time.Second)
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	var faults []error
	if config.Gateway == nil {
		faults = append(faults, errors.New("a Gateway is missing"))
	}
	if config.MaxFrame < 4<<10 || config.MaxFrame > 16<<20 {
		faults = append(faults, fmt.Errorf("MaxFrame of %d bytes is not between 4 KiB and 16 MiB", config.MaxFrame))
	}
	if config.MaxConnections < 1 {
		faults = append(faults, fmt.Errorf("MaxConnections of %d lets nobody ask", config.MaxConnections))
	}
	if config.Timeout < 0 || config.Idle < 0 || config.Drain < 0 {
		faults = append(faults, errors.New("one of Timeout, Idle and Drain is negative"))
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("configure SPOE: %w", errors.Join(faults...))
	}
	return &Server{config: config}, nil
}

// Serve answers on a listener until ctx ends, and closes it. Then each connection gets
// the answers to what it has asked already, also where that was not read yet, and a
// DISCONNECT once it asks nothing more.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	base, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	open := &connections{all: make(map[*connection]struct{})}
	closing := context.AfterFunc(ctx, func() { _ = l.Close() })
	err := s.accept(ctx, base, l, open)
	if closing() {
		_ = l.Close()
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		open.stop()
	}()
	timer := time.NewTimer(s.config.Drain)
	defer timer.Stop()
	select {
	case <-drained:
	case <-timer.C:
		cut()
		<-drained
	}
	return err
}

// accept takes connections until the listener is closed.
func (s *Server) accept(ctx, base context.Context, l net.Listener, open *connections) error {
	const shortest, longest = 5 * time.Millisecond, time.Second
	wait := shortest
	for {
		conn, err := l.Accept()
		if err != nil && ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("serve SPOE on %s: %w", l.Addr(), err)
		}
		if err != nil { // too many open files, say: that passes
			s.config.Logger.LogAttrs(ctx, slog.LevelError, "connection not accepted", slog.String("reason", err.Error()))
			select {
			case <-ctx.Done():
			case <-time.After(wait):
			}
			wait = min(2*wait, longest)
			continue
		}
		wait = shortest
		c := &connection{server: s, conn: conn, peer: peerOf(conn)}
		if !s.config.Gateway.Trusts(c.peer) {
			s.refuse(ctx, c, "it is not a trusted proxy; if it is your HAProxy, list it among the trusted ones")
			continue
		}
		if !open.add(c, s.config.MaxConnections) {
			s.refuse(ctx, c, "there are too many connections")
			continue
		}
		go func() {
			defer open.remove(c)
			c.serve(base)
		}()
	}
}

func (s *Server) refuse(ctx context.Context, c *connection, why string) {
	s.config.Logger.LogAttrs(ctx, slog.LevelWarn, "connection refused", slog.String("reason", why), slog.String("from", c.peer))
	_ = c.conn.Close()
}

// peerOf is the address of who has connected. The other end of a Unix socket is on
// this machine.
func peerOf(conn net.Conn) string {
	if conn.LocalAddr().Network() == "unix" {
		return "127.0.0.1:0"
	}
	return conn.RemoteAddr().String()
}

// connections are those that are open.
type connections struct {
	mu  sync.Mutex
	all map[*connection]struct{}
	wg  sync.WaitGroup
}

func (o *connections) add(c *connection, limit int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.all) >= limit {
		return false
	}
	o.all[c] = struct{}{}
	o.wg.Add(1)
	return true
}

func (o *connections) remove(c *connection) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.all, c)
	o.wg.Done()
}

// stop has all connections end once they have answered, and waits.
func (o *connections) stop() {
	o.mu.Lock()
	for c := range o.all {
		c.stop()
	}
	o.mu.Unlock()
	o.wg.Wait()
}

// check answers one question. It never fails: where there is no answer of the
// gateway's, it is a refusal.
func (s *Server) check(ctx context.Context, f *frame, arguments map[string]value, doubt error, peer string, limit int) (ack []byte) {
	refuse := func(level slog.Level, err error, status int) []byte {
		s.config.Logger.LogAttrs(ctx, level, "check refused", slog.String("reason", err.Error()), slog.String("from", peer))
		ack, err := refused(status).ack(f, limit)
		if err != nil {
			s.config.Logger.LogAttrs(ctx, slog.LevelError, "check not answered", slog.String("reason", err.Error()))
		}
		return ack
	}
	defer func() {
		if fault := recover(); fault != nil {
			s.config.Logger.LogAttrs(ctx, slog.LevelError, "check panicked", slog.Any("reason", fault), slog.String("stack", string(debug.Stack())))
			ack = refuse(slog.LevelError, errors.New("internal fault"), http.StatusServiceUnavailable)
		}
	}()
	if doubt != nil {
		return refuse(slog.LevelWarn, doubt, http.StatusForbidden)
	}
	r, narrow, err := requestOf(arguments, peer)
	if err != nil {
		return refuse(slog.LevelWarn, err, http.StatusForbidden)
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	// With what is set, the request has to fit a buffer of HAProxy's, which needs a part of
	// it for itself, and so does the answer.
	ctx = gateway.WithRoom(ctx, limit-limit/16-len(f.payload))
	a := new(answer)
	pass := s.config.Gateway.CheckOriginal(a, r.WithContext(ctx), narrow)
	var v *variables
	if pass != nil {
		v, err = a.passed(r.Header, pass)
	} else {
		v, err = a.denied()
	}
	if errors.Is(err, errNotRemoved) {
		return refuse(slog.LevelError, err, http.StatusForbidden)
	}
	if err == nil {
		ack, err = v.ack(f, limit)
	}
	if err != nil {
		return refuse(slog.LevelError, err, http.StatusServiceUnavailable)
	}
	return ack
}
