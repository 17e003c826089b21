package oauth

import (
	"net/http"
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/tokens"
)

// UserInfo serves /oauth2/userInfo. It notices revocation, which no JWT does.
func (e *Endpoints) UserInfo(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		h.Set("Allow", "GET, POST")
		oauthError(w, http.StatusMethodNotAllowed, "invalid_request", "")
		return
	}
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		h.Set("WWW-Authenticate", `error="invalid_request", error_description="Bad OAuth2 request at UserInfo Endpoint"`)
		oauthError(w, http.StatusBadRequest, "invalid_request", "Bad OAuth2 request at UserInfo Endpoint")
		return
	}
	invalid := func(description string) {
		// Without the scheme's name, as Cognito sends it.
		h.Set("WWW-Authenticate", `error="invalid_token", error_description="`+description+`"`)
		oauthError(w, http.StatusUnauthorized, "invalid_token", description)
	}
	c, err := e.maker.Read(token)
	if err != nil {
		invalid("Access token is invalid")
		return
	}
	if c.Expired(e.state.Now()) {
		invalid("Access token has expired")
		return
	}
	if e.state.Live(c.PoolID, c.Family, c.Sub) != nil {
		invalid("Access token has been revoked")
		return
	}
	if !c.Has("openid") {
		invalid("Access token does not contain openid scope")
		return
	}
	u, err := e.state.User(c.PoolID, c.Username)
	if err != nil || u.Sub() != c.Sub {
		invalid("Access token is invalid")
		return
	}
	client, _ := e.state.Client(c.ClientID) // of one that is gone nothing is held against its users
	info := map[string]any{"sub": u.Sub(), "username": u.Username}
	for name, value := range tokens.Readable(client.Seen(u), strings.Fields(c.Scope)) {
		info[name] = value
		if name == "address" {
			info[name] = tokens.Address(value)
		}
	}
	writeJSON(w, http.StatusOK, info)
}

// Discovery serves {issuer}/.well-known/openid-configuration, with the members
// that Cognito sends and no others.
func (e *Endpoints) Discovery(w http.ResponseWriter, r *http.Request) {
	pool := r.PathValue("pool")
	p, err := e.state.Describe(pool)
	if err != nil {
		writeJSON(w, http.StatusNotFound, map[string]string{"message": err.Error()})
		return
	}
	domain := e.place.Domain(pool)
	metadata := map[string]any{
		"authorization_endpoint":                domain + "/oauth2/authorize",
		"end_session_endpoint":                  domain + "/logout",
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"issuer":                                e.Issuer(pool),
		"jwks_uri":                              e.Issuer(pool) + "/.well-known/jwks.json",
		"response_types_supported":              []string{"code", "token"},
		"revocation_endpoint":                   domain + "/oauth2/revoke",
		"scopes_supported":                      []string{"openid", "email", "phone", "profile"},
		"subject_types_supported":               []string{"public"},
		"token_endpoint":                        domain + "/oauth2/token",
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post"},
		"userinfo_endpoint":                     domain + "/oauth2/userInfo",
	}
	if endpoint := e.registrationEndpoint(p); endpoint != "" {
		metadata["registration_endpoint"] = endpoint
	}
	if e.documents.Supported(pool) {
		// (Unconfirmed: "metadata documents in discovery".)
		metadata["client_id_metadata_document_supported"] = true
	}
	writeJSON(w, http.StatusOK, metadata)
}

// Keys serves {issuer}/.well-known/jwks.json.
func (e *Endpoints) Keys(w http.ResponseWriter, r *http.Request) {
	set, err := e.state.JWKS(r.PathValue("pool"))
	if err != nil {
		writeJSON(w, http.StatusNotFound, map[string]string{"message": err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, set)
}
