package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"golang.org/x/oauth2"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/e2e/browser"
)

// person is bob at a Chromium that nobody has used before, and that ends with the test.
type person struct {
	*browser.Browser
	t        *testing.T
	demo     *demo
	signedIn int      // how often they gave their password
	agreed   []string // what the page said each time that they were asked whether a client may act for them
}

func (d *demo) newPerson(t *testing.T) *person {
	t.Helper()
	return &person{Browser: browser.New(t), t: t, demo: d}
}

// visit is what a person does at the URL that their client opens: sign in, where nobody knows
// the browser, and agree, where they are asked. It returns what arrives at the client.
func (p *person) visit(target string) *http.Request {
	p.t.Helper()
	var arrived *http.Request
	p.goOn(target, func() bool {
		select {
		case arrived = <-p.demo.arrived:
			return true
		default:
			return false
		}
	})
	return arrived
}

// goOn is visit for clients that are told by the browser themselves: there says whether they
// were.
func (p *person) goOn(target string, there func() bool) {
	p.t.Helper()
	p.Open(target)
	var signedIn, agreed bool
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		switch {
		case there():
			return
		case !signedIn && p.Has("#password"):
			signedIn = true
			p.signedIn++
			p.Fill("#username", "bob@example.com")
			p.Fill("#password", codegranttest.Password)
			p.Click("main button")
		case !agreed && p.Has("main button[value=allow]"):
			agreed = true
			p.agreed = append(p.agreed, p.Text("main"))
			p.Click("main button[value=allow]")
		case time.Now().After(deadline):
			p.Screenshot("was not sent back")
			p.t.Fatalf("bob was not sent back from %s", p.URL())
		}
	}
}

// signOut is at the application, which tells the gateway's clients and the pool.
func (p *person) signOut() {
	p.t.Helper()
	p.Open(p.demo.site + "/auth/logout")
}

// wasAsked checks what a person saw who was asked twice, the second time for a scope more.
func (p *person) wasAsked(by mode) {
	p.t.Helper()
	if p.signedIn != 1 {
		p.t.Errorf("%s: bob gave his password %d times", by, p.signedIn)
	}
	if by != byGateway {
		if len(p.agreed) != 0 {
			p.t.Errorf("%s: a pool asks nobody, but here it did: %q", by, p.agreed)
		}
		return
	}
	if len(p.agreed) != 2 {
		p.t.Fatalf("bob was asked %d times: %q", len(p.agreed), p.agreed)
	}
	const use, read, write = "asks to use Documents in your name", "/mcp/read", "/mcp/write"
	for i, page := range p.agreed {
		if !strings.Contains(page, use) || !strings.Contains(page, read) || strings.Contains(page, write) != (i == 1) {
			p.t.Errorf("question %d: %q", i, page)
		}
	}
}

// registers is a client that nobody knows.
func (d *demo) registers() *auth.AuthorizationCodeHandlerConfig {
	return &auth.AuthorizationCodeHandlerConfig{
		DynamicClientRegistrationConfig: &auth.DynamicClientRegistrationConfig{Metadata: &oauthex.ClientRegistrationMetadata{
			ClientName: "test", RedirectURIs: []string{d.callback}, TokenEndpointAuthMethod: "none", GrantTypes: []string{"authorization_code", "refresh_token"},
		}},
	}
}

// described is a client whose id is the URL of its document.
func (d *demo) described(t *testing.T) *auth.AuthorizationCodeHandlerConfig {
	t.Helper()
	return &auth.AuthorizationCodeHandlerConfig{
		ClientIDMetadataDocumentConfig: &auth.ClientIDMetadataDocumentConfig{URL: d.publishes(t, d.by)},
	}
}

// known is a client whose id somebody was told.
func (d *demo) known() *auth.AuthorizationCodeHandlerConfig {
	return &auth.AuthorizationCodeHandlerConfig{PreregisteredClient: &oauthex.ClientCredentials{ClientID: agentClientID}}
}

// wholeStory is a client of the official Go SDK: bob signs in, agrees where he is asked,
// lists, calls, is refused a tool, and agrees to a scope more; tokens are refreshed each time,
// and end with a sign-out.
func (d *demo) wholeStory(t *testing.T, config *auth.AuthorizationCodeHandlerConfig) {
	t.Helper()
	person, refreshed, gone := d.newPerson(t), 0, false
	fetch := d.authorizeBy(person.visit)
	var endpoint, client, refresh string
	config.RedirectURL = d.callback
	config.AuthorizationCodeFetcher = func(ctx context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
		if gone {
			return nil, errors.New("nobody is there")
		}
		return fetch(ctx, args)
	}
	config.NewTokenSource = func(ctx context.Context, c *oauth2.Config, token *oauth2.Token) (oauth2.TokenSource, error) {
		refreshed++
		endpoint, client, refresh = c.Endpoint.TokenURL, c.ClientID, token.RefreshToken
		over := *token
		over.Expiry = time.Now().Add(-time.Minute) // so that it is refreshed at once
		return c.TokenSource(ctx, &over), nil
	}
	bob := d.connectAs(t, config)
	if got := names(t, bob); !slices.Equal(got, []string{"search", "write"}) {
		t.Errorf("bob sees %q", got)
	}
	if text, err := call(t, bob, "search", map[string]any{"text": "holidays"}); err != nil || !strings.HasPrefix(text, "bob, ") {
		t.Errorf("%q, %v", text, err)
	}
	if text, err := call(t, bob, "delete_document", map[string]any{"name": "handbook"}); err == nil || !strings.Contains(err.Error(), "you may not call delete_document") {
		t.Errorf("bob deletes: %q, %v", text, err)
	}
	if text, err := call(t, bob, "write", map[string]any{"name": "notes", "text": "holidays, too"}); err != nil || !strings.HasSuffix(text, "wrote notes") {
		t.Errorf("%q, %v", text, err)
	}
	if len(d.scopes) != 2 || refreshed != 2 {
		t.Errorf("bob was asked %d times, and %d tokens were refreshed", len(d.scopes), refreshed)
	}
	person.wasAsked(d.by)
	if d.by == byGateway {
		person.signOut()
		gone = true
		refusedSoon(t, bob)
		return
	}
	if status, wrong := refreshes(t, endpoint, client, refresh); status != http.StatusOK {
		t.Errorf("a refresh before the sign-out: %d %s", status, wrong)
	}
	d.tell(t, "AdminUserGlobalSignOut", `{"UserPoolId":"`+demoPool+`","Username":"bob"}`)
	gone = true
	if status, wrong := refreshes(t, endpoint, client, refresh); status != http.StatusBadRequest || wrong != "invalid_grant" {
		t.Errorf("S-675: a refresh after the sign-out: %d %s", status, wrong)
	}
	// A token that was given stands to its end (docs/mcp.md); the next one is refused.
	if _, err := d.connectTo(t, config); err == nil {
		t.Error("a client that begins again after the sign-out got in without bob")
	}
}

// refusedSoon waits until a client is refused, which is after a second at most on an idle
// machine.
func refusedSoon(t *testing.T, session *mcp.ClientSession) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if _, err := call(t, session, "search", map[string]any{"text": "holidays"}); err != nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the client goes on after the sign-out")
		}
	}
}

// TestClientsOfTheGateway: clients that nobody knows register at the gateway, have a
// document, or were told an id, and go the whole way, whatever the plan of the pool is.
func TestClientsOfTheGateway(t *testing.T) {
	for how, client := range map[string]func(*testing.T, *demo) *auth.AuthorizationCodeHandlerConfig{
		"registration": func(_ *testing.T, d *demo) *auth.AuthorizationCodeHandlerConfig { return d.registers() },
		"a document":   func(t *testing.T, d *demo) *auth.AuthorizationCodeHandlerConfig { return d.described(t) },
		"an id":        func(_ *testing.T, d *demo) *auth.AuthorizationCodeHandlerConfig { return d.known() },
		"a pool on the Lite plan": func(t *testing.T, d *demo) *auth.AuthorizationCodeHandlerConfig {
			d.goesToLite(t)
			return d.registers()
		},
	} {
		t.Run(how, func(t *testing.T) {
			d := newDemo(t, byGateway)
			d.wholeStory(t, client(t, d))
		})
	}
}
