package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/codegrant/codegrant/session"
)

const (
	// silence is how often it is seen whether a connection has said anything since. If
	// not, it is asked, and given up where it does not answer within Config.Timeout.
	silence = time.Second
	// lookAround is how often sentinels and clusters are asked who is who, in case
	// that word of a change was missed.
	lookAround = 5 * time.Second
	// buffer is that of each direction of a connection.
	buffer = 64 << 10
	// dropPause is how often connections are given up because the server on the other
	// side takes no writes: it may well be the only one there is.
	dropPause = time.Second
	// maxRedirects is how often a cluster may send a command on.
	maxRedirects = 8
)

// dialer makes the client when it is first needed, and again for as long as that
// fails: a process that starts before Redis does serves as soon as Redis does.
type dialer struct {
	config  resolved
	onWord  func(words []rueidis.RedisMessage) // of changes; nil: none are wanted
	ready   atomic.Pointer[rueidis.Client]
	mu      sync.Mutex // guards the fields below
	attempt *attempt   // under way
	closed  bool
	conns   map[*conn]bool
	dropped time.Time // when all of them were given up
}

// attempt is a client in the making.
type attempt struct {
	done   chan struct{}
	client rueidis.Client // once done is closed, as is err
	err    error
}

// client returns the client, or waits for it as long as ctx lasts.
func (d *dialer) client(ctx context.Context) (rueidis.Client, error) {
	if client := d.ready.Load(); client != nil {
		return *client, nil
	}
	a, err := d.begin()
	if err != nil {
		return nil, err
	}
	select {
	case <-a.done:
		return a.client, a.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// begin returns the attempt that is under way, or a new one.
func (d *dialer) begin() (*attempt, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, errClosed
	}
	if d.attempt == nil {
		a := &attempt{done: make(chan struct{})}
		if client := d.ready.Load(); client != nil { // since it was looked for
			a.client = *client
			close(a.done)
			return a, nil
		}
		d.attempt = a
		go d.make(a)
	}
	return d.attempt, nil
}

func (d *dialer) make(a *attempt) {
	client, err := rueidis.NewClient(d.options())
	if err == nil && d.config.Cluster && client.Mode() != rueidis.ClientModeCluster {
		client.Close()
		err = errNoCluster
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.attempt = nil
	switch {
	case err != nil:
		a.err = err
	case d.closed:
		client.Close()
		a.err = errClosed
	default:
		a.client = client
		d.ready.Store(&client)
	}
	close(a.done)
}

// close ends the client, and any that is in the making.
func (d *dialer) close() {
	d.mu.Lock()
	closed := d.closed
	d.closed = true
	d.mu.Unlock()
	if client := d.ready.Load(); client != nil && !closed {
		(*client).Close()
	}
}

func (d *dialer) options() rueidis.ClientOption {
	c := d.config
	socket := net.Dialer{Timeout: c.Timeout, KeepAlive: silence}
	return rueidis.ClientOption{
		InitAddress: slices.Clone(c.Addresses),
		Username:    c.Username,
		Password:    c.Password,
		SelectDB:    c.Database,
		ClientName:  "codegrant",
		TLSConfig:   c.TLS,
		DialCtxFn:   d.dial,
		Dialer:      socket,
		Sentinel: rueidis.SentinelOption{
			Dialer: socket, TLSConfig: c.TLS, MasterSet: c.MasterName, ClientName: "codegrant",
			Username: c.SentinelUsername, Password: c.SentinelPassword,
			TopologyRefreshInterval: lookAround,
		},
		ClusterOption: rueidis.ClusterOption{ShardsRefreshInterval: lookAround, MaxMovedRedirections: maxRedirects},
		// One address that is a socket is not a cluster's.
		ForceSingleClient:   c.unix,
		ShuffleInit:         true,
		ClientSetInfo:       rueidis.DisableClientSetInfo,
		ConnWriteTimeout:    c.Timeout,
		ReadBufferEachConn:  buffer,
		WriteBufferEachConn: buffer,
		// Otherwise a caller whose time is up closes the connection of all.
		AlwaysPipelining: true,
		RetryDelay:       retryDelay,
		// Everything that is read is kept track of, whichever way it goes through a
		// cluster that is being moved about.
		ClientTrackingOptions: []string{},
		OnInvalidations:       d.onWord,
		DisableCache:          d.onWord == nil,
	}
}

// retryDelay has what may run twice run a second time at once, on a new connection,
// and a third time when a server that is starting may have started. Whoever waits for
// a page is not to wait for more.
func retryDelay(attempts int, _ rueidis.Completed, _ error) time.Duration {
	switch attempts {
	case 1:
		return 0
	case 2:
		return 50 * time.Millisecond
	}
	return -1
}

// conn is a connection that the dialer knows of while it is open.
type conn struct {
	net.Conn
	dialer *dialer
}

func (c *conn) Close() error {
	c.dialer.mu.Lock()
	delete(c.dialer.conns, c)
	c.dialer.mu.Unlock()
	return c.Conn.Close()
}

// drop gives every connection up, so that the next ones lead to where the address
// leads by now. A server that was the primary keeps its connections, and would refuse
// every write for as long as they last.
func (d *dialer) drop() {
	d.mu.Lock()
	var open []*conn
	if now := time.Now(); now.Sub(d.dropped) >= dropPause {
		d.dropped = now
		open = slices.Collect(maps.Keys(d.conns))
	}
	d.mu.Unlock()
	for _, c := range open {
		c.Close()
	}
}

func (d *dialer) dial(ctx context.Context, address string, socket *net.Dialer, config *tls.Config) (net.Conn, error) {
	opened, err := d.open(ctx, address, socket, config)
	if err != nil {
		return nil, err
	}
	c := &conn{opened, d}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conns == nil {
		d.conns = make(map[*conn]bool)
	}
	d.conns[c] = true
	return c, nil
}

func (d *dialer) open(ctx context.Context, address string, socket *net.Dialer, config *tls.Config) (net.Conn, error) {
	// The one before it is lost. Those who read from it may not have noticed yet.
	if d.onWord != nil {
		d.onWord(nil)
	}
	switch {
	case d.config.unix:
		return socket.DialContext(ctx, "unix", address)
	case config != nil:
		encrypted := tls.Dialer{NetDialer: socket, Config: config}
		return encrypted.DialContext(ctx, "tcp", address)
	case !d.config.InsecurePlaintext && !onThisMachine(address):
		return nil, errPlaintext
	}
	return socket.DialContext(ctx, "tcp", address)
}

var (
	errClosed    = errors.New("the store was closed")
	errNoCluster = errors.New("the server is not part of a cluster: leave Cluster and cluster=true out")
	errTimeout   = errors.New("no answer in time: see whether Redis runs and can be reached, or raise Timeout")
)

// hints say what to do about errors of Redis, by the first word of each.
var hints = map[string]string{
	"NOAUTH":      "give a Password",
	"WRONGPASS":   "check Username and Password",
	"NOPERM":      "give the user the rights that the package documentation lists",
	"OOM":         "Redis has no memory left: raise its maxmemory",
	"READONLY":    "this is a replica: give the address of the primary, or those of the sentinels",
	"LOADING":     "Redis is starting",
	"MASTERDOWN":  "the replica has lost its primary",
	"CLUSTERDOWN": "parts of the cluster are down",
	"MISCONF":     "Redis cannot save its data: see its log",
	"DENIED":      "Redis is in protected mode: give it a password, or an address to bind to",
	"MOVED":       "the cluster keeps moving this key: try again",
}

// fail says what an operation was about, that the store is unavailable, why, and what
// to do where that is known.
func (s *Store) fail(ctx context.Context, operation string, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	if errors.Is(err, rueidis.ErrNoCache) {
		err = fmt.Errorf("the server does not offer client-side caching: set DisableCache, or ?cache=false: %w", err)
	} else if answer, ok := rueidis.IsRedisErr(err); ok {
		word, _, _ := strings.Cut(answer.Error(), " ")
		if word == "WRONGTYPE" {
			err = fmt.Errorf("%w: %w", session.ErrDamaged, err)
		}
		if hint := hints[word]; hint != "" {
			err = fmt.Errorf("%s: %w", hint, err)
		}
	}
	// A server that does not know a command repeats it, and with it what it was
	// given.
	for _, secret := range []string{s.dialer.config.Password, s.dialer.config.SentinelPassword} {
		if secret != "" && strings.Contains(err.Error(), secret) {
			err = errors.New("the server answered with an error that repeats a password")
			break
		}
	}
	return fmt.Errorf("%s: %w: %w", operation, session.ErrUnavailable, err)
}
