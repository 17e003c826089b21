package proxies

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/codegrant/codegrant/internal/proxytest"
)

// A request goes out as it is written here: names, their spelling and their order are
// the scenario's.
type request struct {
	method, path string
	header       [][2]string
	body         string      // with trailers, or without, of no announced length where there are some
	trailer      [][2]string // announced, too
	raw          string      // HTTP/1.1 alone: lines between the Host header and the others
}

func (r request) with(pairs ...string) request {
	r.header = r.header[:len(r.header):len(r.header)]
	for i := 0; i < len(pairs); i += 2 {
		r.header = append(r.header, [2]string{pairs[i], pairs[i+1]})
	}
	return r
}

func get(path string) request { return request{method: http.MethodGet, path: path} }

type answer struct {
	status int
	header http.Header
	body   []byte
	tunnel *bufio.ReadWriter // after a 101
	close  func()
}

// errRefused: the proxy, or the client's own library, ended the stream or connection
// instead of answering, or before the end of its answer.
var errRefused = errors.New("refused without a whole answer")

// A client speaks one version of HTTP with one proxy.
type client interface {
	name() string
	do(r request) (answer, error)
}

const patience = time.Minute

func clients(t *testing.T, a proxytest.Addresses, http3 bool) []client {
	t.Helper()
	found := []client{&http1{a: a}, &http2Client{a: a}}
	if http3 {
		found = append(found, newHTTP3(t, a))
	}
	return found
}

func tlsConfig(protocol string) *tls.Config {
	return &tls.Config{RootCAs: proxytest.Roots(), ServerName: "localhost", NextProtos: []string{protocol}}
}

func authority(a proxytest.Addresses) string { return strings.TrimPrefix(a.URL(), "https://") }

type http1 struct {
	a    proxytest.Addresses
	from string // address of the client, where it matters
}

func (c *http1) name() string { return "HTTP/1.1" }

func (c *http1) do(r request) (answer, error) {
	dialer := &tls.Dialer{Config: tlsConfig("http/1.1"), NetDialer: &net.Dialer{Timeout: patience}}
	if c.from != "" {
		dialer.NetDialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(c.from)}
	}
	conn, err := dialer.Dial("tcp", c.a.Front)
	if err != nil {
		return answer{}, err
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n%s", r.method, r.path, authority(c.a), r.raw)
	for _, h := range r.header {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	switch {
	case len(r.trailer) > 0:
		var names []string
		for _, h := range r.trailer {
			names = append(names, h[0])
		}
		fmt.Fprintf(&b, "TE: trailers\r\nTrailer: %s\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n", strings.Join(names, ", "), len(r.body), r.body)
		for _, h := range r.trailer {
			fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
		}
		b.WriteString("\r\n")
	case r.body != "":
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(r.body), r.body)
	default:
		b.WriteString("\r\n")
	}
	if _, err := conn.Write(b.Bytes()); err != nil {
		_ = conn.Close()
		return answer{}, fmt.Errorf("%w: %w", errRefused, err)
	}
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, &http.Request{Method: r.method})
	if err != nil {
		_ = conn.Close()
		return answer{}, fmt.Errorf("%w: %w", errRefused, err)
	}
	if response.StatusCode == http.StatusSwitchingProtocols {
		return answer{status: 101, header: response.Header, tunnel: bufio.NewReadWriter(reader, bufio.NewWriter(conn)), close: func() { _ = conn.Close() }}, nil
	}
	defer conn.Close()
	return whole(response)
}

// http2Client writes frames itself: a library of HTTP/2 would not send such names.
type http2Client struct {
	a      proxytest.Addresses
	conn   net.Conn
	framer *http2.Framer
	stream uint32
}

func (c *http2Client) name() string { return "HTTP/2" }

func (c *http2Client) open() error {
	conn, err := (&tls.Dialer{Config: tlsConfig("h2"), NetDialer: &net.Dialer{Timeout: patience}}).Dial("tcp", c.a.Front)
	if err != nil {
		return err
	}
	if got := conn.(*tls.Conn).ConnectionState().NegotiatedProtocol; got != "h2" {
		_ = conn.Close()
		return fmt.Errorf("the proxy speaks %q", got)
	}
	c.conn, c.framer, c.stream = conn, http2.NewFramer(conn, conn), 1
	c.framer.AllowIllegalWrites = true
	c.framer.ReadMetaHeaders = hpack.NewDecoder(64<<10, nil)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		return err
	}
	return errors.Join(c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20}), c.framer.WriteWindowUpdate(0, 1<<28))
}

func (c *http2Client) do(r request) (answer, error) {
	if c.conn == nil {
		if err := c.open(); err != nil {
			return answer{}, err
		}
	}
	a, err := c.try(r)
	if err != nil || a.status == 0 {
		_ = c.conn.Close() // what comes next is to begin anew
		c.conn = nil
	}
	return a, err
}

func block(pairs [][2]string) []byte {
	var b bytes.Buffer
	encoder := hpack.NewEncoder(&b)
	for _, h := range pairs {
		_ = encoder.WriteField(hpack.HeaderField{Name: strings.ToLower(h[0]), Value: h[1]})
	}
	return b.Bytes()
}

func (c *http2Client) try(r request) (answer, error) {
	_ = c.conn.SetDeadline(time.Now().Add(patience))
	id := c.stream
	c.stream += 2
	header := append([][2]string{{":method", r.method}, {":scheme", "https"}, {":authority", authority(c.a)}, {":path", r.path}}, r.header...)
	if len(r.trailer) > 0 {
		header = append(header, [2]string{"te", "trailers"}, [2]string{"trailer", r.trailer[0][0]})
	}
	hasBody := r.body != "" || len(r.trailer) > 0
	fragment := block(header)
	first := fragment[:min(len(fragment), 16<<10)]
	err := c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: first, EndStream: !hasBody, EndHeaders: len(first) == len(fragment)})
	for rest := fragment[len(first):]; len(rest) > 0 && err == nil; {
		part := rest[:min(len(rest), 16<<10)]
		rest = rest[len(part):]
		err = c.framer.WriteContinuation(id, len(rest) == 0, part)
	}
	if hasBody && err == nil {
		err = c.framer.WriteData(id, len(r.trailer) == 0, []byte(r.body))
		if len(r.trailer) > 0 && err == nil {
			err = c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block(r.trailer), EndStream: true, EndHeaders: true})
		}
	}
	if err != nil {
		return answer{}, fmt.Errorf("%w: %w", errRefused, err)
	}
	a := answer{header: make(http.Header)}
	for {
		frame, err := c.framer.ReadFrame()
		if err != nil {
			return answer{}, fmt.Errorf("%w: %w", errRefused, err)
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = c.framer.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !frame.IsAck() {
				_ = c.framer.WritePing(true, frame.Data)
			}
		case *http2.GoAwayFrame:
			if frame.LastStreamID < id {
				return answer{}, fmt.Errorf("%w: %s", errRefused, frame.ErrCode)
			}
		case *http2.RSTStreamFrame:
			if frame.StreamID == id {
				if a.status != 0 && frame.ErrCode == http2.ErrCodeNo {
					return a, nil
				}
				return answer{}, fmt.Errorf("%w: %s", errRefused, frame.ErrCode)
			}
		case *http2.MetaHeadersFrame:
			if frame.StreamID != id {
				continue
			}
			for _, f := range frame.Fields {
				if f.Name == ":status" {
					_, _ = fmt.Sscan(f.Value, &a.status)
				} else {
					a.header.Add(f.Name, f.Value)
				}
			}
			if frame.StreamEnded() {
				return a, nil
			}
		case *http2.DataFrame:
			if frame.StreamID != id {
				continue
			}
			a.body = append(a.body, frame.Data()...)
			if frame.StreamEnded() {
				return a, nil
			}
		}
	}
}

type http3Client struct {
	a proxytest.Addresses
	http3.Transport
}

func newHTTP3(t *testing.T, a proxytest.Addresses) *http3Client {
	c := &http3Client{a: a, Transport: http3.Transport{TLSClientConfig: tlsConfig("h3"), QUICConfig: &quic.Config{HandshakeIdleTimeout: patience}}}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (c *http3Client) name() string { return "HTTP/3" }

func (c *http3Client) do(r request) (answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var body io.Reader
	if r.body != "" || len(r.trailer) > 0 {
		body = strings.NewReader(r.body)
	}
	out, err := http.NewRequestWithContext(ctx, r.method, "https://"+authority(c.a)+"/", body)
	if err != nil {
		return answer{}, err
	}
	out.URL.Opaque = "//" + authority(c.a) + r.path
	for _, h := range r.header {
		out.Header[h[0]] = append(out.Header[h[0]], h[1]) // it makes them lower case
	}
	if len(r.trailer) > 0 {
		out.Trailer = make(http.Header)
		for _, h := range r.trailer {
			out.Trailer[h[0]] = append(out.Trailer[h[0]], h[1])
		}
	}
	response, err := c.RoundTrip(out)
	if err != nil {
		return answer{}, fmt.Errorf("%w: %w", errRefused, err)
	}
	defer response.Body.Close()
	return whole(response)
}

// whole reads an answer to its end. Who refuses a request before all of it was read may
// well end the connection before all of the refusal was.
func whole(response *http.Response) (answer, error) {
	a := answer{status: response.StatusCode, header: response.Header}
	var err error
	if a.body, err = io.ReadAll(response.Body); err != nil {
		err = fmt.Errorf("%w after the status %d: %w", errRefused, a.status, err)
	}
	return a, err
}
