package exchange_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
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
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/exchange"
	"github.com/codegrant/codegrant/session"
)

const audience = "https://orders.example.com"

// world is a pool whose API of exchanges is the test's, and people of it.
type world struct {
	*codegranttest.Pool
	t     *testing.T
	auth  *codegrant.Auth
	pool  cognito.Pool
	calls atomic.Int64
	ahead atomic.Int64
	log   bytes.Buffer

	// api answers an exchange; it gets what was sent.
	api atomic.Pointer[func(sent map[string]any) (int, any)]
}

func newWorld(t *testing.T) *world {
	w := &world{Pool: codegranttest.NewPool(t, nil), t: t}
	w.App(func(c codegrant.Config) http.Handler {
		w.pool = c.Pool
		c.Logger, c.BearerActors = slog.New(slog.DiscardHandler), []string{codegrant.AnyActor}
		c.BearerResources = []string{"https://app.example.com/mcp"}
		auth, err := codegrant.New(c)
		if err != nil {
			t.Fatal(err)
		}
		w.auth = auth
		return auth.Handler("/auth")
	})
	w.answers(func(sent map[string]any) (int, any) { return 200, w.issued(w.claims(sent, nil)) })
	return w
}

func (w *world) answers(f func(sent map[string]any) (int, any)) { w.api.Store(&f) }

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

// RoundTrip is the API.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.calls.Add(1)
	var sent map[string]any
	body, _ := io.ReadAll(r.Body)
	if err := json.Unmarshal(body, &sent); err != nil || r.Header.Get("X-Amz-Target") != "AWSCognitoIdentityProviderService.GetDerivedToken" {
		return nil, fmt.Errorf("%s %s", r.Header.Get("X-Amz-Target"), body)
	}
	status, answer := (*w.api.Load())(sent)
	text, err := json.Marshal(answer)
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}}, Body: io.NopCloser(bytes.NewReader(text))}, err
}

type object = map[string]any

// claims are those that a pool would answer with, with some of them changed.
func (w *world) claims(sent, change object) object {
	payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(sent["SubjectToken"].(string), ".")[1])
	c := object{}
	if err := json.Unmarshal(payload, &c); err != nil {
		w.t.Error(err)
	}
	if to, ok := sent["Audiences"].([]any); ok {
		c["aud"] = to[0]
	}
	if sent["ActorToken"] != nil {
		own := object{"sub": "gateway"}
		if c["act"] != nil {
			own["act"] = c["act"]
		}
		c["act"] = own
	}
	for name, v := range change {
		if c[name] = v; v == nil {
			delete(c, name)
		}
	}
	return c
}

func (w *world) issued(claims object) object {
	token, err := w.MintToken(w.PoolID, claims)
	if err != nil {
		w.t.Error(err)
	}
	return object{"IssuedToken": token, "IssuedTokenType": "ACCESS_TOKEN", "TokenType": "Bearer", "ExpiresIn": 300}
}

// person is somebody who came with a token.
func (w *world) person(change object) *codegrant.Identity {
	w.t.Helper()
	claims := object{
		"sub": "5f1c0000-0000-4000-8000-000000000001", "iss": w.Clients()[0].Issuer, "client_id": w.ClientID, "token_use": "access", "username": "alice",
		"scope": "orders/read docs/read", "iat": time.Now().Unix(), "auth_time": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(), "jti": "1", "origin_jti": "o",
		"cognito:groups": []string{"admins"},
	}
	for name, v := range change {
		claims[name] = v
	}
	token, err := w.MintToken(w.PoolID, claims)
	if err != nil {
		w.t.Fatal(err)
	}
	id, err := w.auth.Bearer(w.t.Context(), token)
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

func (w *world) tokens(change func(*exchange.Config)) *exchange.Tokens {
	w.t.Helper()
	p := w.pool
	p.Domain = ""
	pool, err := exchange.NewPool(exchange.PoolConfig{
		Pool: p, HTTPClient: &http.Client{Transport: w}, ActorToken: func(context.Context) (string, error) { return "token-of-the-gateway", nil },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	config := exchange.Config{Audience: audience, By: pool, Logger: slog.New(slog.NewTextHandler(&w.log, nil)), Now: w.now}
	if change != nil {
		change(&config)
	}
	tokens, err := exchange.New(config)
	if err != nil {
		w.t.Fatal(err)
	}
	return tokens
}

func claimsOf(t *testing.T, token string) object {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("token %q", token)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	c := object{}
	if err == nil {
		err = json.Unmarshal(payload, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestS700_OneExchange: a thousand requests at once and one after another make one
// exchange, as long as its token is good, and each person's token is their own.
func TestS700_OneExchange(t *testing.T) {
	w := newWorld(t)
	var counted sync.Map // of outcomes
	tokens, alice := w.tokens(func(c *exchange.Config) {
		c.Scopes = []string{"orders/read"}
		c.OnEvent = func(_ context.Context, e exchange.Event) {
			n, _ := counted.LoadOrStore(e.Outcome, new(atomic.Int64))
			n.(*atomic.Int64).Add(1)
			if (e.Took > 0) != (e.Outcome == exchange.Exchanged) {
				t.Errorf("%+v", e)
			}
		}
	}), w.person(nil)
	gate := make(chan struct{})
	w.answers(func(sent object) (int, any) {
		<-gate
		if sent["SubjectTokenType"] != "ACCESS_TOKEN" || sent["RequestedTokenType"] != "ACCESS_TOKEN" || sent["ActorToken"] != nil || fmt.Sprint(sent["Scopes"]) != "[orders/read]" {
			t.Errorf("sent %v", sent)
		}
		return 200, w.issued(w.claims(sent, nil))
	})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tokens.Token(gone, alice); !errors.Is(err, codegrant.ErrUnavailable) {
		t.Errorf("who gave up got %v", err)
	}
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() {
			token, err := tokens.Token(t.Context(), alice)
			if err != nil || token == alice.AccessToken().Reveal() {
				t.Errorf("%v", err)
			}
		})
	}
	close(gate)
	wg.Wait()
	if _, err := tokens.Token(t.Context(), alice); err != nil || w.calls.Load() != 1 {
		t.Errorf("%v after %d exchanges", err, w.calls.Load())
	}
	bob, err := tokens.Token(t.Context(), w.person(object{"sub": "5f1c0000-0000-4000-8000-000000000002", "username": "bob"}))
	if err != nil || claimsOf(t, bob)["sub"] != "5f1c0000-0000-4000-8000-000000000002" || w.calls.Load() != 2 {
		t.Errorf("Bob: %v, %v, %d", bob, err, w.calls.Load())
	}
	w.ahead.Store(int64(4 * time.Minute))
	if _, err := tokens.Token(t.Context(), alice); err != nil || w.calls.Load() != 2 {
		t.Errorf("later: %v after %d exchanges", err, w.calls.Load())
	}
	w.ahead.Store(int64(5 * time.Minute))
	if _, err := tokens.Token(t.Context(), alice); err != nil || w.calls.Load() != 3 {
		t.Errorf("at its end: %v after %d exchanges", err, w.calls.Load())
	}
	for outcome, want := range map[exchange.Outcome]int64{exchange.Exchanged: 3, exchange.Cached: 1002} {
		if n, ok := counted.Load(outcome); !ok || n.(*atomic.Int64).Load() != want {
			t.Errorf("S-672: %s is not counted %d times: %+v", outcome, want, n)
		}
	}
	if strings.Contains(w.log.String(), "eyJ") || !strings.Contains(w.log.String(), "token exchanged") {
		t.Error(w.log.String())
	}
}

// TestS701_WhateverFails nothing of the person's is handed on, and invalid is not
// unavailable.
func TestS701_WhateverFails(t *testing.T) {
	w := newWorld(t)
	refused, away := codegrant.ErrForbidden, codegrant.ErrUnavailable
	changed := func(change object) func(object) (int, any) {
		return func(sent object) (int, any) { return 200, w.issued(w.claims(sent, change)) }
	}
	fault := func(status int, kind string) func(object) (int, any) {
		return func(object) (int, any) { return status, object{"__type": kind, "message": "no"} }
	}
	for _, tt := range []struct {
		name   string
		person object
		api    func(sent object) (int, any)
		actor  bool
		want   error
	}{
		{"the pool is down", nil, fault(500, "InternalErrorException"), false, away},
		{"it is asked too often", nil, fault(400, "TooManyRequestsException"), false, away},
		{"a fault that nobody knows", nil, fault(400, "NewException"), false, away},
		{"a page", nil, func(object) (int, any) { return 403, "<html>" }, false, away},
		{"the flow is off, or the token is refused", nil, fault(400, "NotAuthorizedException"), false, refused},
		{"no scope is left", nil, fault(400, "InvalidParameterException"), false, refused},
		{"the person is gone", nil, fault(400, "UserNotFoundException"), false, refused},
		{"an ID token", nil, func(sent object) (int, any) {
			out := w.issued(w.claims(sent, nil))
			out["IssuedTokenType"], out["TokenType"] = "ID_TOKEN", "N_A"
			return 200, out
		}, false, away},
		{"no token", nil, func(object) (int, any) { return 200, object{} }, false, away},
		{"no JWT", nil, func(object) (int, any) {
			return 200, object{"IssuedToken": "opaque", "IssuedTokenType": "ACCESS_TOKEN", "TokenType": "Bearer", "ExpiresIn": 60}
		}, false, refused},
		{"the person's own token", object{"aud": "https://app.example.com/mcp"}, func(sent object) (int, any) {
			return 200, object{"IssuedToken": sent["SubjectToken"], "IssuedTokenType": "ACCESS_TOKEN", "TokenType": "Bearer", "ExpiresIn": 60}
		}, false, refused},
		{"somebody else's", nil, changed(object{"sub": "mallory"}), false, refused},
		{"of another pool", nil, changed(object{"iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other1"}), false, refused},
		{"for another service", nil, changed(object{"aud": "https://bank.example.com"}), false, refused},
		{"for another service too", nil, changed(object{"aud": []string{audience, "https://bank.example.com"}}), false, refused},
		{"for nothing", nil, changed(object{"aud": nil}), false, refused},
		{"nobody acts, it says", nil, changed(object{"act": nil}), true, refused},
		{"who acted is forgotten", object{"act": object{"sub": "agent-1"}}, changed(object{"act": nil}), false, refused},
		{"who acted is another one", object{"act": object{"sub": "agent-1"}}, changed(object{"act": object{"sub": "agent-2"}}), false, refused},
		{"who acted is forgotten behind who acts", object{"act": object{"sub": "agent-1"}}, changed(object{"act": object{"sub": "gateway"}}), true, refused},
		{"as it should be", nil, changed(nil), false, nil},
		{"as it should be, with an actor", object{"act": object{"sub": "agent-1", "client_id": "c2"}}, changed(nil), true, nil},
		{"one audience in a list", nil, changed(object{"aud": []string{audience}}), false, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.answers(tt.api)
			tokens := w.tokens(func(c *exchange.Config) { c.Actor = tt.actor })
			before := w.calls.Load()
			id := w.person(tt.person)
			token, err := tokens.Token(t.Context(), id)
			for range 20 {
				again, also := tokens.Token(t.Context(), id)
				if again != token || fmt.Sprint(also) != fmt.Sprint(err) {
					t.Errorf("asked again: %q, %v", again, also)
				}
			}
			if !errors.Is(err, tt.want) || tt.want == refused && errors.Is(err, away) || (err != nil) != (token == "") || token == id.AccessToken().Reveal() {
				t.Errorf("%q, %v, want %v", token, err, tt.want)
			}
			if n := w.calls.Load() - before; n > 3 {
				t.Errorf("%d calls", n)
			}
		})
	}
	t.Run("nobody", func(t *testing.T) {
		for _, id := range []*codegrant.Identity{nil, {}, {Subject: "c1", ClientID: "c1", Machine: true}, {Issuer: "https://pool", Subject: "alice"}} {
			if token, err := w.tokens(nil).Token(t.Context(), id); !errors.Is(err, refused) || token != "" {
				t.Errorf("%v: %q, %v", id, token, err)
			}
		}
	})
}

func (w *world) issuer(change func(*exchange.IssuerConfig)) *exchange.Issuer {
	w.t.Helper()
	config := exchange.IssuerConfig{URL: "https://app.example.com/exchange", Keys: session.RandomKeyring(), Algorithm: "ES256"}
	if change != nil {
		change(&config)
	}
	issuer, err := exchange.NewIssuer(config)
	if err != nil {
		w.t.Fatal(err)
	}
	return issuer
}

// TestS702_NeverLonger: what is issued ends with the person's own token and session, and
// says what that token says of scopes and of those who act.
func TestS702_NeverLonger(t *testing.T) {
	w := newWorld(t)
	by := w.issuer(nil)
	tokens := w.tokens(func(c *exchange.Config) {
		c.By, c.Scopes, c.Actor = by, []string{"orders/read", "orders/write"}, true
	})
	ends := time.Now().Add(2 * time.Minute).Unix()
	id := w.person(object{"exp": ends, "act": object{"sub": "agent-1"}})
	token, err := tokens.Token(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	c := claimsOf(t, token)
	if c["exp"] != float64(ends) || c["scope"] != "orders/read" || c["aud"] != audience || c["sub"] != id.Subject || c["pool_iss"] != id.Issuer || c["client_id"] != w.ClientID {
		t.Errorf("claims %v", c)
	}
	pool := w.Clients()[0].Issuer
	if got, want := fmt.Sprint(c["act"]), fmt.Sprint(object{"iss": "https://app.example.com/exchange", "sub": "https://app.example.com/exchange", "act": object{"iss": pool, "sub": "agent-1"}}); got != want {
		t.Errorf("act = %s, want %s", got, want)
	}
	if again, err := tokens.Token(t.Context(), id); err != nil || again != token {
		t.Errorf("asked again: %v", err)
	}
	long, err := tokens.Token(t.Context(), w.person(nil))
	if exp := claimsOf(t, long)["exp"].(float64); err != nil || time.Until(time.Unix(int64(exp), 0)) > 5*time.Minute {
		t.Errorf("%v, %v", long, err)
	}
	w.ahead.Store(int64(3 * time.Minute))
	if late, err := tokens.Token(t.Context(), id); !errors.Is(err, codegrant.ErrUnavailable) || late != "" {
		t.Errorf("after its end: %q, %v", late, err)
	}
	w.ahead.Store(0)
	if none, err := tokens.Token(t.Context(), w.person(object{"scope": "docs/read"})); !errors.Is(err, codegrant.ErrForbidden) || none != "" {
		t.Errorf("none of the scopes: %q, %v", none, err)
	}
	many := w.person(object{"cognito:groups": slices.Repeat([]string{"a-group-of-some-length"}, 400)})
	if token, err = tokens.Token(t.Context(), many); err != nil || claimsOf(t, token)["groups"] != nil {
		t.Errorf("many groups: %d bytes, %v", len(token), err)
	}
}

// TestMetadata: services find the keys, and by them whose a token is.
func TestMetadata(t *testing.T) {
	w := newWorld(t)
	issuer := w.issuer(nil)
	handlers := issuer.Handlers()
	read := func(path string) object {
		t.Helper()
		answer := httptest.NewRecorder()
		handlers[path].ServeHTTP(answer, httptest.NewRequest("GET", path, nil))
		var out object
		if err := json.Unmarshal(answer.Body.Bytes(), &out); err != nil || answer.Code != 200 {
			t.Fatalf("%s: %d %s", path, answer.Code, answer.Body)
		}
		return out
	}
	for _, path := range []string{"/exchange/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/exchange"} {
		if d := read(path); d["issuer"] != issuer.URL || d["jwks_uri"] != "https://app.example.com/exchange/jwks.json" {
			t.Errorf("%s: %v", path, d)
		}
	}
	if keys := read("/exchange/jwks.json")["keys"].([]any); keys[0].(object)["alg"] != "ES256" {
		t.Errorf("keys %v", keys)
	}
	answer := httptest.NewRecorder()
	handlers["/exchange/jwks.json"].ServeHTTP(answer, httptest.NewRequest("POST", "/exchange/jwks.json", nil))
	if answer.Code != 405 {
		t.Errorf("POST: %d", answer.Code)
	}
}

// TestS703_TheTransport sends tokens where they are meant to go, and nothing without one.
func TestS703_TheTransport(t *testing.T) {
	w := newWorld(t)
	tokens := w.tokens(nil)
	var said []string
	stranger := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		said = append(said, "stranger "+r.Header.Get("Authorization"))
	}))
	defer stranger.Close()
	orders := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		said = append(said, "orders "+r.Header.Get("Authorization"))
		if r.URL.Path == "/away" {
			http.Redirect(rw, r, stranger.URL, http.StatusFound)
		}
	}))
	defer orders.Close()
	transport, err := tokens.Transport(nil, orders.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: transport}
	send := func(id *codegrant.Identity, path, authorization string) error {
		t.Helper()
		ctx := t.Context()
		if id != nil {
			r := httptest.NewRequest("GET", "/", nil).WithContext(ctx)
			ctx = w.auth.Identified(httptest.NewRecorder(), r, id).Context()
		}
		r, err := http.NewRequestWithContext(ctx, "GET", orders.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		answer, err := client.Do(r)
		if err == nil {
			answer.Body.Close()
		}
		return err
	}
	alice := w.person(nil)
	own, err := tokens.Token(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/", "/away"} {
		if err := send(alice, path, "Bearer "+alice.AccessToken().Reveal()); err != nil {
			t.Error(err)
		}
	}
	if want := []string{"orders Bearer " + own, "orders Bearer " + own, "stranger "}; !slices.Equal(said, want) {
		t.Errorf("%q, want %q", said, want)
	}
	said = nil
	if err := send(nil, "/", ""); !errors.Is(err, codegrant.ErrForbidden) {
		t.Errorf("of nobody: %v", err)
	}
	w.answers(func(object) (int, any) { return 400, object{"__type": "NotAuthorizedException", "message": "no"} })
	if err := send(w.person(object{"jti": "2"}), "/", "Bearer own"); !errors.Is(err, codegrant.ErrForbidden) {
		t.Errorf("refused: %v", err)
	}
	if said != nil {
		t.Errorf("sent %q", said)
	}
	for _, wrong := range [][]string{nil, {"http://orders.example.com"}, {"orders.example.com"}, {"https://orders.example.com/path"}} {
		if _, err := tokens.Transport(nil, wrong...); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}

func TestFaults(t *testing.T) {
	w := newWorld(t)
	_, err := exchange.New(exchange.Config{Audience: "two words", Scopes: []string{"a b"}})
	for _, want := range []string{"audience", "scopes:", "By:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %s", err, want)
		}
	}
	p := w.pool
	pool, err := exchange.NewPool(exchange.PoolConfig{Pool: p})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exchange.New(exchange.Config{Audience: audience, Actor: true, By: pool}); err == nil || !strings.Contains(err.Error(), "ActorToken") {
		t.Errorf("%v", err)
	}
	for _, url := range []string{"", "https://app.example.com", "https://app.example.com/", "https://app.example.com/x/", "http://app.example.com/x", "https://app.example.com/x?y", "https://a@app.example.com/x"} {
		if _, err := exchange.NewIssuer(exchange.IssuerConfig{URL: url, Keys: session.RandomKeyring()}); err == nil || !strings.Contains(err.Error(), "URL:") {
			t.Errorf("%q: %v", url, err)
		}
	}
	if _, err := exchange.NewIssuer(exchange.IssuerConfig{URL: "https://app.example.com/x", Algorithm: "none", Lifetime: 2 * time.Hour}); err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("%v", err)
	}
}
