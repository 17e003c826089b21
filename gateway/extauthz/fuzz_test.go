package extauthz_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/gateway/extauthz"
	"github.com/codegrant/codegrant/internal/gatewaytest"
)

// guarded is a server whose /open is for everybody, and the rest for who is signed in.
// It reaches no pool.
func guarded(t testing.TB) (*extauthz.Server, context.Context) {
	t.Helper()
	discard := slog.New(slog.DiscardHandler)
	auth, err := codegrant.New(codegrant.Config{
		Pool:   cognito.Pool{ID: "eu-west-1_Ab12Cd34E", Domain: "acme.auth.eu-west-1.amazoncognito.com", ClientID: "c1"},
		Logger: discard, BaseURL: "https://app.example.com",
	})
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.New(gateway.Config{
		Tenants: []gateway.Tenant{{Auth: auth}}, TrustedProxies: gatewaytest.Loopback, Logger: discard,
		Routes: []gateway.Route{{Path: "/open", Public: true}, {Path: "/"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	server, err := extauthz.New(extauthz.Config{Gateway: g, Logger: discard})
	if err != nil {
		t.Fatal(err)
	}
	return server, peer.NewContext(context.Background(), &peer.Peer{Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}})
}

// harmless holds an answer to a question without any proof to what it may be.
func harmless(t *testing.T, q *authv3.CheckRequest, answer *authv3.CheckResponse) {
	t.Helper()
	if _, err := proto.Marshal(answer); err != nil {
		t.Fatalf("an answer that cannot be sent: %v", err)
	}
	ok, denied := answer.GetOkResponse(), answer.GetDeniedResponse()
	if (ok != nil) != (answer.GetStatus().GetCode() == 0) || (ok == nil) == (denied == nil) {
		t.Fatalf("a contradictory answer: %v", answer)
	}
	if denied != nil {
		if status := denied.GetStatus().GetCode(); status < 300 || status > 599 || len(denied.GetHeaders()) == 0 {
			t.Fatalf("denied with %v", denied)
		}
		return
	}
	asked := q.GetAttributes().GetRequest().GetHttp()
	raw, _, _ := strings.Cut(asked.GetPath(), "?")
	path, err := url.PathUnescape(raw)
	if err != nil || (path != "/open" && !strings.HasPrefix(path, "/open/")) || strings.Contains(path, "..") || strings.Contains(path, "//") {
		t.Fatalf("nobody may see %q", asked.GetPath())
	}
	seen := make(http.Header)
	for name := range asked.GetHeaders() {
		seen[strings.ToLower(name)] = []string{"theirs"}
	}
	for _, one := range asked.GetHeaderMap().GetHeaders() {
		seen[strings.ToLower(one.GetKey())] = []string{"theirs"}
	}
	for _, option := range ok.GetHeaders() {
		seen[option.GetHeader().GetKey()] = []string{"ours"}
	}
	for _, name := range ok.GetHeadersToRemove() {
		delete(seen, name)
	}
	found := 0
	for name, values := range seen {
		folded := strings.Map(func(r rune) rune {
			if r < 0x80 && (r == '-' || 'a' <= r && r <= 'z' || '0' <= r && r <= '9') {
				return r
			}
			return '-'
		}, name)
		if slices.ContainsFunc(identityHeaders, func(own string) bool { return strings.ToLower(own) == folded }) {
			found++
			if values[0] != "ours" {
				t.Fatalf("the client's own %s got through", name)
			}
		}
	}
	if found != len(identityHeaders) {
		t.Fatalf("%d identity headers", found)
	}
}

// FuzzRequest varies the parts of a question.
func FuzzRequest(f *testing.F) {
	for _, path := range []string{"/open", "/open?x=1", "/open/a%20b", "/reports", "/open/../reports", "/open%2f..", "/%6fpen", "//open", "", "*", "http://h/open"} {
		f.Add("GET", "app.example.com", path, "x_auth_subject", "evil", "", "", false)
	}
	f.Add("POST", "app.example.com:443", "/open", "X-Auth-Email", "evil", "group", "admins", true)
	f.Add("GET", "evil", "/open", ":path", "/reports", "public", "1", false)
	f.Add("GET", "app.example.com", "/open", "cookie", "a=\xff; codegrant=x", "", "", true)
	f.Add("GET", "app.example.com", "/open", "x.auth.groups", "a\r\nb", "", "", true)
	server, ctx := guarded(f)
	f.Fuzz(func(t *testing.T, method, host, path, name, value, extension, of string, raw bool) {
		var extensions map[string]string
		if extension != "" {
			extensions = map[string]string{extension: of}
		}
		q := question(method, host, path, map[string][]string{name: {value}}, raw, extensions)
		answer, err := server.Check(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		if answer.GetOkResponse() != nil && extensions != nil {
			t.Fatalf("an extension of %q let nobody through", extensions)
		}
		harmless(t, q, answer)
	})
}

// FuzzMessage varies the bytes of a question.
func FuzzMessage(f *testing.F) {
	for _, raw := range []bool{false, true} {
		for _, path := range []string{"/open", "/reports"} {
			message, err := proto.Marshal(question("GET", "h", path, map[string][]string{"cookie": {"a=1"}, "x_auth_subject": {"evil"}, ":path": {path}}, raw, nil))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(message)
		}
	}
	server, ctx := guarded(f)
	f.Fuzz(func(t *testing.T, message []byte) {
		q := new(authv3.CheckRequest)
		if proto.Unmarshal(message, q) != nil {
			return
		}
		answer, err := server.Check(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		harmless(t, q, answer)
	})
}

func BenchmarkCheck(b *testing.B) {
	server, ctx := guarded(b)
	header := map[string][]string{
		"cookie": {"theme=dark; lang=en"}, "accept": {"text/html,application/xhtml+xml"}, "user-agent": {"Mozilla/5.0"}, "sec-fetch-mode": {"navigate"},
		"accept-language": {"en"}, "accept-encoding": {"gzip"}, "x-request-id": {"1"}, "x-forwarded-for": {"203.0.113.9"}, "x-forwarded-proto": {"https"},
	}
	q := question("GET", "app.example.com", "/open/x?y=1", header, false, nil)
	b.Run("in the process", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if answer, err := server.Check(ctx, q); err != nil || answer.GetOkResponse() == nil {
				b.Fatal(answer, err)
			}
		}
	})
	b.Run("over TCP", func(b *testing.B) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(b.Context())
		ended := make(chan error, 1)
		go func() { ended <- server.Serve(ctx, l) }()
		defer func() { cancel(); <-ended }()
		conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		client := authv3.NewAuthorizationClient(conn)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if answer, err := client.Check(ctx, q); err != nil || answer.GetOkResponse() == nil {
					b.Error(answer, err)
					return
				}
			}
		})
	})
}
