package gateway

import (
	"net"
	"net/http"
	"strings"
	"time"
)

// Transport sends requests to upstreams, with timeouts for whatever happens before a request is
// sent. Make it with [NewTransport], and give it to several gateways where they are to share
// connections.
type Transport struct {
	plain   *http.Transport
	streams *http.Transport // a connection holds its buffers as long as a stream lasts
	direct  *direct         // for streams without TLS
}

// smallBuffer is what a connection of a stream has for what it reads.
const smallBuffer = 1 << 10

// NewTransport returns a transport without connections.
func NewTransport() *Transport {
	plain := &http.Transport{
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
		MaxIdleConns:          1024,
		MaxIdleConnsPerHost:   256,
		IdleConnTimeout:       90 * time.Second,
		DisableCompression:    true, // what the upstream and the client agree on is theirs
		ForceAttemptHTTP2:     true,
	}
	streams := plain.Clone()
	streams.ReadBufferSize, streams.WriteBufferSize = smallBuffer, smallBuffer
	return &Transport{plain, streams, &direct{plain.DialContext}}
}

// RoundTrip sends a request.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) { return t.of(r).RoundTrip(r) }

// CloseIdleConnections closes connections that no request uses.
func (t *Transport) CloseIdleConnections() {
	t.plain.CloseIdleConnections()
	t.streams.CloseIdleConnections()
}

// of is what a request is sent by. One with a body may have a large one, and an answer that is no
// stream.
func (t *Transport) of(r *http.Request) http.RoundTripper {
	switch {
	case r.Method != http.MethodGet || !takesStreams(r):
		return t.plain
	case t.direct.takes(r):
		return t.direct
	default:
		return t.streams
	}
}

// takesStreams reports whether a client asks for events, as EventSource and clients of the
// Model Context Protocol do.
func takesStreams(r *http.Request) bool {
	accept := r.Header["Accept"]
	return len(accept) > 0 && strings.Contains(accept[0], "text/event-stream")
}
