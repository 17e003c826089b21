package serve

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// lone is a listener of one connection.
type lone struct {
	net.Listener
	conns chan net.Conn
	once  sync.Once
}

func (l *lone) Accept() (net.Conn, error) {
	c, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (l *lone) Close() error   { l.once.Do(func() { close(l.conns) }); return nil }
func (l *lone) Addr() net.Addr { return &net.TCPAddr{} }

// held has a request of a stranger's served, and says after how long the handler and the
// client were through with it.
func held(t *testing.T, request string, handler http.HandlerFunc, client func(net.Conn)) (took, whole time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		began, over := time.Now(), make(chan time.Duration, 1)
		ours, theirs := net.Pipe()
		l := &lone{conns: make(chan net.Conn, 1)}
		l.conns <- theirs
		g := new(generation)
		server := &http.Server{IdleTimeout: 2 * time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			room := new(room)
			room.set(0)
			defer func() { over <- time.Since(began) }()
			defer g.leaveRoom(w, r, room.come(network(addressOf(r.RemoteAddr)), false))
			handler(pace(w, r))
		})}
		go server.Serve(l)
		gone := make(chan time.Duration)
		go func() {
			_, _ = io.WriteString(ours, request)
			client(ours)
			gone <- time.Since(began)
		}()
		took = <-over
		whole = <-gone
		ours.Close()
		server.Close()
	})
	return took, whole
}

// TestS296_BodiesAndAnswersMoveOn: a stranger who sends nothing more, or takes nothing more,
// is given up after a while, one who goes on is not, and none goes on for ever.
func TestS296_BodiesAndAnswersMoveOn(t *testing.T) {
	const header = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
	read := func(want string, fails bool) http.HandlerFunc {
		return func(_ http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if string(body) != want || (err != nil) != fails {
				t.Errorf("the body is %q, %v", body, err)
			}
		}
	}
	near := func(what string, took, want time.Duration) {
		t.Helper()
		if took < want-time.Second || took > want+time.Second {
			t.Errorf("%s: over after %v, want %v", what, took, want)
		}
	}
	took, _ := held(t, fmt.Sprintf(header, 1), read("", true), func(net.Conn) {})
	near("no body", took, readEach)
	took, _ = held(t, fmt.Sprintf(header, 4)+"ab", read("ab", true), func(net.Conn) {})
	near("half a body", took, readEach)
	slowly := func(n int) func(net.Conn) {
		return func(c net.Conn) {
			go io.Copy(io.Discard, c)
			for range n {
				time.Sleep(readEach - 2*time.Second)
				if _, err := io.WriteString(c, "x"); err != nil {
					return
				}
			}
		}
	}
	took, _ = held(t, fmt.Sprintf(header, 2), read("xx", false), slowly(2))
	near("a slow body", took, 2*(readEach-2*time.Second))
	took, _ = held(t, fmt.Sprintf(header, 1000), func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err == nil {
			t.Error("it was read")
		}
	}, slowly(1000))
	near("one without an end", took, endpointRead)

	page := strings.Repeat("x", 1<<20)
	write := func(fails bool) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if _, err := io.WriteString(w, page); (err != nil) != fails {
				t.Errorf("the answer: %v", err)
			}
		}
	}
	const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	took, _ = held(t, get, write(true), func(net.Conn) {})
	near("an answer that nobody takes", took, writeEach)
	took, _ = held(t, get, write(false), func(c net.Conn) {
		time.Sleep(writeEach - time.Second)
		_, _ = io.Copy(io.Discard, bufio.NewReader(c))
	})
	near("an answer that is taken late", took, writeEach-time.Second)

	// A body that the handler does not read is not waited for for longer.
	took, whole := held(t, fmt.Sprintf(header, 1), func(http.ResponseWriter, *http.Request) {}, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	near("a body that is of no interest", took, 0)
	near("its connection", whole, readEach)
}
