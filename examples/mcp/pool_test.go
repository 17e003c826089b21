package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"golang.org/x/oauth2"

	"github.com/codegrant/codegrant/codegranttest"
)

// logs is what the gateway and the pool say.
type logs struct {
	mu sync.Mutex // guards the field below
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

const demoPool = "local_Demo12345"

// tell sends the pool an operation of Cognito's API.
func (d *demo) tell(t *testing.T, operation, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.pool+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService."+operation)
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/local/cognito-idp/aws4_request, SignedHeaders=host, Signature=0")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, _ := io.ReadAll(answer.Body); answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", operation, text)
	}
}

// refreshes asks a token endpoint as a client does, and returns the error that it names.
func refreshes(t *testing.T, endpoint, client, refresh string) (status int, wrong string) {
	t.Helper()
	answer, err := http.PostForm(endpoint, url.Values{"grant_type": {"refresh_token"}, "client_id": {client}, "refresh_token": {refresh}})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var said struct {
		Error string `json:"error"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&said); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, said.Error
}

// connectTo is connectAs for clients that may be refused.
func (d *demo) connectTo(t *testing.T, config *auth.AuthorizationCodeHandlerConfig) (*mcp.ClientSession, error) {
	t.Helper()
	handler, err := auth.NewAuthorizationCodeHandler(config)
	if err != nil {
		t.Fatal(err)
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	return client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: d.url, OAuthHandler: handler, DisableStandaloneSSE: true}, nil)
}

// TestS666_ClientsOfThePool: clients that nobody knows register at the pool, or have a
// document there, and go the whole way; a token that is bound to something else opens
// nothing.
func TestS666_ClientsOfThePool(t *testing.T) {
	t.Run("registration", func(t *testing.T) {
		d := newDemo(t, byPool)
		d.wholeStory(t, d.registers())
	})
	t.Run("a document", func(t *testing.T) {
		d := newDemo(t, byPool)
		d.admits(t)
		d.wholeStory(t, d.described(t))
	})
	t.Run("an id", func(t *testing.T) {
		d := newDemo(t, byHand)
		d.wholeStory(t, d.known())
	})
}

// TestS666_APoolOnTheLitePlan: clients are told why they are sent nowhere, and so is who
// runs the gateway.
func TestS666_APoolOnTheLitePlan(t *testing.T) {
	d := newDemo(t, byPool)
	d.tell(t, "UpdateUserPool", `{"UserPoolId":"`+demoPool+`","DcrConfiguration":{"EnableStatus":"Disabled"}}`)
	d.goesToLite(t)
	config := d.registers()
	config.RedirectURL = d.callback
	config.AuthorizationCodeFetcher = d.authorize(codegranttest.NewBrowser(t), "bob@example.com")
	if _, err := d.connectTo(t, config); err == nil || len(d.scopes) > 0 {
		t.Errorf("%v; bob was asked %d times", err, len(d.scopes))
	}
	answer, err := http.Get(d.site + "/.well-known/oauth-authorization-server/mcp")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	const why = "neither registers clients nor accepts client ID metadata documents: both are off, or the pool is on the Lite plan"
	if text, _ := io.ReadAll(answer.Body); answer.StatusCode != http.StatusNotImplemented || !strings.Contains(string(text), why) {
		t.Errorf("%d %s", answer.StatusCode, text)
	}
	if !strings.Contains(d.log.String(), why) {
		t.Errorf("the log does not say why: %s", d.log)
	}
}

// TestS675_GlobalSignOut: after a sign-out everywhere at the pool, a client of the pool's
// cannot refresh. The token that it holds opens the MCP server until it ends.
func TestS675_GlobalSignOut(t *testing.T) {
	d := newDemo(t, byPool)
	config := d.registers()
	var endpoint, client string
	var held *oauth2.Token
	config.RedirectURL, config.AuthorizationCodeFetcher = d.callback, d.authorize(codegranttest.NewBrowser(t), "bob@example.com")
	config.NewTokenSource = func(_ context.Context, c *oauth2.Config, token *oauth2.Token) (oauth2.TokenSource, error) {
		endpoint, client, held = c.Endpoint.TokenURL, c.ClientID, token
		return oauth2.StaticTokenSource(token), nil
	}
	bob := d.connectAs(t, config)
	if status, wrong := refreshes(t, endpoint, client, held.RefreshToken); status != http.StatusOK {
		t.Fatalf("before: %d %s", status, wrong)
	}
	d.tell(t, "AdminUserGlobalSignOut", `{"UserPoolId":"`+demoPool+`","Username":"bob"}`)
	if status, wrong := refreshes(t, endpoint, client, held.RefreshToken); status != http.StatusBadRequest || wrong != "invalid_grant" {
		t.Errorf("after: %d %s", status, wrong)
	}
	if text, err := call(t, bob, "search", map[string]any{"text": "holidays"}); err != nil || !strings.HasPrefix(text, "bob, ") {
		t.Errorf("the token that is held: %q, %v", text, err)
	}
}
