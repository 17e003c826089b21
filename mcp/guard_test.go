package mcp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/mcp"
)

// site is an MCP server of three tools behind its guard.
type site struct {
	*codegranttest.Pool
	t    *testing.T
	url  string // of the resource
	auth *codegrant.Auth
	log  *logs

	mu     sync.Mutex
	calls  []mcp.Call
	bodies []string // that the server got
	heads  []http.Header
}

type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

const toolList = `{"tools":[{"name":"search","description":"<a>"},{"name":"delete_user"},{"name":"write"},{"name":"hidden"}],"cacheScope":"public","nextCursor":"n"}`

// ServeHTTP is the MCP server.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.bodies, s.heads = append(s.bodies, string(body)), append(s.heads, r.Header.Clone())
	s.mu.Unlock()
	if id, ok := codegrant.From(r.Context()); !ok || id.Method != codegrant.MethodBearer {
		s.t.Error("the handler does not know who asks")
	}
	var m struct {
		ID     json.RawMessage
		Method string
	}
	_ = json.Unmarshal(body, &m)
	w.Header().Set("Access-Control-Allow-Origin", "https://upstream.example.com")
	result := `{"content":[]}`
	if m.Method == "tools/list" {
		result = toolList
	}
	switch answer := fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, result); {
	case r.Method == http.MethodGet:
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, ": hello\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	case m.Method == "initialize":
		w.Header().Set("Mcp-Session-Id", "session-1")
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answer)
	case r.URL.Query().Get("as") == "events":
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		_, _ = io.WriteString(w, "event: message\r\nid: 1\r\ndata: {\"method\":\"notifications/progress\"}\r\n\r\nid: 2\ndata: "+answer+"\n\n")
	case r.URL.Query().Get("as") == "packed":
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = io.WriteString(w, "xx")
	default:
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answer)
	}
}

func newSite(t *testing.T, change func(*mcp.Config, *codegrant.Config), permissions ...codegrant.Permission) *site {
	t.Helper()
	s := &site{Pool: codegranttest.NewPool(t, nil), t: t, log: new(logs)}
	s.url = s.App(func(config codegrant.Config) http.Handler {
		config.Logger = slog.New(slog.NewTextHandler(s.log, nil))
		c := mcp.Config{
			URL: config.BaseURL + "/mcp", Scopes: []string{"docs/read"}, Logger: config.Logger,
			OnCall: func(_ context.Context, call mcp.Call) {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.calls = append(s.calls, call)
			},
			Tools: []mcp.Tool{
				{Name: "delete_*", Permissions: []codegrant.Permission{codegrant.InGroup("admins")}},
				{Name: "search"}, {Name: "write", Scopes: []string{"docs/write", "docs/read"}},
			},
		}
		if change != nil {
			change(&c, &config)
		}
		var err error
		if s.auth, err = codegrant.New(config); err != nil {
			t.Fatal(err)
		}
		c.Endpoints = s.auth.Endpoints()
		resource, err := mcp.New(c)
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		s.auth.Mount(mux, "/auth")
		resource.Mount(mux, s.auth, s, permissions...)
		mux.Handle("/api", s.auth.Require()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
		return mux
	}) + "/mcp"
	return s
}

type claims = map[string]any

// token is carol's, in analysts, for the resource.
func (s *site) token(changes claims) string {
	s.t.Helper()
	c := claims{
		"iss": s.Clients()[0].Issuer, "sub": "s-1", "client_id": s.ClientID, "token_use": "access", "scope": "docs/read", "username": "carol",
		"cognito:groups": []string{"analysts"}, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(), "aud": s.url,
	}
	maps.Copy(c, changes)
	for name, value := range c {
		if value == nil {
			delete(c, name)
		}
	}
	token, err := s.MintToken(s.PoolID, c)
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

// ask sends one request; headers are pairs.
func (s *site) ask(method, target, token, body string, headers ...string) (*http.Response, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header[http.CanonicalHeaderKey(headers[i])] = append(r.Header[http.CanonicalHeaderKey(headers[i])], headers[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response, string(text)
}

func call(tool string) string {
	return `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"` + tool + `","arguments":{"q":"s3cret"}}}`
}

const list = `{"jsonrpc":"2.0","id":7,"method":"tools/list"}`

// TestMetadata: at both places, for everybody, exactly the URL that people give.
func TestMetadata(t *testing.T) {
	s := newSite(t, func(c *mcp.Config, _ *codegrant.Config) { c.Name = "Docs" })
	origin := strings.TrimSuffix(s.url, "/mcp")
	for _, path := range []string{"/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"} {
		r, body := s.ask("GET", origin+path, "", "", "Origin", "https://anywhere.example.com")
		var got struct {
			Resource string   `json:"resource"`
			Servers  []string `json:"authorization_servers"`
			Scopes   []string `json:"scopes_supported"`
			Methods  []string `json:"bearer_methods_supported"`
			Name     string   `json:"resource_name"`
		}
		if err := json.Unmarshal([]byte(body), &got); err != nil || got.Resource != s.url || !slices.Equal(got.Servers, []string{s.url}) ||
			!slices.Equal(got.Scopes, []string{"docs/read"}) || !slices.Equal(got.Methods, []string{"header"}) || got.Name != "Docs" {
			t.Errorf("%s: %s", path, body)
		}
		if r.Header.Get("Access-Control-Allow-Origin") != "*" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %v", path, r.Header)
		}
		if r, _ := s.ask("OPTIONS", origin+path, "", ""); r.StatusCode != 204 {
			t.Errorf("preflight: %d", r.StatusCode)
		}
		if r, _ := s.ask("POST", origin+path, "", ""); r.StatusCode != 405 {
			t.Errorf("POST: %d", r.StatusCode)
		}
	}
}

// TestMetadataOfThePool: what clients need, and nothing that a pool cannot do.
func TestMetadataOfThePool(t *testing.T) {
	s := newSite(t, nil)
	_, body := s.ask("GET", strings.TrimSuffix(s.url, "/mcp")+"/.well-known/oauth-authorization-server/mcp", "", "")
	var got map[string]any
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err, body)
	}
	e := s.auth.Endpoints()
	for name, want := range map[string]string{
		"issuer": s.url, "authorization_endpoint": e.Authorize, "token_endpoint": e.Token, "jwks_uri": e.JWKS, "revocation_endpoint": e.Revoke, "code_challenge_methods_supported": "[S256]",
		"response_types_supported": "[code]", "registration_endpoint": "<nil>", "client_id_metadata_document_supported": "<nil>", "scopes_supported": "[docs/read]",
	} {
		if fmt.Sprint(got[name]) != want {
			t.Errorf("%s is %v, want %s", name, got[name], want)
		}
	}
	other := newSite(t, func(c *mcp.Config, _ *codegrant.Config) {
		c.AuthorizationServers = []string{"https://auth.example.com"}
	})
	if r, _ := other.ask("GET", strings.TrimSuffix(other.url, "/mcp")+"/.well-known/oauth-authorization-server/mcp", "", ""); r.StatusCode != 404 {
		t.Errorf("beside another authorization server: %d", r.StatusCode)
	}
}

// TestS614_S615_TokensOfTheResourceAlone: nothing else opens it, and its tokens open
// nothing else.
func TestS614_S615_TokensOfTheResourceAlone(t *testing.T) {
	s := newSite(t, func(_ *mcp.Config, c *codegrant.Config) {
		c.BearerIDTokens, c.BearerResources = true, []string{"https://orders.example.com"}
	})
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(strings.TrimSuffix(s.url, "/mcp")+"/auth/login", "alice@example.com", codegranttest.Password)
	if r, err := browser.Client.Post(s.url, "application/json", strings.NewReader(list)); err != nil || r.StatusCode != 401 {
		t.Errorf("a cookie: %v, %v", r, err)
	}
	metadata := `resource_metadata="` + strings.TrimSuffix(s.url, "/mcp") + `/.well-known/oauth-protected-resource/mcp"`
	r, body := s.ask("POST", s.url, "", list)
	if want := `Bearer ` + metadata + `, scope="docs/read"`; r.StatusCode != 401 || r.Header.Get("WWW-Authenticate") != want || !strings.Contains(body, `"jsonrpc":"2.0"`) {
		t.Errorf("%d %q %s, want %q", r.StatusCode, r.Header.Get("WWW-Authenticate"), body, want)
	}
	other := "https://orders.example.com"
	for name, tt := range map[string]struct {
		change       claims
		want, loosed int // with InsecureNoAudience
		api          int // elsewhere
	}{
		"for the resource":       {nil, 200, 200, 401},
		"in a list":              {claims{"aud": []string{s.url}}, 200, 200, 401},
		"beside the app client":  {claims{"aud": []string{s.url, s.ClientID}}, 200, 200, 401},
		"for nothing":            {claims{"aud": nil}, 401, 200, 200},
		"for the app client":     {claims{"aud": s.ClientID}, 401, 200, 200},
		"for another resource":   {claims{"aud": other}, 401, 401, 200},
		"for an unknown one":     {claims{"aud": "https://unknown.example.com"}, 401, 401, 401},
		"for both":               {claims{"aud": []string{s.url, other}}, 200, 200, 401},
		"with a slash more":      {claims{"aud": s.url + "/"}, 401, 401, 401},
		"of another app client":  {claims{"client_id": "other"}, 401, 401, 401},
		"an ID token":            {claims{"token_use": "id", "aud": s.ClientID, "cognito:username": "carol"}, 401, 401, 200},
		"of an app client alone": {claims{"sub": s.ClientID, "username": nil}, 401, 401, 401},
		"by who acts for carol":  {claims{"act": claims{"sub": "agent-1"}}, 403, 403, 401},
		"expired":                {claims{"exp": time.Now().Add(-time.Hour).Unix(), "iat": time.Now().Add(-2 * time.Hour).Unix()}, 401, 401, 401},
	} {
		token := s.token(tt.change)
		r, body := s.ask("POST", s.url, token, list)
		if invalid := strings.Contains(r.Header.Get("WWW-Authenticate"), `error="invalid_token"`); r.StatusCode != tt.want || invalid != (tt.want == 401) {
			t.Errorf("%s: %d %s %s", name, r.StatusCode, r.Header.Get("WWW-Authenticate"), body)
		}
		if r, _ := s.ask("GET", strings.TrimSuffix(s.url, "mcp")+"api", token, ""); r.StatusCode != tt.api {
			t.Errorf("%s, elsewhere: %d, want %d", name, r.StatusCode, tt.api)
		}
		q, _ := http.NewRequestWithContext(t.Context(), "POST", s.url, nil)
		q.Header.Set("Authorization", "Bearer "+token)
		if _, err := s.auth.Token(q, codegrant.TokenRules{Resource: s.url, InsecureNoAudience: true}); (err == nil) != (tt.loosed == 200) {
			t.Errorf("%s, where none is needed: %v", name, err)
		}
	}
	if r, _ := s.ask("POST", s.url+"?access_token="+s.token(nil), "", list); r.StatusCode != 401 {
		t.Errorf("a token in the query: %d", r.StatusCode)
	}
	if r, _ := s.ask("POST", s.url, s.token(nil), list, "Authorization", "Bearer x"); r.StatusCode != 401 {
		t.Errorf("two tokens: %d", r.StatusCode)
	}
}

// TestMissingScopes: a client is told what to ask for.
func TestMissingScopes(t *testing.T) {
	s := newSite(t, nil, codegrant.InGroup("analysts"), codegrant.AllowActors("agent-1"))
	for name, tt := range map[string]struct {
		change claims
		body   string
		want   int
		scope  string
	}{
		"of every request":           {claims{"scope": "openid"}, list, 403, "docs/read"},
		"of the tool":                {nil, call("write"), 403, "docs/read docs/write"},
		"of the tool, beside others": {claims{"scope": "openid other/scope docs/read"}, call("write"), 403, "docs/read docs/write"},
		"none":                       {claims{"scope": "docs/read docs/write"}, call("write"), 200, ""},
		"not a scope":                {nil, call("delete_user"), 403, ""},
		"a group":                    {claims{"cognito:groups": []string{}}, list, 403, ""},
		"an actor that may":          {claims{"act": claims{"sub": "agent-1"}}, list, 200, ""},
		"an actor that mayn't":       {claims{"act": claims{"sub": "agent-2"}}, list, 403, ""},
	} {
		r, body := s.ask("POST", s.url, s.token(tt.change), tt.body)
		challenge := r.Header.Get("WWW-Authenticate")
		if r.StatusCode != tt.want || tt.scope == "" && challenge != "" ||
			tt.scope != "" && (!strings.HasPrefix(challenge, `Bearer error="insufficient_scope", scope="`+tt.scope+`", resource_metadata="`)) {
			t.Errorf("%s: %d %s %s", name, r.StatusCode, challenge, body)
		}
		if tt.want == 403 && !strings.Contains(body, `"id":7`) != (tt.body == list) {
			t.Errorf("%s: %s", name, body)
		}
	}
}

// TestS616_Origins: pages of other sites send nothing, and clients in pages that may read
// what they need.
func TestS616_Origins(t *testing.T) {
	s := newSite(t, func(c *mcp.Config, _ *codegrant.Config) { c.Origins = []string{"http://localhost:6274"} })
	own := strings.TrimSuffix(s.url, "/mcp")
	for _, tt := range []struct {
		origins []string
		want    int
	}{
		{nil, 200}, {[]string{own}, 200}, {[]string{"http://localhost:6274"}, 200},
		{[]string{"https://evil.example.com"}, 403}, {[]string{"null"}, 403}, {[]string{own, own}, 403}, {[]string{""}, 403}, {[]string{own + "/"}, 403}, {[]string{"http://localhost:62740"}, 403},
	} {
		var headers []string
		for _, o := range tt.origins {
			headers = append(headers, "Origin", o)
		}
		r, body := s.ask("POST", s.url, s.token(nil), call("search"), headers...)
		allowed := r.Header["Access-Control-Allow-Origin"]
		if r.StatusCode != tt.want || (tt.want == 200 && tt.origins != nil) != slices.Equal(allowed, tt.origins) && tt.origins != nil || tt.origins == nil && allowed != nil {
			t.Errorf("%q: %d %v %s", tt.origins, r.StatusCode, r.Header, body)
		}
		if r, _ := s.ask("OPTIONS", s.url, "", "", append(headers, "Access-Control-Request-Headers", "authorization,mcp-param-Region, x-evil")...); tt.want == 200 &&
			(r.StatusCode != 204 || r.Header.Get("Access-Control-Allow-Headers") != "authorization, mcp-param-region") || tt.want != 200 && r.StatusCode != 403 {
			t.Errorf("preflight of %q: %d %v", tt.origins, r.StatusCode, r.Header)
		}
	}
	r, _ := s.ask("POST", s.url, "", list, "Origin", own)
	if r.StatusCode != 401 || r.Header.Get("Access-Control-Allow-Origin") != own || !strings.Contains(r.Header.Get("Access-Control-Expose-Headers"), "WWW-Authenticate") {
		t.Errorf("a challenge that no page can read: %d %v", r.StatusCode, r.Header)
	}
}

// TestS618_Tools: who may call what, and sees it listed.
func TestS618_Tools(t *testing.T) {
	s := newSite(t, nil)
	admin, writer := claims{"cognito:groups": []string{"admins"}}, claims{"scope": "docs/read docs/write"}
	for _, tt := range []struct {
		name   string
		change claims
		may    []string
	}{
		{"carol", nil, []string{"search"}}, {"an admin", admin, []string{"search", "delete_user"}}, {"with the scope", writer, []string{"search", "write"}},
	} {
		token := s.token(tt.change)
		for _, tool := range []string{"search", "delete_user", "write", "hidden", "Search", "delete", " search", "search\\u0000", "DELETE_user", "searc\\u0068"} {
			before := len(s.bodies)
			r, body := s.ask("POST", s.url, token, call(tool))
			want := slices.Contains(tt.may, strings.ReplaceAll(tool, "\\u0068", "h"))
			if r.StatusCode != map[bool]int{true: 200, false: 403}[want] || want != (len(s.bodies) == before+1) {
				t.Errorf("%s calls %s: %d %s", tt.name, tool, r.StatusCode, body)
			}
			if want && s.bodies[before] != call(tool) {
				t.Errorf("%s calls %s: the server got %s", tt.name, tool, s.bodies[before])
			}
		}
		for _, as := range []string{"", "?as=events"} {
			_, body := s.ask("POST", s.url+as, token, list, "Accept-Encoding", "gzip")
			message := body
			if as != "" {
				var found bool
				if !strings.HasPrefix(body, "event: message\r\nid: 1\r\ndata: {\"method\":\"notifications/progress\"}\r\n\r\nid: 2\ndata: {") {
					t.Errorf("%q", body)
				}
				if _, message, found = strings.Cut(body, "id: 2\ndata: "); !found || !strings.HasSuffix(message, "\n\n") {
					t.Fatalf("%q", body)
				}
			}
			var got struct {
				ID     int
				Result struct {
					Tools                  []struct{ Name, Description string }
					CacheScope, NextCursor string
				}
			}
			if err := json.Unmarshal([]byte(message), &got); err != nil {
				t.Fatalf("%v: %s", err, body)
			}
			var names []string
			for _, tool := range got.Result.Tools {
				names = append(names, tool.Name)
			}
			if !slices.Equal(names, tt.may) || got.ID != 7 || got.Result.NextCursor != "n" || got.Result.CacheScope != "private" || got.Result.Tools[0].Description != "<a>" {
				t.Errorf("%s%s: %s", tt.name, as, body)
			}
		}
	}
	if r, _ := s.ask("POST", s.url+"?as=packed", s.token(nil), list); r.StatusCode != 502 {
		t.Errorf("a list that cannot be read: %d", r.StatusCode)
	}
	for body, want := range map[string]int{"[" + list + "]": 400, "": 400, "{": 400, strings.Replace(call("search"), `"name":"search"`, `"name":"search","name":"hidden"`, 1): 400} {
		if r, text := s.ask("POST", s.url, s.token(nil), body); r.StatusCode != want || !strings.Contains(text, `"error":{"code":-32`) {
			t.Errorf("%s: %d %s", body, r.StatusCode, text)
		}
	}
	if r, _ := s.ask("POST", s.url, s.token(nil), call("search"), "Mcp-Name", "hidden"); r.StatusCode != 400 {
		t.Errorf("a header that says something else: %d", r.StatusCode)
	}
	if r, _ := s.ask("POST", s.url, s.token(nil), strings.Repeat(" ", 5<<20)+call("search")); r.StatusCode != 413 {
		t.Errorf("too large: %d", r.StatusCode)
	}
	if r, _ := s.ask("GET", s.url, s.token(nil), "", "Upgrade", "websocket", "Connection", "Upgrade"); r.StatusCode != 400 {
		t.Errorf("a WebSocket: %d", r.StatusCode)
	}
	if r, _ := s.ask("PUT", s.url, s.token(nil), call("search")); r.StatusCode != 405 {
		t.Errorf("PUT: %d", r.StatusCode)
	}
	r, err := http.NewRequestWithContext(t.Context(), "POST", s.url, strings.NewReader(call("search")))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token(nil))
	r.Header.Set("Content-Type", "text/plain")
	if response, err := http.DefaultClient.Do(r); err != nil || response.StatusCode != 415 {
		t.Errorf("another type: %v, %v", response, err)
	}
}

// TestS619_SessionsOfThePerson: a session id of the protocol is of use to nobody else.
func TestS619_SessionsOfThePerson(t *testing.T) {
	s := newSite(t, nil)
	carol, dave := s.token(nil), s.token(claims{"sub": "s-2", "username": "dave"})
	r, _ := s.ask("POST", s.url, carol, `{"jsonrpc":"2.0","id":1,"method":"initialize"}`)
	id := r.Header.Get("Mcp-Session-Id")
	if id == "" || id == "session-1" {
		t.Fatalf("session %q", id)
	}
	for _, tt := range []struct {
		name, token, id string
		want            int
	}{
		{"hers", carol, id, 200}, {"hers, with a new token", s.token(claims{"jti": "another"}), id, 200}, {"his", dave, id, 404}, {"the server's own", carol, "session-1", 404},
		{"an altered one", carol, id[:len(id)-1] + "!", 404}, {"of another session", carol, "session-2" + id[strings.LastIndex(id, "."):], 404}, {"empty", carol, "", 404},
	} {
		if r, body := s.ask("POST", s.url, tt.token, list, "Mcp-Session-Id", tt.id); r.StatusCode != tt.want {
			t.Errorf("%s: %d %s", tt.name, r.StatusCode, body)
		} else if tt.want == 200 && s.heads[len(s.heads)-1].Get("Mcp-Session-Id") != "session-1" {
			t.Errorf("%s: the server got %v", tt.name, s.heads[len(s.heads)-1])
		}
	}
	if r, _ := s.ask("POST", s.url, carol, list, "Mcp-Session-Id", id, "Mcp-Session-Id", id); r.StatusCode != 404 {
		t.Errorf("two: %d", r.StatusCode)
	}
	if r, _ := s.ask("DELETE", s.url, dave, "", "Mcp-Session-Id", id); r.StatusCode != 404 {
		t.Errorf("he ends hers: %d", r.StatusCode)
	}
}

// TestS620_StreamsEndWithTheToken, whoever else could go on.
func TestS620_StreamsEndWithTheToken(t *testing.T) {
	s := newSite(t, nil)
	token := s.token(claims{"exp": time.Now().Add(3 * time.Second).Unix()})
	done := make(chan string)
	go func() {
		_, body := s.ask("GET", s.url, token, "")
		done <- body
	}()
	select {
	case body := <-done:
		if body != ": hello\n\n" {
			t.Errorf("%q", body)
		}
	case <-time.After(time.Minute):
		t.Fatal("it goes on without a token")
	}
}

// TestStreamsEndWithTheSession: a token that is refused from some time on has its stream end,
// also if nobody tells of it.
func TestStreamsEndWithTheSession(t *testing.T) {
	var over atomic.Bool
	s := newSite(t, func(c *mcp.Config, _ *codegrant.Config) {
		c.Issued = func(context.Context, string) (*codegrant.Identity, error) {
			if over.Load() {
				return nil, fmt.Errorf("%w: the session is over", codegrant.ErrInvalid)
			}
			return nil, nil // the pool knows it
		}
	})
	r, err := http.NewRequestWithContext(t.Context(), "GET", s.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token(nil))
	stream, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	hello := make([]byte, len(": hello\n\n"))
	if _, err := io.ReadFull(stream.Body, hello); err != nil || stream.StatusCode != 200 {
		t.Fatalf("%d %q, %v", stream.StatusCode, hello, err)
	}
	over.Store(true)
	done := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, stream.Body)
		done <- err
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("the stream goes on after the session")
	}
	if r, _ := s.ask("GET", s.url, s.token(nil), ""); r.StatusCode != 401 {
		t.Errorf("a new one: %d", r.StatusCode)
	}
}

// TestS621_CallsAreTold, without their arguments.
func TestS621_CallsAreTold(t *testing.T) {
	s := newSite(t, nil, codegrant.AllowActors(codegrant.AnyActor))
	s.ask("POST", s.url, s.token(claims{"act": claims{"sub": "agent-1"}}), call("search"))
	s.ask("POST", s.url, s.token(nil), call("delete_user"))
	log := s.log.String()
	for _, want := range []string{`msg="tool called"`, "tool=search", "sub=s-1", "actor=agent-1", `msg="tool refused"`, "tool=delete_user", "needs group admins"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s: %s", want, log)
		}
	}
	if strings.Contains(log, "s3cret") || strings.Contains(log, "eyJ") {
		t.Errorf("the log says too much: %s", log)
	}
	if len(s.calls) != 2 || s.calls[0].Tool != "search" || !s.calls[0].Allowed || s.calls[0].Identity.Actor.String() != "agent-1" || s.calls[1].Rule != "delete_*" || s.calls[1].Allowed {
		t.Errorf("%+v", s.calls)
	}
}

// TestConfigurations that are wrong say all that is.
func TestConfigurations(t *testing.T) {
	_, err := mcp.New(mcp.Config{
		URL: "http://app.example.com/mcp?x", Scopes: []string{"a b"}, Origins: []string{"https://x.example.com/"}, Documentation: "x",
		Tools: []mcp.Tool{{Name: ""}, {Name: "a", Scopes: []string{`"`}}, {Name: "a"}, {Name: "b", Permissions: []codegrant.Permission{nil}}},
	})
	for _, want := range []string{"URL: ", "Endpoints, AuthorizationServers: ", "Scopes: ", "Origins: ", "Documentation: ", "Tools[]: the name", "Tools[a].Scopes", "Tools[a]: it is there twice", "Tools[b]: a permission"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %s", err, want)
		}
	}
	for _, url := range []string{"https://App.example.com/mcp", "https://app.example.com/mcp#x", "app.example.com", "https://a:b@app.example.com/", "http://10.0.0.1/mcp"} {
		if _, err := mcp.New(mcp.Config{URL: url, AuthorizationServers: []string{"https://pool.example.com"}}); err == nil {
			t.Errorf("%s is taken", url)
		}
	}
	for url, want := range map[string]string{
		"https://app.example.com/mcp": "https://app.example.com/.well-known/oauth-protected-resource/mcp",
		"https://app.example.com":     "https://app.example.com/.well-known/oauth-protected-resource",
		"http://localhost:8080/a/b":   "http://localhost:8080/.well-known/oauth-protected-resource/a/b",
	} {
		r, err := mcp.New(mcp.Config{URL: url, AuthorizationServers: []string{"https://pool.example.com"}})
		if err != nil || r.MetadataURL() != want {
			t.Errorf("%s: %v, want %s", url, err, want)
		}
	}
}

// requests are what a library's user sees of a recorder: an answer without a server works.
func TestWithoutAServer(t *testing.T) {
	s := newSite(t, nil)
	resource, err := mcp.New(mcp.Config{URL: s.url, Endpoints: s.auth.Endpoints()})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), "POST", s.url, strings.NewReader(list))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+s.token(nil))
	w := httptest.NewRecorder()
	resource.Require(s.auth)(s).ServeHTTP(w, r)
	if w.Code != 200 || !strings.Contains(w.Body.String(), "hidden") {
		t.Errorf("without rules the list is whole: %d %s", w.Code, w.Body)
	}
}
