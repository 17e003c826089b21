package codegrant_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/verify"
)

func TestBasicAuth(t *testing.T) {
	a := newApp(t, func(c *codegrant.Config) {
		c.Authenticators = []codegrant.Authenticator{codegrant.BasicAuth("shop", func(_ context.Context, name, password string) (*codegrant.Identity, error) {
			switch {
			case name == "broken":
				return nil, fmt.Errorf("%w: directory", codegrant.ErrUnavailable)
			case name == "robot" && password == "pässword":
				return &codegrant.Identity{Subject: "robot", Username: "robot", Groups: []string{"analysts"}}, nil
			}
			return nil, nil
		})}
	})
	basic := func(pair string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)) }
	tests := []struct {
		name, authorization, path string
		status                    int
		challenge                 string
	}{
		{"right", basic("robot:pässword"), "/reports/", 200, ""},
		{"right, without the permission", basic("robot:pässword"), "/orders/", 403, ""},
		{"wrong", basic("robot:x"), "/reports/", 401, `Basic realm="shop", charset="UTF-8"`},
		{"malformed", "Basic !", "/reports/", 401, `Basic realm="shop", charset="UTF-8"`},
		{"cannot tell", basic("broken:x"), "/reports/", 503, ""},
		{"not attempted: the first of the chain asks", "", "/reports/", 401, `Bearer realm="codegrant"`},
		{"a refused token is the token's business", "Bearer x", "/reports/", 401, `Bearer realm="codegrant", error="invalid_token"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var header []string
			if tt.authorization != "" {
				header = []string{"Authorization", tt.authorization}
			}
			r := get(t, http.DefaultClient, a.url+tt.path, header...)
			if got := r.Header.Get("WWW-Authenticate"); r.StatusCode != tt.status || !strings.HasPrefix(got, tt.challenge) || (tt.challenge == "") != (got == "") {
				t.Errorf("status %d, WWW-Authenticate %q, want %d, %q", r.StatusCode, got, tt.status, tt.challenge)
			}
		})
	}
}

// TestBearerOutsideHTTP shows the two answers that Auth.Bearer must never mistake
// for one another, and that only one of them is held against the caller.
func TestBearerOutsideHTTP(t *testing.T) {
	a := newApp(t, nil)
	pool := a.Clients()[0]
	token, err := a.MintToken(a.PoolID, map[string]any{
		"iss": pool.Issuer, "sub": "s-1", "client_id": pool.ID, "token_use": "access", "scope": "openid", "username": "carol",
		"iat": a.now.Now().Unix(), "exp": a.now.Now().Add(time.Hour).Unix(),
	})
	if err != nil {
		t.Fatal(err)
	}
	a.Fault(localpool.JWKS, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	if id, err := a.auth.Bearer(t.Context(), token); id != nil || !errors.Is(err, codegrant.ErrUnavailable) || errors.Is(err, codegrant.ErrInvalid) {
		t.Errorf("without keys: %v, %v, want ErrUnavailable", id, err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if id, err := a.auth.Bearer(cancelled, token); id != nil || !errors.Is(err, codegrant.ErrUnavailable) || errors.Is(err, codegrant.ErrInvalid) {
		t.Errorf("in a call that was given up: %v, %v, want ErrUnavailable", id, err)
	}
	if log := a.log.String(); strings.Contains(log, "proof refused") {
		t.Errorf("a fault of the pool is logged as a refusal: %s", log)
	}
	// Only what cannot be a token is refused without keys: one that lost a few
	// characters of its signature may still be one.
	if _, err := a.auth.Bearer(t.Context(), token[:strings.LastIndexByte(token, '.')]); !errors.Is(err, codegrant.ErrInvalid) {
		t.Errorf("cut short: %v, want ErrInvalid", err)
	}
	if log := a.log.String(); strings.Count(log, "proof refused") != 1 || strings.Contains(log, token[:40]) {
		t.Errorf("want one refusal in the log, and no token: %s", log)
	}
}

const (
	albARN   = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/web/50dc6c495c0c9188"
	albKeyID = "01234567-89ab-cdef-0123-456789abcdef"
)

func TestS015_LoadBalancer(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/"+albKeyID {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_ = pem.Encode(w, &pem.Block{Type: "PUBLIC KEY", Bytes: der})
	}))
	t.Cleanup(keys.Close)
	a := newApp(t, func(c *codegrant.Config) {
		c.LoadBalancer = &verify.ALBConfig{Signers: []string{albARN}, KeyURL: keys.URL}
	})
	pool := a.Clients()[0]

	data := func(header map[string]any) string {
		h := map[string]any{
			"alg": "ES256", "kid": albKeyID, "signer": albARN, "iss": pool.Issuer, "client": pool.ID, "exp": a.now.Now().Add(2 * time.Minute).Unix(),
		}
		maps.Copy(h, header)
		part := func(v any) string {
			raw, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			return base64.URLEncoding.EncodeToString(raw) // with padding, as load balancers send it
		}
		signed := part(h) + "." + part(map[string]any{
			"sub": "s-1", "email": "carol@example.com", "email_verified": "true", "username": "carol", "exp": a.now.Now().Add(2 * time.Minute).Unix(), "iss": pool.Issuer,
		})
		sum := sha256.Sum256([]byte(signed))
		x, y, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		signature := make([]byte, 64)
		x.FillBytes(signature[:32])
		y.FillBytes(signature[32:])
		return signed + "." + base64.URLEncoding.EncodeToString(signature)
	}
	access := func(sub string) string {
		token, err := a.MintToken(a.PoolID, map[string]any{
			"iss": pool.Issuer, "sub": sub, "client_id": pool.ID, "token_use": "access", "scope": "openid", "username": "carol",
			"cognito:groups": []string{"analysts"}, "iat": a.now.Now().Unix(), "exp": a.now.Now().Add(time.Hour).Unix(),
		})
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	tests := []struct {
		name   string
		path   string
		header []string
		status int
	}{
		{"signed, no groups in it", "/", []string{"X-Amzn-Oidc-Data", data(nil)}, 200},
		{"groups come with the access token alone", "/reports/", []string{"X-Amzn-Oidc-Data", data(nil)}, 403},
		{"with its access token", "/reports/", []string{"X-Amzn-Oidc-Data", data(nil), "X-Amzn-Oidc-Accesstoken", access("s-1")}, 200},
		{"with somebody else's access token", "/reports/", []string{"X-Amzn-Oidc-Data", data(nil), "X-Amzn-Oidc-Accesstoken", access("mallory")}, 401},
		{"with a forged access token", "/reports/", []string{"X-Amzn-Oidc-Data", data(nil), "X-Amzn-Oidc-Accesstoken", access("s-1") + "x"}, 401},
		{"an attacker's own load balancer", "/", []string{"X-Amzn-Oidc-Data", data(map[string]any{"signer": strings.Replace(albARN, "111122223333", "999999999999", 1)})}, 401},
		{"another client", "/", []string{"X-Amzn-Oidc-Data", data(map[string]any{"client": "other"})}, 401},
		{"a key that leads elsewhere", "/", []string{"X-Amzn-Oidc-Data", data(map[string]any{"kid": "../../evil"})}, 401},
		{"the headers that nobody signs", "/", []string{"X-Amzn-Oidc-Identity", "s-1", "X-Amzn-Oidc-Accesstoken", access("s-1")}, 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if r := get(t, http.DefaultClient, a.url+tt.path, tt.header...); r.StatusCode != tt.status {
				t.Errorf("status %d, want %d: %s\n%s", r.StatusCode, tt.status, text(t, r), a.log)
			}
		})
	}
}
