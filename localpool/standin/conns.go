package standin

import (
	"bufio"
	"io"
	"net"
	"sync"
	"time"
)

// conn is a connection of which some bytes were read already.
type conn struct {
	net.Conn
	read *bufio.Reader
	host string // that a CONNECT named
}

func (c *conn) Read(b []byte) (int, error) { return c.read.Read(b) }

// queue is a listener of connections that were accepted elsewhere.
type queue struct {
	address net.Addr
	conns   chan net.Conn
	done    chan struct{}
	once    sync.Once
}

func newQueue(address net.Addr) *queue {
	return &queue{address: address, conns: make(chan net.Conn), done: make(chan struct{})}
}

func (q *queue) put(c net.Conn) {
	select {
	case q.conns <- c:
	case <-q.done:
		_ = c.Close()
	}
}

// Accept implements [net.Listener].
func (q *queue) Accept() (net.Conn, error) {
	select {
	case c := <-q.conns:
		return c, nil
	case <-q.done:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (q *queue) Close() error {
	q.once.Do(func() { close(q.done) })
	return nil
}

// Addr implements [net.Listener].
func (q *queue) Addr() net.Addr { return q.address }

const (
	handshake = 0x16 // the first byte of TLS
	patience  = 10 * time.Second
)

// sort hands each connection to one of two queues by its first byte, until the listener
// ends.
func sort(l net.Listener, plain, secure *queue) error {
	for {
		accepted, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			c := &conn{Conn: accepted, read: bufio.NewReaderSize(accepted, 4096)}
			_ = accepted.SetReadDeadline(time.Now().Add(patience))
			first, err := c.read.Peek(1)
			if err != nil {
				_ = accepted.Close()
				return
			}
			_ = accepted.SetReadDeadline(time.Time{})
			if first[0] == handshake {
				secure.put(c)
			} else {
				plain.put(c)
			}
		}()
	}
}

// tunnel copies both ways until both ends have said all.
func tunnel(a *conn, b net.Conn) {
	var wg sync.WaitGroup
	one := func(to net.Conn, from io.Reader) {
		_, _ = io.Copy(to, from)
		if half, ok := to.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		} else {
			_ = to.Close()
		}
	}
	wg.Go(func() { one(b, a) })
	wg.Go(func() { one(a, b) })
	wg.Wait()
	_ = a.Close()
	_ = b.Close()
}
