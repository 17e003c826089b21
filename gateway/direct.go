package gateway

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync"

	"golang.org/x/net/http/httpguts"
)

// direct sends each request on a connection of its own, and the goroutine of the request reads
// the answer. A connection of net/http's that can be kept for later has two goroutines, which a
// stream would hold as long as it lasts.
type direct struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// maxHead bounds the head of an answer, as net/http does.
const maxHead = 10 << 20

var (
	errHead   = errors.New("a header of the request has characters that HTTP does not allow")
	errAnswer = fmt.Errorf("the head of the answer is longer than %d bytes", maxHead)
)

// writers are for the heads of requests.
var writers = sync.Pool{New: func() any { return bufio.NewWriter(nil) }}

// takes reports whether a request has what direct can send: no body, no other protocol, and no
// TLS, where the server may choose HTTP/2.
func (*direct) takes(r *http.Request) bool {
	return r.URL.Scheme == "http" && r.Method == http.MethodGet && (r.Body == nil || r.Body == http.NoBody) &&
		len(r.Header["Upgrade"]) == 0 && len(r.Trailer) == 0 && len(r.TransferEncoding) == 0
}

// RoundTrip sends a request that direct takes.
func (d *direct) RoundTrip(r *http.Request) (*http.Response, error) {
	for name, values := range r.Header {
		if !httpguts.ValidHeaderFieldName(name) {
			return nil, fmt.Errorf("%w: %.64q", errHead, name)
		}
		for _, value := range values {
			if !httpguts.ValidHeaderFieldValue(value) {
				return nil, fmt.Errorf("%w: the value of %.64q", errHead, name)
			}
		}
	}
	host, err := httpguts.PunycodeHostPort(net.JoinHostPort(r.URL.Hostname(), cmp.Or(r.URL.Port(), "80")))
	if err != nil {
		return nil, err
	}
	ctx := r.Context()
	conn, err := d.dial(ctx, "tcp", host)
	if err != nil {
		return nil, causeOr(ctx, err)
	}
	s := &stream{conn: conn, ctx: ctx, left: maxHead}
	s.stop = context.AfterFunc(ctx, func() { abort(conn) })
	response, err := s.ask(r)
	if err != nil {
		_ = s.Close()
		return nil, causeOr(ctx, err)
	}
	if response.Body == http.NoBody || response.StatusCode == http.StatusSwitchingProtocols {
		_ = s.Close()
		response.Body = http.NoBody
		return response, nil
	}
	s.body, s.left = response.Body, math.MaxInt64
	response.Body = s
	return response, nil
}

// causeOr is why a request ended, where that is known better than by what its connection says.
func causeOr(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// stream is an answer with the connection that it comes by.
type stream struct {
	conn net.Conn
	ctx  context.Context // of the request
	stop func() bool     // waiting for its end, at which the connection is closed
	left int64           // of the head
	body io.Reader
	over bool // the server has closed its side
}

// ask writes the request, and reads the head of the answer to it.
func (s *stream) ask(r *http.Request) (*http.Response, error) {
	w := writers.Get().(*bufio.Writer)
	w.Reset(s.conn)
	err := r.Write(w)
	if err == nil {
		err = w.Flush()
	}
	w.Reset(nil)
	writers.Put(w)
	if err != nil {
		return nil, fmt.Errorf("write the request: %w", err)
	}
	reader := bufio.NewReaderSize((*head)(s), smallBuffer)
	trace := httptrace.ContextClientTrace(s.ctx)
	for {
		response, err := http.ReadResponse(reader, r)
		if err != nil {
			return nil, fmt.Errorf("read the answer: %w", err)
		}
		if response.StatusCode < 100 || response.StatusCode > 199 || response.StatusCode == http.StatusSwitchingProtocols {
			return response, nil
		}
		if trace != nil && trace.Got1xxResponse != nil { // who is told bounds them
			if err := trace.Got1xxResponse(response.StatusCode, textproto.MIMEHeader(response.Header)); err != nil {
				return nil, err
			}
			s.left = maxHead
		}
	}
}

// head is what a stream's connection says, bounded until the head has come.
type head stream

func (s *head) Read(p []byte) (int, error) {
	if s.left <= 0 {
		return 0, errAnswer
	}
	n, err := s.conn.Read(p[:min(int64(len(p)), s.left)])
	if s.left != math.MaxInt64 {
		s.left -= int64(n)
	}
	s.over = err == io.EOF
	return n, err
}

// Read reads the body. The connection ends with it.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.body.Read(p)
	if err == nil {
		return n, nil
	}
	if err == io.EOF && s.over {
		s.stop()
		_ = s.conn.Close() // the server closed it first
		return n, err
	}
	if err != io.EOF {
		err = causeOr(s.ctx, err)
	}
	_ = s.Close()
	return n, err
}

// Close ends the connection, and with it a read that waits. It reads nothing more: a stream
// may have no end.
func (s *stream) Close() error {
	s.stop()
	abort(s.conn)
	return nil
}

// abort closes a connection of which nothing more is wanted. It resets one of TCP, which keeps no
// port in TIME-WAIT: whoever closes first would have one for a minute after each request, and
// their number is bounded for each server.
func abort(conn net.Conn) {
	inner := conn
	for {
		wrapper, ok := inner.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		inner = wrapper.NetConn()
	}
	if tcp, ok := inner.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
