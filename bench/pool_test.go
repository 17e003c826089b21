package bench

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"
)

const (
	clientID = "1h57kf5cpq17m0eml12EXAMPLE"
	keyID    = "1234example="
)

func newKey(tb testing.TB) *rsa.PrivateKey {
	tb.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// sign makes a token as a pool does.
func sign(tb testing.TB, key *rsa.PrivateKey, claims map[string]any) string {
	tb.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		tb.Fatal(err)
	}
	header := `{"kid":"` + keyID + `","alg":"RS256"}`
	input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(payload)
	digest := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		tb.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// newPool starts just enough of a user pool for one sign-in: it asks for no
// password, and everybody is Alice.
func newPool(tb testing.TB) *httptest.Server {
	tb.Helper()
	key := newKey(tb)
	var (
		server *httptest.Server
		nonce  string
	)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/jwks.json", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"keys":[{"kid":%q,"kty":"RSA","alg":"RS256","use":"sig","n":%q,"e":%q}]}`, keyID,
			base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
			base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()))
	})
	mux.HandleFunc("GET /oauth2/authorize", func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		nonce = query.Get("nonce")
		answer := url.Values{"code": {"a-code"}, "state": query["state"]}
		http.Redirect(w, r, query.Get("redirect_uri")+"?"+answer.Encode(), http.StatusFound)
	})
	mux.HandleFunc("POST /oauth2/token", func(w http.ResponseWriter, _ *http.Request) {
		now := time.Now().Unix()
		claims := func(use, client string) map[string]any {
			return map[string]any{
				"sub": "aaaaaaaa-bbbb-cccc-dddd-000000000000", "iss": server.URL, "token_use": use, client: clientID,
				"cognito:groups": []string{"admins", "analysts"}, "iat": now, "auth_time": now, "exp": now + 3600,
			}
		}
		access := claims("access", "client_id")
		access["username"], access["scope"] = "alice", "openid email profile"
		id := claims("id", "aud")
		id["cognito:username"], id["nonce"] = "alice", nonce
		id["email"], id["email_verified"] = "alice@example.com", true
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(map[string]any{
			"id_token": sign(tb, key, id), "access_token": sign(tb, key, access), "refresh_token": "a-refresh-token",
			"token_type": "Bearer", "expires_in": 3600,
		}); err != nil {
			tb.Error(err)
		}
	})
	server = httptest.NewServer(mux)
	tb.Cleanup(server.Close)
	return server
}
