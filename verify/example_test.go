package verify_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/codegrant/codegrant/verify"
)

// A service that takes access tokens from its callers.
func Example() {
	pool := newPool()
	defer pool.Close()

	verifier, err := verify.New(verify.Config{
		Issuer:    pool.issuer, // "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E"
		ClientIDs: []string{"1example23456789"},
	})
	if err != nil {
		log.Fatal(err)
	}
	orders := func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok {
			http.Error(w, "sign in", http.StatusUnauthorized)
			return
		}
		claims, err := verifier.AccessToken(r.Context(), token)
		switch {
		case errors.Is(err, verify.ErrUnavailable):
			http.Error(w, "try again", http.StatusServiceUnavailable)
		case err != nil:
			log.Print(err) // which names the check that failed, and quotes nothing
			http.Error(w, "sign in again", http.StatusUnauthorized)
		case !claims.HasGroup("sales"):
			http.Error(w, "not for you", http.StatusForbidden)
		default:
			fmt.Fprintf(w, "orders for %s", claims.Username)
		}
	}

	request := httptest.NewRequest(http.MethodGet, "/orders", nil)
	request.Header.Set("Authorization", "Bearer "+pool.accessToken("alice", "sales"))
	response := httptest.NewRecorder()
	orders(response, request)
	fmt.Println(response.Code, response.Body)
	// Output: 200 orders for alice
}

// The end of a sign-in: both tokens come from the token endpoint.
func ExampleVerifier_IDToken() {
	pool := newPool()
	defer pool.Close()
	verifier, err := verify.New(verify.Config{Issuer: pool.issuer, ClientIDs: []string{"1example23456789"}})
	if err != nil {
		log.Fatal(err)
	}

	accessToken := pool.accessToken("alice", "sales")
	claims, err := verifier.IDToken(context.Background(), pool.idToken("alice", "the nonce that was sent"), verify.IDExpectations{
		Nonce:       "the nonce that was sent",
		AccessToken: accessToken,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(claims.Subject, claims.Email, claims.EmailVerified, claims.Text("custom:team"))

	_, err = verifier.IDToken(context.Background(), pool.idToken("alice", "another one"), verify.IDExpectations{
		Nonce: "the nonce that was sent",
	})
	fmt.Println(err)
	fmt.Println(errors.Is(err, verify.ErrNonce), errors.Is(err, verify.ErrInvalid), errors.Is(err, verify.ErrUnavailable))
	// Output:
	// subject-of-alice alice@example.com true blue
	// verify ID token: token has another nonce
	// true true false
}

// A readiness check that holds traffic back until tokens can be verified.
func ExampleVerifier_Warm() {
	pool := newPool()
	defer pool.Close()
	verifier, err := verify.New(verify.Config{Issuer: pool.issuer, ClientIDs: []string{"1example23456789"}})
	if err != nil {
		log.Fatal(err)
	}
	ready := func(w http.ResponseWriter, r *http.Request) {
		if err := verifier.Warm(r.Context()); err != nil {
			http.Error(w, "no keys yet", http.StatusServiceUnavailable)
		}
	}

	response := httptest.NewRecorder()
	ready(response, httptest.NewRequest(http.MethodGet, "/ready", nil))
	fmt.Println(response.Code)
	// Output: 200
}

// pool is a user pool that serves its key and signs what it is asked to.
type pool struct {
	*httptest.Server
	issuer string
	key    *rsa.PrivateKey
}

func newPool() *pool {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		log.Fatal(err)
	}
	p := &pool{key: key}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"keys":[{"kty":"RSA","kid":"k=","use":"sig","alg":"RS256","e":"AQAB","n":%q}]}`,
			base64.RawURLEncoding.EncodeToString(key.N.Bytes()))
	}))
	p.issuer = p.URL + "/eu-west-1_Ab12Cd34E"
	return p
}

func (p *pool) accessToken(username, group string) string {
	return p.sign(username, map[string]any{
		"token_use": "access", "client_id": "1example23456789", "username": username, "cognito:groups": []string{group},
	})
}

func (p *pool) idToken(username, nonce string) string {
	return p.sign(username, map[string]any{
		"token_use": "id", "aud": "1example23456789", "cognito:username": username, "nonce": nonce,
		"email": username + "@example.com", "email_verified": true, "custom:team": "blue",
	})
}

func (p *pool) sign(username string, more map[string]any) string {
	claims := map[string]any{
		"iss": p.issuer, "sub": "subject-of-" + username, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	maps.Copy(claims, more)
	payload, err := json.Marshal(claims)
	if err != nil {
		log.Fatal(err)
	}
	token := base64.RawURLEncoding.EncodeToString([]byte(`{"kid":"k=","alg":"RS256"}`)) + "." + base64.RawURLEncoding.EncodeToString(payload)
	sum := sha256.Sum256([]byte(token))
	signature, err := rsa.SignPKCS1v15(nil, p.key, crypto.SHA256, sum[:])
	if err != nil {
		log.Fatal(err)
	}
	return token + "." + base64.RawURLEncoding.EncodeToString(signature)
}
