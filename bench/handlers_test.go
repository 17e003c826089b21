package bench

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/gateway"
)

// answered is an upstream without a network.
type answered struct{}

func (answered) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Request: r, ContentLength: 0, Body: http.NoBody,
		Header: http.Header{"Date": {"Wed, 25 Nov 2026 20:00:00 GMT"}, "Content-Length": {"0"}},
	}, nil
}

// BenchmarkHandlers is what handlers themselves cost, without sockets: the place to
// look for what can be saved.
func BenchmarkHandlers(b *testing.B) {
	upstream, err := url.Parse("http://127.0.0.1:9")
	if err != nil {
		b.Fatal(err)
	}
	route := gateway.Route{Path: "/", Upstream: &gateway.Upstream{URLs: []string{upstream.String()}}}
	asserted := route
	asserted.Assertion = true
	reverse := &httputil.ReverseProxy{
		Rewrite:    func(r *httputil.ProxyRequest) { r.SetURL(upstream); r.SetXForwarded() },
		Transport:  answered{},
		BufferPool: &buffers{},
	}
	for _, one := range []struct {
		name, target string
		build        func(*codegrant.Auth) http.Handler
	}{
		{"require", "/", require},
		{"check", "/auth/check?group=analysts", func(auth *codegrant.Auth) http.Handler { return newGateway(b, auth, nil) }},
		{"bare proxy", "/", func(auth *codegrant.Auth) http.Handler {
			mux := http.NewServeMux()
			auth.Mount(mux, "/auth")
			mux.Handle("/", reverse)
			return mux
		}},
		{"gateway", "/", func(auth *codegrant.Auth) http.Handler { return newGateway(b, auth, answered{}, route) }},
		{"gateway with assertion", "/", func(auth *codegrant.Auth) http.Handler { return newGateway(b, auth, answered{}, asserted) }},
	} {
		var handler http.Handler
		_, browsers := signedIn(b, nil, func(auth *codegrant.Auth) http.Handler {
			handler = one.build(auth)
			return handler
		})
		b.Run(one.name, func(b *testing.B) {
			b.ReportAllocs()
			request := httptest.NewRequest(http.MethodGet, one.target, nil)
			request.Header = http.Header{"User-Agent": {"Mozilla/5.0 (bench)"}, "Accept": {"*/*"}, "Accept-Encoding": {"gzip"}, "Cookie": {""}}
			for i := 0; b.Loop(); i++ {
				held := browsers[i%len(browsers)][0]
				request.Header["Cookie"] = []string{held.Name + "=" + held.Value}
				w := &silent{header: make(http.Header)}
				handler.ServeHTTP(w, request)
				if w.status != 0 && w.status != http.StatusOK {
					b.Fatalf("%d", w.status)
				}
			}
		})
	}
}

// silent is a response that goes nowhere.
type silent struct {
	header http.Header
	status int
}

func (w *silent) Header() http.Header         { return w.header }
func (w *silent) Write(b []byte) (int, error) { return len(b), nil }
func (w *silent) WriteHeader(status int)      { w.status = status }
func (w *silent) Flush()                      {}
