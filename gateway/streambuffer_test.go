package gateway

import (
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestStreamsHoldLittle: who asks for events gets a small buffer, which lasts as long as the
// stream, and everybody else one for large bodies.
func TestStreamsHoldLittle(t *testing.T) {
	p := newProxy(&Gateway{log: slog.New(slog.DiscardHandler)}, nil)
	for accept, want := range map[string]int{
		"text/event-stream": 4 << 10, "application/json, text/event-stream": 4 << 10, "text/html": 32 << 10, "": 32 << 10,
	} {
		r := &http.Request{Header: http.Header{}}
		if accept != "" {
			r.Header.Set("Accept", accept)
		}
		reverse := p.reverse
		if takesStreams(r) {
			reverse = p.streams
		}
		buffer := reverse.BufferPool.Get()
		if len(buffer) != want {
			t.Errorf("%q: %d bytes, want %d", accept, len(buffer), want)
		}
		reverse.BufferPool.Put(buffer)
	}
	if p.streams.Rewrite == nil || p.streams.ModifyResponse == nil || p.streams.ErrorHandler == nil || p.streams.Transport != p.reverse.Transport {
		t.Error("streams are not sent on as everything else is")
	}
}

// TestConnectionsOfStreamsHoldLittle: a stream has a connection of its own, without goroutines
// and with a small buffer. Over TLS the server may choose HTTP/2, so there the buffers alone are
// small. Requests of any other kind share connections with everybody.
func TestConnectionsOfStreamsHoldLittle(t *testing.T) {
	const events = "application/json, text/event-stream"
	transport := NewTransport()
	for _, tt := range []struct {
		name, method, scheme, accept string
		change                       func(*http.Request)
		want                         http.RoundTripper
	}{
		{"events", "GET", "http", "text/event-stream", nil, transport.direct},
		{"a client of MCP", "GET", "http", events, nil, transport.direct},
		{"an empty body", "GET", "http", events, func(r *http.Request) { r.Body = http.NoBody }, transport.direct},
		{"TLS", "GET", "https", events, nil, transport.streams},
		{"a body", "GET", "http", events, func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("x")) }, transport.streams},
		{"another protocol", "GET", "http", events, func(r *http.Request) { r.Header.Set("Upgrade", "websocket") }, transport.streams},
		{"a trailer", "GET", "http", events, func(r *http.Request) { r.Trailer = http.Header{"X-Sum": nil} }, transport.streams},
		{"POST", "POST", "http", events, nil, transport.plain},
		{"HEAD", "HEAD", "http", events, nil, transport.plain},
		{"a page", "GET", "http", "text/html", nil, transport.plain},
	} {
		r := &http.Request{Method: tt.method, URL: &url.URL{Scheme: tt.scheme}, Header: http.Header{"Accept": {tt.accept}}}
		if tt.change != nil {
			tt.change(r)
		}
		if got := transport.of(r); got != tt.want {
			t.Errorf("%s: sent by %T", tt.name, got)
		}
	}
	if s := transport.streams; s.ReadBufferSize != smallBuffer || s.WriteBufferSize != smallBuffer || !s.DisableCompression || s.DialContext == nil {
		t.Errorf("streams over TLS: %+v", s)
	}
}
