//go:build unix

package faults

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// proxy stands between the application and a server.
type proxy struct {
	*toxiproxy.Proxy
	t testing.TB
}

func startProxy(t testing.TB, upstream string) *proxy {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := &proxy{toxiproxy.NewProxy(server, t.Name(), "127.0.0.1:0", upstream), t}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

// poison makes connections bad: what is sent ("upstream"), or what is answered
// ("downstream").
func (p *proxy) poison(kind, stream string, attributes map[string]any) {
	p.t.Helper()
	b, err := json.Marshal(map[string]any{"name": kind + stream, "type": kind, "stream": stream, "attributes": attributes})
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.Toxics.AddToxicJson(strings.NewReader(string(b))); err != nil {
		p.t.Fatal(err)
	}
}

// slow delays every answer, in milliseconds.
func (p *proxy) slow(latency int) {
	p.t.Helper()
	p.poison("latency", "downstream", map[string]any{"latency": latency})
}

// hang passes nothing on any more, and keeps connections open.
func (p *proxy) hang() {
	p.t.Helper()
	for _, stream := range []string{"upstream", "downstream"} {
		p.poison("timeout", stream, map[string]any{"timeout": 0})
	}
}

// heal takes all of it back.
func (p *proxy) heal() { p.Toxics.ResetToxics(context.Background()) }
