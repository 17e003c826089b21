package mcp_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/mcp"
)

// counted is a connection that counts what is written to it.
type counted struct {
	net.Conn
	writes *atomic.Int64
}

func (c counted) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

// TestAMessageIsWrittenAtOnce: the server gets the head and the message of a call in one write,
// since the guard has the message already; and it gets it whole.
func TestAMessageIsWrittenAtOnce(t *testing.T) {
	s := &site{Pool: codegranttest.NewPool(t, nil), t: t, log: new(logs)}
	var got string
	var length int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, length = string(b), r.ContentLength
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":7,"result":{}}`)
	}))
	t.Cleanup(server.Close)
	var writes atomic.Int64
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return counted{conn, &writes}, err
	}}
	t.Cleanup(transport.CloseIdleConnections)
	s.url = s.App(func(config codegrant.Config) http.Handler {
		auth, err := codegrant.New(config)
		if err != nil {
			t.Fatal(err)
		}
		resource, err := mcp.New(mcp.Config{URL: config.BaseURL + "/mcp", Endpoints: auth.Endpoints(), Tools: []mcp.Tool{{Name: "search"}}, Logger: config.Logger})
		if err != nil {
			t.Fatal(err)
		}
		g, err := gateway.New(gateway.Config{
			Tenants: []gateway.Tenant{{Name: "main", Auth: auth}}, Logger: config.Logger, Transport: transport,
			Routes: []gateway.Route{{Name: "mcp", Path: "/mcp", Guard: resource, Upstream: &gateway.Upstream{URLs: []string{server.URL}, MaxBody: 1 << 10}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = g.Close(context.Background()) })
		return g
	}) + "/mcp"
	token := s.token(nil)
	for range 3 {
		writes.Store(0)
		if r, body := s.ask("POST", s.url, token, call("search")); r.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", r.StatusCode, body)
		}
		if got != call("search") || length != int64(len(got)) || writes.Load() != 1 {
			t.Errorf("the server got %q of %d bytes, in %d writes, want one", got, length, writes.Load())
		}
	}
}
