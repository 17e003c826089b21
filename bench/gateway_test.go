package bench

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/gateway"
)

func newGateway(tb testing.TB, auth *codegrant.Auth, routes ...gateway.Route) http.Handler {
	tb.Helper()
	g, err := gateway.New(gateway.Config{Tenants: []gateway.Tenant{{Auth: auth}}, Routes: routes, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = g.Close(tb.Context()) })
	return g
}

// BenchmarkCheck asks the forward-auth endpoint, as a proxy does for each request.
func BenchmarkCheck(b *testing.B) {
	build := func(auth *codegrant.Auth) http.Handler { return newGateway(b, auth) }
	address, cookies := signedIn(b, nil, build)
	contend(b, "bare", bareServer(b), cookies)
	contend(b, "memory", address+"/auth/check?group=analysts", cookies)
	for _, s := range stores(b) {
		address, cookies := signedIn(b, s.store, build)
		contend(b, s.name, address+"/auth/check?group=analysts", cookies)
	}
}

// BenchmarkProxy sends requests through a reverse proxy to an empty handler, bare
// and with a session check.
func BenchmarkProxy(b *testing.B) {
	upstream := bareServer(b)
	target, err := url.Parse(upstream)
	if err != nil {
		b.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 256}
	bare := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target); r.SetXForwarded() },
		Transport: transport,
	})
	b.Cleanup(bare.Close)
	address, cookies := signedIn(b, nil, func(auth *codegrant.Auth) http.Handler {
		return newGateway(b, auth, gateway.Route{Path: "/", Upstream: &gateway.Upstream{URLs: []string{upstream}}})
	})
	contend(b, "bare", bare.URL, cookies)
	contend(b, "gateway", address, cookies)
}
