package bench

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/gateway"
)

// instant is an upstream that costs nothing.
type instant struct{}

func (instant) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Length": {"2"}}, ContentLength: 2, Body: io.NopCloser(strings.NewReader("ok")), Request: r}, nil
}

// BenchmarkProxyAlone is what the gateway adds to a reverse proxy, without the network
// that hides it.
func BenchmarkProxyAlone(b *testing.B) {
	target, _ := url.Parse("http://upstream.test")
	bare := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.SetXForwarded() }, Transport: instant{}}
	var gate http.Handler
	address, cookies := signedIn(b, nil, func(auth *codegrant.Auth) http.Handler {
		g, err := gateway.New(gateway.Config{
			Tenants: []gateway.Tenant{{Auth: auth}}, Transport: instant{}, Logger: slog.New(slog.DiscardHandler),
			Routes: []gateway.Route{{Path: "/", Upstream: &gateway.Upstream{URLs: []string{"http://upstream.test"}}}},
		})
		if err != nil {
			b.Fatal(err)
		}
		gate = g
		return g
	})
	for name, handler := range map[string]http.Handler{"bare": bare, "gateway": gate} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				r.Host = strings.TrimPrefix(address, "http://")
				for _, c := range cookies {
					r.AddCookie(c)
				}
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatal(w.Code)
				}
			}
		})
	}
}
