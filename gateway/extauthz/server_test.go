package extauthz_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/gateway/extauthz"
	"github.com/codegrant/codegrant/internal/gatewaytest"
)

// pseudo are the headers that Envoy sends with every question.
func pseudo(method, host, path string) map[string][]string {
	return map[string][]string{":method": {method}, ":authority": {host}, ":path": {path}, ":scheme": {"https"}}
}

// verdict is the status of the client's answer; 200 where the request may pass.
func verdict(t *testing.T, client authv3.AuthorizationClient, q *authv3.CheckRequest) int {
	t.Helper()
	answer, err := client.Check(t.Context(), q)
	if err != nil {
		t.Fatalf("the call failed: %v", err)
	}
	if (answer.GetStatus().GetCode() == int32(codes.OK)) != (answer.GetOkResponse() != nil) || (answer.GetOkResponse() == nil) != (answer.GetDeniedResponse() != nil) {
		t.Errorf("a contradictory answer: %v", answer)
	}
	if answer.GetOkResponse() != nil {
		return http.StatusOK
	}
	return int(answer.GetDeniedResponse().GetStatus().GetCode())
}

func TestS096_WhatIsAskedAbout(t *testing.T) {
	s := newSite(t, nil)
	host := strings.TrimPrefix(s.URL, "http://")
	good := func(raw bool) *authv3.CheckRequest {
		return question("GET", host, "/open", pseudo("GET", host, "/open"), raw, nil)
	}
	for _, raw := range []bool{false, true} {
		if got := verdict(t, s.client, good(raw)); got != 200 {
			t.Fatalf("raw %t: %d", raw, got)
		}
	}
	for name, change := range map[string]func(*authv3.AttributeContext_HttpRequest){
		"no method":           func(a *authv3.AttributeContext_HttpRequest) { a.Method = ""; delete(a.Headers, ":method") },
		"no host":             func(a *authv3.AttributeContext_HttpRequest) { a.Host = ""; delete(a.Headers, ":authority") },
		"no path":             func(a *authv3.AttributeContext_HttpRequest) { a.Path = ""; delete(a.Headers, ":path") },
		"another method":      func(a *authv3.AttributeContext_HttpRequest) { a.Headers[":method"] = "POST" },
		"another path":        func(a *authv3.AttributeContext_HttpRequest) { a.Headers[":path"] = "/reports" },
		"another host":        func(a *authv3.AttributeContext_HttpRequest) { a.Headers[":authority"] = "evil.example" },
		"another Host header": func(a *authv3.AttributeContext_HttpRequest) { a.Headers["host"] = "evil.example" },
		"an unknown pseudo":   func(a *authv3.AttributeContext_HttpRequest) { a.Headers[":x"] = "1" },
		"a query of its own":  func(a *authv3.AttributeContext_HttpRequest) { a.Query = "x=1" },
		"a fragment":          func(a *authv3.AttributeContext_HttpRequest) { a.Fragment = "x" },
		"a whole URL": func(a *authv3.AttributeContext_HttpRequest) {
			a.Path = "https://" + host + "/open"
			a.Headers[":path"] = a.Path
		},
		"a name with a space":  func(a *authv3.AttributeContext_HttpRequest) { a.Headers["x y"] = "1" },
		"a name with a break":  func(a *authv3.AttributeContext_HttpRequest) { a.Headers["x\ny"] = "1" },
		"no name":              func(a *authv3.AttributeContext_HttpRequest) { a.Headers[""] = "1" },
		"a value with a break": func(a *authv3.AttributeContext_HttpRequest) { a.Headers["x"] = "1\r\nX-Auth-Subject: evil" },
		"a value with NUL":     func(a *authv3.AttributeContext_HttpRequest) { a.Headers["x"] = "\x00" },
		"headers twice": func(a *authv3.AttributeContext_HttpRequest) {
			a.HeaderMap = &corev3.HeaderMap{Headers: []*corev3.HeaderValue{{Key: "x", RawValue: []byte("1")}}}
		},
		"a header with two values": func(a *authv3.AttributeContext_HttpRequest) {
			a.Headers, a.HeaderMap = nil, &corev3.HeaderMap{Headers: []*corev3.HeaderValue{{Key: "x", Value: "2", RawValue: []byte("1")}}}
		},
	} {
		q := good(false)
		change(q.GetAttributes().GetRequest().GetHttp())
		if got := verdict(t, s.client, q); got != 403 {
			t.Errorf("%s: %d", name, got)
		}
	}
	for name, q := range map[string]*authv3.CheckRequest{
		"nothing": {}, "no request": {Attributes: new(authv3.AttributeContext)}, "no HTTP": {Attributes: &authv3.AttributeContext{Request: new(authv3.AttributeContext_Request)}},
	} {
		if got := verdict(t, s.client, q); got != 403 {
			t.Errorf("%s: %d", name, got)
		}
	}
	if !strings.Contains(s.Log.String(), "use the HTTP filter") {
		t.Error("the log does not say what to do")
	}
}

func TestS097_TargetsThroughEnvoy(t *testing.T) {
	s := newSite(t, nil)
	host := strings.TrimPrefix(s.URL, "http://")
	for _, path := range []string{
		"/open/../reports", "/open/..", "/open/./x", "/open/%2e%2e/reports", "/open/.%2e/reports", "/open/%252e%252e/reports", "/open%2f..%2freports", "/open%2Fx",
		"/open\\..\\reports", "/open/..%5creports", "/open//reports", "//reports", "/open/..;/reports", "/open/..%3b/reports", "/open#/reports", "/open%23", "/open%00",
		"/open/%0aadmin", "/open/%ff%fe", "/open/%c0%af", "/open%3f", "/open/%zz", "/open/%", "/open/%4", "/open?a=1;b=2", "/open?" + strings.Repeat("a=1&", 1100),
		"*", "open", "?x", "/open/" + strings.Repeat("a", 20<<10), "/op%65n", "/open/%7A", "/open/%5F", "/open?a b",
	} {
		if got := verdict(t, s.client, question("GET", host, path, pseudo("GET", host, path), false, nil)); got != 403 {
			t.Errorf("%.60s: %d", path, got)
		}
	}
	for _, method := range []string{"CONNECT", "TRACE", "GET /", "get", " "} {
		if got := verdict(t, s.client, question(method, host, "/open", pseudo(method, host, "/open"), false, nil)); got != 403 {
			t.Errorf("%q: %d", method, got)
		}
	}
	for _, host := range []string{"evil example", "a/b", "a@b", "", "a..b", "x:y", "a\x00"} {
		if got := verdict(t, s.client, question("GET", host, "/open", nil, false, nil)); got != 403 {
			t.Errorf("host %q: %d", host, got)
		}
	}
	for _, path := range []string{"/open", "/open/", "/open/a%20b", "/open/%C3%BC", "/open/a.b-c_d~e!", "/open?x=%2F..%2f&y=%41", "/open?"} {
		if got := verdict(t, s.client, question("GET", host, path, pseudo("GET", host, path), true, nil)); got != 200 {
			t.Errorf("%s: %d", path, got)
		}
	}
}

func TestS095_StrangersMayNotAsk(t *testing.T) {
	s := newSite(t, func(g *gateway.Config, _ *codegrant.Config) { g.TrustedProxies = nil })
	q := question("GET", "h", "/open", pseudo("GET", "h", "/open"), false, nil)
	if got := verdict(t, s.client, q); got != 403 || !strings.Contains(s.Log.String(), "list it among the trusted ones") {
		t.Errorf("%d", got)
	}
	// What has no address is a stranger: the memory of a process, a Unix socket.
	trusting := newSite(t, nil)
	server, err := extauthz.New(extauthz.Config{Gateway: trusting.envoy.gateway.(*gateway.Gateway)})
	if err != nil {
		t.Fatal(err)
	}
	l := bufconn.Listen(1 << 16)
	own := grpc.NewServer()
	server.Register(own)
	go func() { _ = own.Serve(l) }()
	t.Cleanup(own.Stop)
	conn, err := grpc.NewClient("passthrough:///memory", grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if got := verdict(t, authv3.NewAuthorizationClient(conn), q); got != 403 {
		t.Errorf("in memory: %d", got)
	}
	// Nor does a word about where it comes from help.
	q.Attributes.Source = &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{Address: "127.0.0.1"}}}}
	q.Attributes.Request.Http.Headers["x-forwarded-for"] = "127.0.0.1"
	if got := verdict(t, s.client, q); got != 403 {
		t.Errorf("with a word: %d", got)
	}
}

func TestQuestionsAreBounded(t *testing.T) {
	s := newSite(t, nil)
	client := serve(t, extauthz.Config{Gateway: s.envoy.gateway.(*gateway.Gateway), MaxMessage: 16 << 10})
	for size, want := range map[int]codes.Code{8 << 10: codes.OK, 32 << 10: codes.ResourceExhausted} {
		header := pseudo("GET", "h", "/open")
		header["x-large"] = []string{strings.Repeat("a", size)}
		if _, err := client.Check(t.Context(), question("GET", "h", "/open", header, false, nil)); status.Code(err) != want {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	header := pseudo("GET", "h", "/open")
	header["x-large"] = []string{strings.Repeat("a", 300<<10)}
	if _, err := s.client.Check(t.Context(), question("GET", "h", "/open", header, false, nil)); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("by default: %v", err)
	}
}

// asGateway is a function that decides.
type asGateway func(w http.ResponseWriter, r *http.Request) *gateway.Pass

func (f asGateway) CheckOriginal(w http.ResponseWriter, r *http.Request, _ url.Values) *gateway.Pass {
	return f(w, r)
}

// TestAnswers are those that no gateway of ours gives, and that must do no harm.
func TestAnswers(t *testing.T) {
	var decide asGateway
	log := new(gatewaytest.Logs)
	client := serve(t, extauthz.Config{Gateway: asGateway(func(w http.ResponseWriter, r *http.Request) *gateway.Pass { return decide(w, r) }), Logger: slog.New(slog.NewTextHandler(log, nil))})
	for name, tt := range map[string]struct {
		decide asGateway
		want   int
	}{
		"a panic":          {func(http.ResponseWriter, *http.Request) *gateway.Pass { panic("oh no") }, 500},
		"an aborted one":   {func(http.ResponseWriter, *http.Request) *gateway.Pass { panic(http.ErrAbortHandler) }, 500},
		"nothing":          {func(http.ResponseWriter, *http.Request) *gateway.Pass { return nil }, 403},
		"a refusal as 200": {func(w http.ResponseWriter, _ *http.Request) *gateway.Pass { w.WriteHeader(200); return nil }, 403},
		"a body alone":     {func(w http.ResponseWriter, _ *http.Request) *gateway.Pass { _, _ = w.Write([]byte("x")); return nil }, 403},
		"a hint before": {func(w http.ResponseWriter, _ *http.Request) *gateway.Pass {
			w.WriteHeader(103)
			w.WriteHeader(401)
			w.Header().Set("Late", "1")
			w.WriteHeader(403)
			return nil
		}, 401},
		"what is not UTF-8": {func(w http.ResponseWriter, _ *http.Request) *gateway.Pass {
			w.Header().Set("X-Odd", "\xff")
			w.Header().Set("Content-Length", "1")
			w.WriteHeader(403)
			_, _ = w.Write([]byte{0xff})
			return nil
		}, 403},
		"a pass that is not UTF-8": {func(w http.ResponseWriter, _ *http.Request) *gateway.Pass {
			w.Header()["Set-Cookie"] = []string{"a=\xff", "b=2"}
			return &gateway.Pass{Set: http.Header{"Cookie": {"a=\xff"}}, Remove: []string{"X_Auth_Subject"}}
		}, 200},
	} {
		decide = tt.decide
		q := question("GET", "h", "/", pseudo("GET", "h", "/"), false, nil)
		if got := verdict(t, client, q); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
		answer, err := client.Check(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, option := range append(answer.GetDeniedResponse().GetHeaders(), answer.GetOkResponse().GetHeaders()...) {
			if key := option.GetHeader().GetKey(); key != strings.ToLower(key) || key == "late" || key == "content-length" {
				t.Errorf("%s: header %s", name, key)
			}
		}
	}
	if !strings.Contains(log.String(), "oh no") {
		t.Error("the panic is not in the log")
	}
}

func TestServeEnds(t *testing.T) {
	for name, patient := range map[string]bool{"once calls are over": true, "when they take too long": false} {
		t.Run(name, func(t *testing.T) {
			asked, release := make(chan struct{}), make(chan struct{})
			drain := time.Minute
			if !patient {
				drain = time.Millisecond
			}
			server, err := extauthz.New(extauthz.Config{Drain: drain, Gateway: asGateway(func(_ http.ResponseWriter, r *http.Request) *gateway.Pass {
				close(asked)
				select {
				case <-release:
				case <-r.Context().Done():
				}
				return &gateway.Pass{}
			})})
			if err != nil {
				t.Fatal(err)
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- server.Serve(ctx, l) }()
			conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			answered := make(chan error, 1)
			go func() {
				_, err := authv3.NewAuthorizationClient(conn).Check(context.Background(), question("GET", "h", "/", nil, false, nil))
				answered <- err
			}()
			<-asked
			cancel()
			if patient {
				for { // until it takes nobody new
					one, err := net.Dial("tcp", l.Addr().String())
					if err != nil {
						break
					}
					_ = one.Close()
				}
				select {
				case err := <-ended:
					t.Fatalf("it ended with a call under way: %v", err)
				default:
				}
				close(release)
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if err := <-answered; (err == nil) != patient {
				t.Errorf("the call under way: %v", err)
			}
			if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
				t.Error("it still listens")
			}
		})
	}
	server, err := extauthz.New(extauthz.Config{Gateway: asGateway(nil)})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if err := server.Serve(t.Context(), l); err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("on a closed listener: %v", err)
	}
}

func TestServeTLS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"codegrant"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pair, pool := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, x509.NewCertPool()
	pool.AddCert(certificate)
	server, err := extauthz.New(extauthz.Config{
		Gateway: asGateway(func(http.ResponseWriter, *http.Request) *gateway.Pass { return &gateway.Pass{} }),
		TLS:     &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12},
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, l) }()
	t.Cleanup(func() { cancel(); <-ended })
	for name, mine := range map[string][]tls.Certificate{"known": {pair}, "unknown": nil} {
		conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: pool, ServerName: "codegrant", Certificates: mine, MinVersion: tls.VersionTLS12})))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, err = authv3.NewAuthorizationClient(conn).Check(t.Context(), question("GET", "h", "/", nil, false, nil))
		if (err == nil) != (mine != nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestConfigurationsThatMakeNoSense(t *testing.T) {
	g := asGateway(nil)
	for want, config := range map[string]extauthz.Config{
		"Gateway is missing": {}, "MaxMessage of 1 bytes": {Gateway: g, MaxMessage: 1}, "MaxMessage of -1": {Gateway: g, MaxMessage: -1},
		"MaxMessage of 1073741824": {Gateway: g, MaxMessage: 1 << 30}, "Drain is negative": {Gateway: g, Drain: -1},
	} {
		if _, err := extauthz.New(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}
