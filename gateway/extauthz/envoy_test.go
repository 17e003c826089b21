package extauthz_test

import (
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/gateway/extauthz"
	"github.com/codegrant/codegrant/internal/gatewaytest"
)

// envoy stands in for Envoy: it asks about each request, over gRPC and TCP, in the
// words that Envoy uses, and does with the answer what Envoy does.
type envoy struct {
	t        *testing.T
	client   authv3.AuthorizationClient
	gateway  http.Handler // for /auth/, where the filter is disabled
	upstream string
	raw      bool                                // encode_raw_headers
	extend   func(path string) map[string]string // context_extensions of the route

	mu   sync.Mutex
	last *authv3.CheckResponse
}

func (e *envoy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/auth/") {
		e.gateway.ServeHTTP(w, r)
		return
	}
	header := map[string][]string{":method": {r.Method}, ":path": {r.RequestURI}, ":authority": {r.Host}, ":scheme": {"http"}}
	for name, values := range r.Header {
		if strings.EqualFold(name, "Cookie") {
			values = []string{strings.Join(values, "; ")}
		}
		name = strings.ToLower(name)
		header[name] = append(header[name], values...)
	}
	var extensions map[string]string
	if e.extend != nil {
		extensions = e.extend(r.URL.Path)
	}
	answer, err := e.client.Check(r.Context(), question(r.Method, r.Host, r.RequestURI, header, e.raw, extensions))
	if err != nil {
		e.t.Errorf("%s %s: the call failed: %v", r.Method, r.RequestURI, err)
		w.WriteHeader(http.StatusTeapot)
		return
	}
	e.mu.Lock()
	e.last = answer
	e.mu.Unlock()
	if answer.GetStatus().GetCode() != 0 {
		e.localReply(w, answer.GetDeniedResponse())
		return
	}
	ok := answer.GetOkResponse()
	for _, option := range ok.GetHeaders() {
		header[option.GetHeader().GetKey()] = mutate(e.t, header[option.GetHeader().GetKey()], option)
	}
	for _, name := range ok.GetHeadersToRemove() { // after the others were set
		delete(header, name)
	}
	out, err := http.NewRequestWithContext(r.Context(), r.Method, e.upstream+r.RequestURI, nil)
	if err != nil {
		e.t.Error(err)
		return
	}
	for name, values := range header {
		if !strings.HasPrefix(name, ":") {
			out.Header[name] = values
		}
	}
	response, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		e.t.Error(err)
		return
	}
	defer response.Body.Close()
	maps.Copy(w.Header(), response.Header)
	for _, option := range ok.GetResponseHeadersToAdd() {
		name := http.CanonicalHeaderKey(option.GetHeader().GetKey())
		w.Header()[name] = mutate(e.t, w.Header()[name], option)
	}
	w.WriteHeader(response.StatusCode)
	_, _ = io.Copy(w, response.Body)
}

// mutate does what an option says to the values of its header.
func mutate(t *testing.T, values []string, option *corev3.HeaderValueOption) []string {
	t.Helper()
	if option.GetAppendAction() == corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD {
		values = nil
	}
	return append(values[:len(values):len(values)], option.GetHeader().GetValue())
}

// localReply answers for what was denied. Older Envoys replace whatever has a
// name that is mentioned; newer ones follow each option. Both have to come to the same.
func (e *envoy) localReply(w http.ResponseWriter, denied *authv3.DeniedHttpResponse) {
	own := http.Header{"Content-Type": {"text/plain"}, "Server": {"envoy"}}
	before, later := own.Clone(), own.Clone()
	for _, option := range denied.GetHeaders() {
		delete(before, http.CanonicalHeaderKey(option.GetHeader().GetKey()))
	}
	for _, option := range denied.GetHeaders() {
		name := http.CanonicalHeaderKey(option.GetHeader().GetKey())
		before.Add(name, option.GetHeader().GetValue())
		later[name] = mutate(e.t, later[name], option)
	}
	if !maps.EqualFunc(before, later, slices.Equal) {
		e.t.Errorf("two versions of Envoy would answer differently: %v, %v", before, later)
	}
	maps.Copy(w.Header(), later)
	w.WriteHeader(int(denied.GetStatus().GetCode()))
	_, _ = io.WriteString(w, denied.GetBody())
}

// question is what Envoy asks, in either form of the headers.
func question(method, host, path string, header map[string][]string, raw bool, extensions map[string]string) *authv3.CheckRequest {
	asked := &authv3.AttributeContext_HttpRequest{Id: "1", Method: method, Host: host, Path: path, Scheme: "http", Protocol: "HTTP/1.1"}
	if raw {
		asked.HeaderMap = new(corev3.HeaderMap)
		for name, values := range header {
			for _, value := range values {
				asked.HeaderMap.Headers = append(asked.HeaderMap.Headers, &corev3.HeaderValue{Key: name, RawValue: []byte(value)})
			}
		}
	} else {
		asked.Headers = make(map[string]string)
		for name, values := range header {
			asked.Headers[name] = strings.ToValidUTF8(strings.Join(values, ","), "!")
		}
	}
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Request: &authv3.AttributeContext_Request{Http: asked}, ContextExtensions: extensions,
	}}
}

// site is one behind Envoy.
type site struct {
	*gatewaytest.Site
	envoy  *envoy
	client authv3.AuthorizationClient
}

func newSite(t *testing.T, change func(*gateway.Config, *codegrant.Config)) *site {
	t.Helper()
	s := &site{Site: gatewaytest.New(t)}
	s.envoy = &envoy{t: t, upstream: s.Upstream}
	s.URL = s.App(func(config codegrant.Config) http.Handler {
		s.Open(config, change)
		s.client = serve(t, extauthz.Config{Gateway: s.Gateway, Logger: s.Logger})
		s.envoy.client, s.envoy.gateway = s.client, s.Gateway
		return s.envoy
	})
	return s
}

// serve starts a server on this machine, ends it with the test and returns a client.
func serve(t *testing.T, config extauthz.Config) authv3.AuthorizationClient {
	t.Helper()
	server, err := extauthz.New(config)
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
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return authv3.NewAuthorizationClient(conn)
}
