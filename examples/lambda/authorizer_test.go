package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/verify"
)

func newAuthorizer(t *testing.T) (*authorizer, *codegranttest.Pool) {
	t.Helper()
	pool := codegranttest.NewPool(t, nil)
	client := pool.Clients()[0]
	verifier, err := verify.New(verify.Config{Issuer: client.Issuer, ClientIDs: []string{client.ID}, JWKSURL: pool.URL + "/" + pool.PoolID + "/.well-known/jwks.json"})
	if err != nil {
		t.Fatal(err)
	}
	return &authorizer{verifier: verifier, rules: rules, log: slog.New(slog.DiscardHandler)}, pool
}

// token mints an access token.
func token(t *testing.T, pool *codegranttest.Pool, change map[string]any) string {
	t.Helper()
	client := pool.Clients()[0]
	claims := map[string]any{
		"iss": client.Issuer, "sub": "c-1", "client_id": client.ID, "token_use": "access", "username": "carol", "scope": "openid orders/read",
		"cognito:groups": []string{"analysts", "night shift, north"}, "iat": time.Now().Unix(), "auth_time": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	for name, value := range change {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	raw, err := pool.MintToken(pool.PoolID, claims)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func event(t *testing.T, name, method, path, token string) json.RawMessage {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return json.RawMessage(strings.NewReplacer("%METHOD%", method, "%PATH%", path, "%TOKEN%", token).Replace(string(text)))
}

// answer asks as Lambda does: bytes in, bytes or an error out.
func answer(t *testing.T, a *authorizer, event json.RawMessage) string {
	t.Helper()
	out, err := lambda.NewHandler(a.handle).Invoke(t.Context(), event)
	if err != nil {
		return err.Error()
	}
	var said struct {
		IsAuthorized   *bool          `json:"isAuthorized"`
		PrincipalID    string         `json:"principalId"`
		Context        map[string]any `json:"context"`
		PolicyDocument struct {
			Version   string
			Statement []struct {
				Effect           string
				Action, Resource []string
			}
		} `json:"policyDocument"`
	}
	if err := json.Unmarshal(out, &said); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, value := range said.Context {
		switch value.(type) {
		case string, float64, bool:
		default:
			t.Errorf("context %s is %T, which REST APIs do not take", name, value)
		}
	}
	if said.IsAuthorized != nil {
		return fmt.Sprint(*said.IsAuthorized)
	}
	s := said.PolicyDocument.Statement
	if said.PolicyDocument.Version != "2012-10-17" || len(s) != 1 || fmt.Sprint(s[0].Action) != "[execute-api:Invoke]" || len(s[0].Resource) != 1 || said.PrincipalID == "" {
		t.Errorf("no policy that API Gateway takes: %s", out)
		return ""
	}
	var asked struct {
		MethodArn string `json:"methodArn"`
	}
	if json.Unmarshal(event, &asked) != nil || s[0].Resource[0] != asked.MethodArn {
		t.Errorf("the policy is about %v, and %s was asked for", s[0].Resource, asked.MethodArn)
	}
	return s[0].Effect
}

func TestAuthorizer(t *testing.T) {
	a, pool := newAuthorizer(t)
	client := pool.Clients()[0]
	good := token(t, pool, nil)
	machine := token(t, pool, map[string]any{"sub": client.ID, "username": nil, "cognito:groups": nil, "scope": "orders/write", "auth_time": nil})
	other := func(change map[string]any) string { return token(t, pool, change) }
	id := other(map[string]any{"token_use": "id", "aud": client.ID, "client_id": nil, "cognito:username": "carol"})
	for _, tt := range []struct{ name, method, path, token, yes string }{
		{"a scope", "GET", "orders/1", good, "Allow"},
		{"the path itself", "GET", "orders", good, "Allow"},
		{"another method needs another scope", "POST", "orders", good, "Deny"},
		{"a machine", "POST", "orders", machine, "Allow"},
		{"a machine is in no group", "GET", "reports", machine, "Deny"},
		{"a group", "GET", "reports/2026", good, "Allow"},
		{"not in the group", "GET", "reports/2026", other(map[string]any{"cognito:groups": nil}), "Deny"},
		{"a name that only begins alike", "GET", "reports-of-all", good, "Deny"},
		{"a path that no rule is for", "GET", "admin", good, "Deny"},
		{"the root", "GET", "", good, "Deny"},
		{"a path that a policy would widen", "GET", "orders/*", good, "Deny"},
		{"no token", "GET", "orders", "", "Unauthorized"},
		{"a token of nobody", "GET", "orders", "x.y.z", "Unauthorized"},
		{"one that has expired", "GET", "orders", other(map[string]any{"exp": time.Now().Add(-time.Minute).Unix(), "iat": time.Now().Add(-time.Hour).Unix()}), "Unauthorized"},
		{"one of another app client", "GET", "orders", other(map[string]any{"client_id": "another"}), "Unauthorized"},
		{"one of another pool", "GET", "orders", other(map[string]any{"iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Another"}), "Unauthorized"},
		{"an ID token", "GET", "orders", id, "Unauthorized"},
		{"one to act with", "GET", "orders", other(map[string]any{"act": map[string]any{"sub": "agent"}}), "Unauthorized"},
	} {
		for _, kind := range []string{"rest-token", "rest-request", "http-1", "http-2"} {
			want := tt.yes
			if kind == "http-2" && want != "Unauthorized" {
				want = fmt.Sprint(want == "Allow")
			}
			if got := answer(t, a, event(t, kind, tt.method, tt.path, tt.token)); got != want {
				t.Errorf("%s, %s: %s, want %s", tt.name, kind, got, want)
			}
		}
	}

	socket := event(t, "websocket", "", "", good)
	if got := answer(t, a, socket); got != "Allow" {
		t.Errorf("WebSocket: %s", got)
	}
	byHeader := json.RawMessage(strings.NewReplacer("Sec-WebSocket-Protocol", "authorization", "bearer, ", "bearer ").Replace(string(socket)))
	if got := answer(t, a, byHeader); got != "Allow" {
		t.Errorf("WebSocket of a program: %s", got)
	}
	for name, token := range map[string]string{"nobody": "", "a machine's scope is another": machine} {
		want := "Unauthorized"
		if token != "" {
			want = "Deny"
		}
		if got := answer(t, a, event(t, "websocket", "", "", token)); got != want {
			t.Errorf("WebSocket, %s: %s, want %s", name, got, want)
		}
	}
	twice := json.RawMessage(strings.Replace(string(event(t, "rest-request", "GET", "orders", good)), `"AUTHORIZATION": ["Bearer `, `"authorization": ["Bearer x.y.z"], "AUTHORIZATION": ["Bearer `, 1))
	if got := answer(t, a, twice); got != "Unauthorized" {
		t.Errorf("two Authorization headers: %s", got)
	}
	for _, no := range []string{`{}`, `{"type":"OTHER"}`, `{"version":"2.0","headers":7}`, `[]`} {
		if got := answer(t, a, json.RawMessage(no)); got == "Unauthorized" || got == "Allow" || got == "true" {
			t.Errorf("%s: %s", no, got)
		}
	}
}

// TestAuthorizerWithoutKeys: what cannot be found out is a 500, and neither 401 nor 403,
// on which clients throw their tokens away.
func TestAuthorizerWithoutKeys(t *testing.T) {
	a, pool := newAuthorizer(t)
	pool.Fault(localpool.JWKS, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }))
	got := answer(t, a, event(t, "http-2", "GET", "orders", token(t, pool, nil)))
	if got == "Unauthorized" || got == "true" || got == "false" {
		t.Errorf("%s", got)
	}
}
