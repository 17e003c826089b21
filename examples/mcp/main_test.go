package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/codegrant/codegrant/codegranttest"
)

// demo is what main runs, in the test process.
type demo struct {
	by       mode
	url      string
	callback string
	arrived  chan *http.Request // at the callback URL of the client
	scopes   []string           // of each authorization that a client asked for
	site     string
	pool     string

	publisher string // of documents
	log       *logs
}

func newDemo(t *testing.T, by mode) *demo { return newDemoBefore(t, by, "") }

// newDemoBefore has an MCP server elsewhere; empty: the one here.
func newDemoBefore(t *testing.T, by mode, tools string) *demo { return newDemoAt(t, by, tools, "") }

// newDemoAt has a client that listens at its callback URL by itself; empty: the test does.
func newDemoAt(t *testing.T, by mode, tools, callback string) *demo {
	t.Helper()
	d := &demo{by: by, arrived: make(chan *http.Request, 1), log: new(logs)}
	var p *parts
	serve := func(h func() http.Handler) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h().ServeHTTP(w, r) }))
		t.Cleanup(server.Close)
		return server.URL
	}
	if d.callback = callback; callback == "" {
		d.callback = d.listens(serve)
	}
	if tools == "" {
		tools = serve(func() http.Handler { return p.tools })
	}
	pool := serve(func() http.Handler { return p.pool })
	site := serve(func() http.Handler { return p.gateway })
	var err error
	if p, err = newParts(site, pool, tools, d.callback, by, d.fetch(), slog.New(slog.NewTextHandler(d.log, nil))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	d.url, d.site, d.pool = p.url, site, pool
	return d
}

// listens has a place where the browser tells a client what became of its question.
func (d *demo) listens(serve func(func() http.Handler) string) string {
	mux := http.NewServeMux()
	mux.HandleFunc("/callback", func(_ http.ResponseWriter, r *http.Request) { d.arrived <- r })
	return serve(func() http.Handler { return mux }) + "/callback"
}

// authorize is a person who signs in when their client opens the browser.
func (d *demo) authorize(browser *codegranttest.Browser, email string) auth.AuthorizationCodeFetcher {
	return d.authorizeBy(func(target string) *http.Request { return d.visit(browser, target, email) })
}

// authorizeBy has somebody visit what their client opens.
func (d *demo) authorizeBy(visit func(target string) *http.Request) auth.AuthorizationCodeFetcher {
	return func(_ context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
		q := visit(args.URL).URL.Query()
		d.scopes = append(d.scopes, q.Get("error"))
		return &auth.AuthorizationResult{Code: q.Get("code"), State: q.Get("state"), Iss: q.Get("iss")}, nil
	}
}

// visit is what a person does at the URL that their client opens: sign in, where nobody knows
// the browser, and agree, where they are asked. It returns what arrives at the client.
func (d *demo) visit(browser *codegranttest.Browser, target, email string) *http.Request {
	page := browser.Open(target)
	if form, ok := page.Form("password"); ok {
		page = browser.Submit(page, form, map[string]string{"username": email, "password": codegranttest.Password})
	}
	if form, ok := page.Form("question"); ok {
		page = browser.Submit(page, form, map[string]string{"answer": "allow"})
	}
	select {
	case r := <-d.arrived:
		return r
	case <-time.After(time.Minute):
		panic("bob was not sent back: " + page.Body)
	}
}

// connect is a client of the official SDK.
func (d *demo) connect(t *testing.T, email string) *mcp.ClientSession {
	t.Helper()
	return d.connectAs(t, &auth.AuthorizationCodeHandlerConfig{
		PreregisteredClient: &oauthex.ClientCredentials{ClientID: agentClientID}, RedirectURL: d.callback,
		AuthorizationCodeFetcher: d.authorize(codegranttest.NewBrowser(t), email),
	})
}

func (d *demo) connectAs(t *testing.T, config *auth.AuthorizationCodeHandlerConfig) *mcp.ClientSession {
	t.Helper()
	handler, err := auth.NewAuthorizationCodeHandler(config)
	if err != nil {
		t.Fatal(err)
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: d.url, OAuthHandler: handler, DisableStandaloneSSE: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() })
	return session
}

func names(t *testing.T, session *mcp.ClientSession) (all []string) {
	t.Helper()
	list, err := session.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range list.Tools {
		all = append(all, tool.Name)
	}
	slices.Sort(all)
	return all
}

func call(t *testing.T, session *mcp.ClientSession, tool string, args map[string]any) (string, error) {
	t.Helper()
	result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		return "", err
	}
	return result.Content[0].(*mcp.TextContent).Text, nil
}

// TestOfficialClient discovers the pool, signs in, lists, calls, is refused a tool, and
// asks for one scope more.
func TestOfficialClient(t *testing.T) {
	d := newDemo(t, byHand)
	if r, err := http.Post(d.url, "application/json", strings.NewReader("{}")); err != nil || r.StatusCode != http.StatusUnauthorized {
		t.Fatalf("nobody: %v, %v", r, err)
	}
	bob := d.connect(t, "bob@example.com")
	if got := names(t, bob); !slices.Equal(got, []string{"search", "write"}) {
		t.Errorf("bob sees %q", got)
	}
	if text, err := call(t, bob, "search", map[string]any{"text": "holidays"}); err != nil || !strings.HasSuffix(text, "there are 1: handbook") || strings.HasPrefix(text, ",") {
		t.Errorf("%q, %v", text, err)
	}
	if text, err := call(t, bob, "delete_document", map[string]any{"name": "handbook"}); err == nil || !strings.Contains(err.Error(), "you may not call delete_document") {
		t.Errorf("bob deletes: %q, %v", text, err)
	}
	if len(d.scopes) != 1 {
		t.Errorf("bob was asked to sign in %d times", len(d.scopes))
	}
	if text, err := call(t, bob, "write", map[string]any{"name": "notes", "text": "holidays, too"}); err != nil || !strings.HasSuffix(text, "wrote notes") {
		t.Errorf("%q, %v", text, err)
	}
	if len(d.scopes) != 2 {
		t.Errorf("bob was asked %d times, and the second time for the scope that was missing", len(d.scopes))
	}
	if text, err := call(t, bob, "search", map[string]any{"text": "holidays"}); err != nil || !strings.HasSuffix(text, "there are 2: handbook, notes") {
		t.Errorf("%q, %v", text, err)
	}
	alice := d.connect(t, "alice@example.com")
	if got := names(t, alice); !slices.Equal(got, []string{"delete_document", "search", "write"}) {
		t.Errorf("alice sees %q", got)
	}
	if text, err := call(t, alice, "delete_document", map[string]any{"name": "notes"}); err != nil || !strings.HasSuffix(text, "deleted notes") {
		t.Errorf("%q, %v", text, err)
	}
}

// TestClientThatIsRefused: whoever the pool does not know does not get in.
func TestClientThatIsRefused(t *testing.T) {
	d := newDemo(t, byHand)
	handler, err := auth.NewAuthorizationCodeHandler(&auth.AuthorizationCodeHandlerConfig{
		PreregisteredClient: &oauthex.ClientCredentials{ClientID: agentClientID}, RedirectURL: d.callback,
		AuthorizationCodeFetcher: func(context.Context, *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
			return nil, errors.New("the person closed the window")
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	if _, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: d.url, OAuthHandler: handler}, nil); err == nil {
		t.Error("it got in")
	}
}
