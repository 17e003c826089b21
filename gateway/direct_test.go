package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"reflect"
	"strings"
	"testing"
	"time"
)

// wireServer takes connections, reads the head of a request from each, and answers with what it
// is told. It then waits for the other side to close, where it is told to hold.
type wireServer struct {
	address string
	heads   chan string   // of requests, as they came
	closed  chan struct{} // a connection that was held was closed by the other side
}

func newWireServer(t *testing.T, answer string, hold bool) *wireServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	s := &wireServer{l.Addr().String(), make(chan string, 8), make(chan struct{}, 8)}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(time.Minute))
				var head []byte
				for b := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); head = append(head, b[0]) {
					if _, err := conn.Read(b); err != nil {
						return
					}
				}
				s.heads <- string(head)
				_, _ = io.WriteString(conn, answer)
				if !hold {
					return
				}
				if _, err := conn.Read(make([]byte, 1)); err != nil && !errors.Is(err, context.DeadlineExceeded) {
					s.closed <- struct{}{}
				}
			}()
		}
	}()
	return s
}

func soon[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(30 * time.Second):
		t.Fatalf("not in half a minute: %s", what)
	}
	return v
}

// heard is what a transport makes of an answer.
type heard struct {
	failed, broken    bool // no answer; no end of its body
	cut               bool // the body was shorter than announced
	proto             string
	status            int
	length            int64
	encoding          []string
	close, plain      bool
	header, trailer   http.Header
	body              string
	early             []int
	earlyHeader, sent string
}

func hear(t *testing.T, transport http.RoundTripper, s *wireServer) (h heard) {
	t.Helper()
	ctx, cancel := context.WithCancel(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(status int, header textproto.MIMEHeader) error {
		h.early, h.earlyHeader = append(h.early, status), h.earlyHeader+header.Get("Link")
		return nil
	}}))
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+"/a%2Fb;c/?q=1&x=%20", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "app.example.com:8443"
	r.Header = http.Header{
		"Accept": {"text/event-stream"}, "User-Agent": {""}, "X-Auth-Groups": {"a,b"}, "Cookie": {"a=1; b=2"}, "X-Two": {"1", "2"},
		"Accept-Encoding": {"gzip"}, "Te": {"trailers"}, "Expect": {"100-continue"}, "Last-Event-Id": {"ü\t7"}, "Content-Length": {"9"},
	}
	response, err := transport.RoundTrip(r)
	h.sent = soon(t, "the request", s.heads)
	if h.failed = err != nil; err != nil {
		return h
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusSwitchingProtocols {
		b, err := io.ReadAll(response.Body)
		h.body, h.broken, h.cut = string(b), err != nil, errors.Is(err, io.ErrUnexpectedEOF)
	}
	h.proto, h.status, h.length, h.close, h.plain = response.Proto, response.StatusCode, response.ContentLength, response.Close, response.Uncompressed
	h.encoding, h.header, h.trailer = response.TransferEncoding, response.Header, response.Trailer
	return h
}

// TestDirectIsAsNetHTTP: servers and clients cannot tell whether a stream has a connection of
// its own: the request is the same byte for byte, and so is what becomes of any answer.
func TestDirectIsAsNetHTTP(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	answers := map[string]string{
		"a length":                 ok + "Content-Length: 5\r\nX-Two: 1\r\nX-Two: 2\r\n\r\nhello",
		"no body":                  ok + "Content-Length: 0\r\n\r\n",
		"no content":               "HTTP/1.1 204 No Content\r\n\r\n",
		"not modified":             "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\nEtag: x\r\n\r\n",
		"refused":                  "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 2\r\n\r\nno",
		"chunks":                   ok + "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n there\r\n0\r\n\r\n",
		"a trailer":                ok + "Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 7\r\nX-Late: 8\r\n\r\n",
		"until the end":            ok + "\r\nhello",
		"until the end, it says":   ok + "Connection: close\r\n\r\nhello",
		"HTTP/1.0":                 "HTTP/1.0 200 OK\r\n\r\nhello",
		"hints":                    "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: b\r\n\r\n" + ok + "Content-Length: 2\r\n\r\nhi",
		"continue":                 "HTTP/1.1 100 Continue\r\n\r\n" + ok + "Content-Length: 2\r\n\r\nhi",
		"another protocol":         "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
		"packed":                   ok + "Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\n\x1f\x8b\x08xx",
		"cut":                      ok + "Content-Length: 50\r\n\r\nhello",
		"cut in a chunk":           ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
		"cut between chunks":       ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"a chunk of no size":       ok + "Transfer-Encoding: chunked\r\n\r\nz\r\nhello\r\n0\r\n\r\n",
		"two lengths":              ok + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
		"a length and chunks":      ok + "Content-Length: 50\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"an encoding of its own":   ok + "Transfer-Encoding: identity, x\r\n\r\nhello",
		"a header that is none":    ok + "X Y: z\r\n\r\n",
		"a header over lines":      ok + "X-Long: a\r\n b\r\nContent-Length: 2\r\n\r\nhi",
		"a status of one digit":    "HTTP/1.1 2 OK\r\n\r\n",
		"a status below 100":       "HTTP/1.1 042 Odd\r\nContent-Length: 2\r\n\r\nhi",
		"another protocol's":       "SSH-2.0-OpenSSH_9.6\r\n",
		"nothing":                  "",
		"half a head":              ok + "Content-Length: 5\r\n",
		"more than was announced":  ok + "Content-Length: 2\r\n\r\nhello",
		"a header of many buffers": ok + "X-Long: " + strings.Repeat("x", 20<<10) + "\r\nContent-Length: 2\r\n\r\nhi",
		"chunks of many buffers":   ok + "Transfer-Encoding: chunked\r\n\r\n5000\r\n" + strings.Repeat("y", 0x5000) + "\r\n0\r\n\r\n",
	}
	transport := NewTransport()
	defer transport.CloseIdleConnections()
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			s := newWireServer(t, answer, false)
			want, got := hear(t, transport.streams, s), hear(t, transport.direct, s)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("as it is\n%+v\nas net/http has it\n%+v", got, want)
			}
		})
	}
}

// TestDirectBoundsHeads: a server that never ends the head of its answer is given up.
func TestDirectBoundsHeads(t *testing.T) {
	for name, line := range map[string]string{"one answer": "X-A: " + strings.Repeat("x", 1<<20) + "\r\n"} {
		s := newWireServer(t, "HTTP/1.1 200 OK\r\n"+strings.Repeat(line, 11), false)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.address+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if response, err := NewTransport().direct.RoundTrip(r); !errors.Is(err, errAnswer) {
			t.Errorf("%s: %v, %v", name, response, err)
		}
	}
}

// TestDirectSendsNoHeaderThatIsNone: what would begin another line, or another request, is not
// sent, and nothing is.
func TestDirectSendsNoHeaderThatIsNone(t *testing.T) {
	d := &direct{func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("it dials") }}
	for _, h := range []http.Header{{"X-A": {"1\r\nX-Auth-Subject: eve"}}, {"X-A": {"ok", "\n"}}, {"X-A: 1\r\nX-B": {"2"}}, {"": {"1"}}, {"X-A": {"\x00"}}} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:1/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = h
		if _, err := d.RoundTrip(r); !errors.Is(err, errHead) {
			t.Errorf("%q: %v", h, err)
		}
	}
}

// TestDirectEndsWithTheRequest: whoever ends a request ends its connection, wherever it is,
// and hears why.
func TestDirectEndsWithTheRequest(t *testing.T) {
	const begun = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
	for _, tt := range []struct {
		name, answer string
		cause        error // nil: the body is closed instead
	}{{"before the answer", "", errSlow}, {"within the head", "HTTP/1.1 200 OK\r\nX-A:", context.Canceled}, {"within the body", begun, errSlow}, {"a body that is closed", begun, nil}} {
		t.Run(tt.name, func(t *testing.T) {
			s := newWireServer(t, tt.answer, true)
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+"/", nil)
			if err != nil {
				t.Fatal(err)
			}
			if tt.answer != begun {
				go func() {
					<-s.heads
					cancel(tt.cause)
				}()
				if response, err := NewTransport().direct.RoundTrip(r); !errors.Is(err, tt.cause) {
					t.Errorf("%v, %v", response, err)
				}
				soon(t, "the connection is closed", s.closed)
				return
			}
			response, err := NewTransport().direct.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(response.Body, make([]byte, 5)); err != nil {
				t.Fatal(err)
			}
			read := make(chan error, 1)
			go func() {
				_, err := response.Body.Read(make([]byte, 5))
				read <- err
			}()
			if tt.cause != nil {
				cancel(tt.cause)
			} else {
				_ = response.Body.Close()
			}
			if err := soon(t, "the read ends", read); err == nil || tt.cause != nil && err != tt.cause {
				t.Errorf("the read that waited: %v, want %v", err, tt.cause)
			}
			soon(t, "the connection is closed", s.closed)
		})
	}
}

// TestDirectNeedsNoClose: a connection ends with its answer, whether that has a body or not.
func TestDirectNeedsNoClose(t *testing.T) {
	for _, answer := range []string{"HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 101 Odd\r\n\r\n"} {
		s := newWireServer(t, answer, true)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.address+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := NewTransport().direct.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(response.Body); err != nil {
			t.Errorf("%q: %v", answer, err)
		}
		soon(t, "the connection is closed", s.closed)
	}
}
