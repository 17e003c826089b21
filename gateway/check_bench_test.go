package gateway

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
)

type anybody struct{}

func (anybody) Authenticate(*http.Request) (*codegrant.Identity, error) {
	return &codegrant.Identity{
		Subject: "8f0c4e52-1234-4f00-9a00-000000000001", Username: "alice", Email: "alice@example.com", EmailVerified: true, Name: "Alice",
		Groups: []string{"admins", "analysts"}, Scopes: []string{"openid", "email"}, AuthTime: time.Unix(1_700_000_000, 0),
	}, nil
}

func (anybody) Challenge(error) string { return "" }

// answered is an answer as net/http begins it, less what is on the wire.
type answered struct{ header http.Header }

func (a *answered) Header() http.Header         { return a.header }
func (a *answered) Write(b []byte) (int, error) { return len(b), nil }
func (a *answered) WriteHeader(int)             {}

// BenchmarkCheckAnswers asks without a server between, whose costs are not the gateway's.
func BenchmarkCheckAnswers(b *testing.B) {
	pool := cognito.Pool{ID: "eu-west-1_Ab12Cd34E", Domain: "acme.auth.eu-west-1.amazoncognito.com", ClientID: "c1"}
	auth, err := codegrant.New(codegrant.Config{Pool: pool, Authenticators: []codegrant.Authenticator{anybody{}}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	for _, bench := range []struct {
		name, query string
		routes      []Route
		header      map[string]string
	}{
		{"alone", "?group=analysts", nil, nil},
		{"Caddy", "", []Route{{Path: "/"}}, map[string]string{"X-Forwarded-Method": "GET", "X-Forwarded-Host": "app.example.com", "X-Forwarded-Proto": "https", "X-Forwarded-Uri": "/reports?q=1", "Cookie": "theirs=1"}},
		{"nginx", "", []Route{{Path: "/"}}, map[string]string{"X-Original-Method": "GET", "X-Original-Url": "https://app.example.com/reports?q=1", "Cookie": "theirs=1"}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			g, err := New(Config{
				Tenants: []Tenant{{Auth: auth}}, Routes: bench.routes, Logger: slog.New(slog.DiscardHandler),
				TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
			})
			if err != nil {
				b.Fatal(err)
			}
			check := g.Check()
			r := httptest.NewRequest(http.MethodGet, "/auth/check"+bench.query, nil)
			r.RemoteAddr = "127.0.0.1:1"
			for name, value := range bench.header {
				r.Header.Set(name, value)
			}
			b.ReportAllocs()
			for b.Loop() {
				w := &answered{make(http.Header)}
				check.ServeHTTP(w, r)
				if w.header.Get("X-Auth-Subject") == "" {
					b.Fatalf("%v", w.header)
				}
			}
		})
	}
}
