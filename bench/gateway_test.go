package bench

import (
	"crypto/ed25519"
	"crypto/rand"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/gateway"
)

func newGateway(tb testing.TB, auth *codegrant.Auth, transport http.RoundTripper, routes ...gateway.Route) http.Handler {
	tb.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	g, err := gateway.New(gateway.Config{
		Tenants: []gateway.Tenant{{Auth: auth}}, Routes: routes, Transport: transport, Logger: slog.New(slog.DiscardHandler),
		Assertions: &gateway.Assertions{Keys: []ed25519.PrivateKey{key}, Issuer: "https://app.example.com"},
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = g.Close(tb.Context()) })
	return g
}

// BenchmarkCheck asks the forward-auth endpoint, as a proxy does for each request.
func BenchmarkCheck(b *testing.B) {
	build := func(auth *codegrant.Auth) http.Handler { return newGateway(b, auth, nil) }
	const question = "/auth/check?group=analysts"
	address, browsers := signedIn(b, nil, build)
	contend(b, "bare", bareServer(b)+question, browsers)
	contend(b, "memory", address+question, browsers)
	for _, s := range stores(b) {
		address, browsers := signedIn(b, s.store, build)
		s.contend(b, address+question, browsers)
	}
}

// BenchmarkProxy sends requests through a reverse proxy to an empty handler: bare,
// bare with buffers that are used again, and with a session check. All of them speak
// to the upstream through transports with the same settings.
func BenchmarkProxy(b *testing.B) {
	upstream := bareServer(b)
	target, err := url.Parse(upstream)
	if err != nil {
		b.Fatal(err)
	}
	reverse := func(buffers httputil.BufferPool) string {
		server := httptest.NewServer(&httputil.ReverseProxy{
			Rewrite:    func(r *httputil.ProxyRequest) { r.SetURL(target); r.SetXForwarded() },
			Transport:  newTransport(b),
			BufferPool: buffers,
		})
		b.Cleanup(server.Close)
		return server.URL + "/"
	}
	route := gateway.Route{Path: "/", Upstream: &gateway.Upstream{URLs: []string{upstream}}}
	asserted := route
	asserted.Assertion = true
	address, browsers := signedIn(b, nil, func(auth *codegrant.Auth) http.Handler { return newGateway(b, auth, nil, route) })
	contend(b, "bare", reverse(nil), browsers)
	contend(b, "bare with buffers", reverse(&buffers{}), browsers)
	contend(b, "gateway", address+"/", browsers)
	address, browsers = signedIn(b, nil, func(auth *codegrant.Auth) http.Handler { return newGateway(b, auth, nil, asserted) })
	contend(b, "gateway with assertion", address+"/", browsers)
}

// newTransport is set as the gateway's own is.
func newTransport(tb testing.TB) *http.Transport {
	transport := &http.Transport{
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
		MaxIdleConns:          1024,
		MaxIdleConnsPerHost:   256,
		IdleConnTimeout:       90 * time.Second,
		DisableCompression:    true,
		ForceAttemptHTTP2:     true,
	}
	tb.Cleanup(transport.CloseIdleConnections)
	return transport
}

type buffers struct{ sync.Pool }

func (p *buffers) Get() []byte {
	if b, ok := p.Pool.Get().(*[]byte); ok {
		return *b
	}
	return make([]byte, 32<<10)
}

func (p *buffers) Put(b []byte) { p.Pool.Put(&b) }
