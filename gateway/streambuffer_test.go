package gateway

import (
	"log/slog"
	"net/http"
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

// TestConnectionsOfStreamsHoldLittle: so do the connections to the server, and those that
// requests with a body share with everybody do not.
func TestConnectionsOfStreamsHoldLittle(t *testing.T) {
	const events = "application/json, text/event-stream"
	transport := NewTransport()
	for _, tt := range []struct {
		method, accept string
		want           int // 0: as net/http has it
	}{{"GET", "text/event-stream", smallBuffer}, {"GET", events, smallBuffer}, {"POST", events, 0}, {"GET", "text/html", 0}} {
		if got := transport.of(&http.Request{Method: tt.method, Header: http.Header{"Accept": {tt.accept}}}); got.ReadBufferSize != tt.want || got.WriteBufferSize != tt.want || !got.DisableCompression || got.DialContext == nil {
			t.Errorf("%s %s: buffers of %d and %d, want %d", tt.method, tt.accept, got.ReadBufferSize, got.WriteBufferSize, tt.want)
		}
	}
}
