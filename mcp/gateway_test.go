package mcp_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/mcp"
)

// TestS618_S623_BehindTheGateway: the guard decides for a route, and no other way leads to
// its server.
func TestS618_S623_BehindTheGateway(t *testing.T) {
	s := &site{Pool: codegranttest.NewPool(t, nil), t: t, log: new(logs)}
	var seen http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header.Clone()
		if r.Method == http.MethodGet {
			w.Header().Set("Content-Type", "text/event-stream")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Mcp-Session-Id", "session-1")
		w.Header().Set("Access-Control-Allow-Origin", "*")
		_, _ = io.WriteString(w, "data: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":"+toolList+"}\n\n")
	}))
	t.Cleanup(server.Close)
	var mu sync.Mutex
	var last gateway.Outcome
	s.url = s.App(func(config codegrant.Config) http.Handler {
		config.Logger = slog.New(slog.NewTextHandler(s.log, nil))
		auth, err := codegrant.New(config)
		if err != nil {
			t.Fatal(err)
		}
		resource, err := mcp.New(mcp.Config{URL: config.BaseURL + "/mcp", Endpoints: auth.Endpoints(), Tools: []mcp.Tool{{Name: "search"}}, Logger: config.Logger})
		if err != nil {
			t.Fatal(err)
		}
		upstream := &gateway.Upstream{URLs: []string{server.URL}}
		g, err := gateway.New(gateway.Config{
			Tenants: []gateway.Tenant{{Name: "main", Auth: auth}}, Logger: config.Logger, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
			Routes: []gateway.Route{
				{Name: "mcp", Path: "/mcp", Guard: resource, Upstream: upstream, Permissions: []codegrant.Permission{codegrant.InGroup("analysts")}},
				{Name: "metadata", Path: resource.MetadataPath(), Exact: true, Public: true, Handler: resource.Metadata()},
				{Name: "rest", Path: "/", Upstream: upstream},
			},
			OnRequest: func(_ *http.Request, o gateway.Outcome) {
				mu.Lock()
				defer mu.Unlock()
				last = o
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = g.Close(context.Background()) })
		return g
	}) + "/mcp"
	origin := strings.TrimSuffix(s.url, "/mcp")
	token := s.token(nil)
	outcome := func() gateway.Outcome {
		mu.Lock()
		defer mu.Unlock()
		return last
	}
	for _, tt := range []struct {
		name, method, path, token, body string
		want                            int
		decision                        gateway.Decision
	}{
		{"called", "POST", "/mcp", token, call("search"), 200, gateway.Passed},
		{"refused", "POST", "/mcp", token, call("hidden"), 403, gateway.Forbidden},
		{"nobody", "POST", "/mcp", "", call("search"), 401, gateway.Unauthorized},
		{"no group", "POST", "/mcp", s.token(claims{"cognito:groups": nil}), call("search"), 403, gateway.Forbidden},
		{"a batch", "POST", "/mcp", token, "[" + list + "]", 400, gateway.Refused},
		{"a body of no POST", "DELETE", "/mcp", token, call("search"), 400, gateway.Refused},
		{"a preflight", "OPTIONS", "/mcp", "", "", 204, gateway.Passed},
		{"below", "POST", "/mcp/x", token, call("hidden"), 403, gateway.Forbidden},
		{"a path that a server could take for it", "POST", "/MCP", s.token(claims{"aud": nil}), call("hidden"), 400, gateway.Refused},
		{"the same with a slash", "POST", "/mcp.json", s.token(claims{"aud": nil}), call("hidden"), 400, gateway.Refused},
		{"elsewhere, by a token that is not for it", "GET", "/other", token, "", 401, gateway.Unauthorized},
		{"metadata", "GET", "/.well-known/oauth-protected-resource/mcp", "", "", 200, gateway.Passed},
	} {
		seen = nil
		r, body := s.ask(tt.method, origin+tt.path, tt.token, tt.body)
		if r.StatusCode != tt.want || outcome().Decision != tt.decision || (seen != nil) != (tt.name == "called") {
			t.Errorf("%s: %d %s, the outcome is %+v", tt.name, r.StatusCode, body, outcome())
		}
	}
	r, body := s.ask("POST", s.url, token, list, "X-Auth-Subject", "mallory", "Origin", origin)
	if strings.Contains(body, "hidden") || !strings.Contains(body, `"search"`) || r.Header.Get("Access-Control-Allow-Origin") != origin || !strings.HasPrefix(r.Header.Get("Mcp-Session-Id"), "session-1.") {
		t.Errorf("%v %s", r.Header, body)
	}
	if seen.Get("X-Auth-Subject") != "s-1" || seen.Get("Authorization") != "" {
		t.Errorf("the server got %v", seen)
	}
	// Who only asks about a request shows no body of it: that is no way around the rules.
	host := strings.TrimPrefix(origin, "http://")
	if r, body := s.ask("GET", origin+"/auth/check", token, "", "X-Forwarded-Uri", "/mcp", "X-Forwarded-Host", host, "X-Forwarded-Method", "POST"); r.StatusCode != 403 {
		t.Errorf("forward-auth: %d %s", r.StatusCode, body)
	}
}

// TestS814_StreamsEndWithTheGrant: what lasts ends as soon as the authorization server says
// so, and who waits for that is forgotten with it.
func TestS814_StreamsEndWithTheGrant(t *testing.T) {
	var mu sync.Mutex
	var waiting []func()
	stopped := make(chan string, 64)
	s := newSite(t, func(c *mcp.Config, _ *codegrant.Config) {
		c.OnEnd = func(token string, end func()) func() {
			mu.Lock()
			defer mu.Unlock()
			waiting = append(waiting, end)
			return func() { stopped <- token }
		}
	})
	token := s.token(nil)
	done := make(chan string, 1)
	go func() {
		_, body := s.ask("GET", s.url, token, "")
		done <- body
	}()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	deadline := time.After(30 * time.Second)
	for going := true; going; {
		select {
		case body := <-done:
			if going = false; body != ": hello\n\n" {
				t.Errorf("%q", body)
			}
		case <-deadline:
			t.Fatal("the stream goes on")
		case <-poll.C:
			mu.Lock()
			for _, end := range waiting {
				end()
			}
			mu.Unlock()
		}
	}
	select {
	case got := <-stopped:
		if got != token {
			t.Errorf("asked about %q", got)
		}
	case <-deadline:
		t.Error("who waits for the end is not forgotten")
	}
}
