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
