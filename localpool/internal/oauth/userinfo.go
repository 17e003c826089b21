package oauth

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// UserInfo serves /oauth2/userInfo. It notices revocation, which no JWT does.
func (e *Endpoints) UserInfo(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		h.Set("Allow", "GET, POST")
		oauthError(w, http.StatusMethodNotAllowed, "invalid_request", "")
		return
	}
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		oauthError(w, http.StatusBadRequest, "invalid_request", "")
		return
	}
	invalid := func(description string) {
		// Without the scheme's name, as Cognito sends it.
		h.Set("WWW-Authenticate", `error="invalid_token", error_description="`+description+`"`)
		oauthError(w, http.StatusUnauthorized, "invalid_token", description)
	}
	c, ok := e.ownAccessToken(token)
	if !ok {
		invalid("Access token is invalid")
		return
	}
	if e.state.Now().Unix() >= jsonNumber(c.Expires) {
		invalid("Access token has expired")
		return
	}
	if e.state.Live(c.pool, c.Family, c.Sub) != nil {
		invalid("Access token has been revoked")
		return
	}
	scopes := strings.Fields(c.Scope)
	if !slices.Contains(scopes, "openid") {
		invalid("Access token does not contain openid scope")
		return
	}
	u, err := e.state.User(c.pool, c.Username)
	if err != nil || u.Sub() != c.Sub {
		invalid("Access token is invalid")
		return
	}
	info := map[string]string{"sub": u.Sub(), "username": u.Username}
	for name, value := range readable(u, scopes) {
		info[name] = value
	}
	writeJSON(w, http.StatusOK, info)
}

type accessClaims struct {
	Issuer   string          `json:"iss"`
	Use      string          `json:"token_use"`
	Sub      string          `json:"sub"`
	Username string          `json:"username"`
	Scope    string          `json:"scope"`
	Family   string          `json:"origin_jti"`
	Expires  json.RawMessage `json:"exp"`
	pool     string
}

// ownAccessToken reads a token that one of our pools signed.
func (e *Endpoints) ownAccessToken(token string) (accessClaims, bool) {
	var c accessClaims
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &c) != nil || c.Use != "access" {
		return c, false
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return c, false
	}
	for _, id := range e.state.Pools() {
		if e.Issuer(id) != c.Issuer {
			continue
		}
		key, err := e.state.PublicKey(id, "access")
		if err != nil {
			return c, false
		}
		sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		c.pool = id
		return c, rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) == nil
	}
	return c, false
}

// Discovery serves {issuer}/.well-known/openid-configuration, with the members
// that Cognito sends and no others.
func (e *Endpoints) Discovery(w http.ResponseWriter, r *http.Request) {
	pool := r.PathValue("pool")
	if _, err := e.state.Describe(pool); err != nil {
		writeJSON(w, http.StatusNotFound, map[string]string{"message": err.Error()})
		return
	}
	w.Header().Set("Access-Control-Allow-Origin", "*")
	writeJSON(w, http.StatusOK, map[string]any{
		"authorization_endpoint":                e.base + "/oauth2/authorize",
		"end_session_endpoint":                  e.base + "/logout",
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"issuer":                                e.Issuer(pool),
		"jwks_uri":                              e.Issuer(pool) + "/.well-known/jwks.json",
		"response_types_supported":              []string{"code", "token"},
		"revocation_endpoint":                   e.base + "/oauth2/revoke",
		"scopes_supported":                      []string{"openid", "email", "phone", "profile"},
		"subject_types_supported":               []string{"public"},
		"token_endpoint":                        e.base + "/oauth2/token",
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post"},
		"userinfo_endpoint":                     e.base + "/oauth2/userInfo",
	})
}

// Keys serves {issuer}/.well-known/jwks.json.
func (e *Endpoints) Keys(w http.ResponseWriter, r *http.Request) {
	set, err := e.state.JWKS(r.PathValue("pool"))
	if err != nil {
		writeJSON(w, http.StatusNotFound, map[string]string{"message": err.Error()})
		return
	}
	w.Header().Set("Access-Control-Allow-Origin", "*")
	writeJSON(w, http.StatusOK, set)
}
