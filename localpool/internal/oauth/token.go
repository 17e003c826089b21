package oauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant/localpool/internal/quota"
	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/tokens"
	"github.com/codegrant/codegrant/localpool/internal/triggers"
)

// tokenAnswer is the body of a 200. Cognito sends no scope member.
type tokenAnswer struct {
	IDToken      string `json:"id_token,omitempty"`
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	ExpiresIn    int    `json:"expires_in"`
	TokenType    string `json:"token_type"`
}

const maxForm = 64 << 10

// Token serves POST /oauth2/token.
func (e *Endpoints) Token(w http.ResponseWriter, r *http.Request) {
	form, ok := readForm(w, r)
	if !ok {
		return
	}
	client, fault := e.authenticate(r, form)
	if fault != nil {
		oauthError(w, http.StatusBadRequest, fault.code, fault.description)
		return
	}
	if !e.within(form.Get("grant_type")) {
		oauthError(w, http.StatusTooManyRequests, "too_many_requests", "Rate exceeded")
		return
	}
	switch form.Get("grant_type") {
	case "authorization_code":
		e.redeem(r.Context(), w, client, form)
	case "refresh_token":
		e.refresh(r.Context(), w, client, form)
	case "client_credentials":
		e.machine(r.Context(), w, client, form)
	case tokenExchange:
		e.exchange(r.Context(), w, client, form)
	case "":
		oauthError(w, http.StatusBadRequest, "invalid_request", "")
	default:
		oauthError(w, http.StatusBadRequest, "unsupported_grant_type", "")
	}
}

// within reports whether a grant is within the account's quota.
func (e *Endpoints) within(grant string) bool {
	switch grant {
	case "authorization_code":
		return e.limiter.TakeCode()
	case "refresh_token", tokenExchange:
		return e.limiter.Take(quota.UserAuthentication)
	case "client_credentials":
		return e.limiter.Take(quota.ClientAuthentication)
	}
	return true
}

func readForm(w http.ResponseWriter, r *http.Request) (url.Values, bool) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		oauthError(w, http.StatusMethodNotAllowed, "invalid_request", "")
		return nil, false
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		oauthError(w, http.StatusBadRequest, "invalid_request", "")
		return nil, false
	}
	return r.PostForm, true
}

// authenticate finds the client by its secret in the header or the body, or, for
// a public one, by its id alone. Either of two live secrets will do.
func (e *Endpoints) authenticate(r *http.Request, form url.Values) (state.Client, *clientFault) {
	id, secret := form.Get("client_id"), form.Get("client_secret")
	decoded := secret
	user, password, basic := r.BasicAuth()
	if basic {
		// Ids and secrets may have a plus sign, and only some clients encode
		// what they send (RFC 6749, section 2.3.1): both are understood.
		if _, ok := e.state.Client(user); !ok {
			user = unescaped(user)
		}
		if id != "" && id != user {
			return state.Client{}, &clientFault{"invalid_client", ""}
		}
		id, secret, decoded = user, password, unescaped(password)
	}
	if id == "" {
		return state.Client{}, &clientFault{"invalid_request", ""}
	}
	client, err := e.Client(r, id)
	if err != nil {
		return client, &clientFault{"invalid_client", ""}
	}
	if len(client.Secrets) == 0 {
		return client, nil
	}
	for _, s := range client.Secrets {
		if subtle.ConstantTimeCompare([]byte(s), []byte(secret))|subtle.ConstantTimeCompare([]byte(s), []byte(decoded)) == 1 {
			return client, nil
		}
	}
	return client, &clientFault{"invalid_client", "invalid_client_secret"}
}

// clientFault is why a client is not the one that it says.
type clientFault struct{ code, description string }

func unescaped(s string) string {
	if decoded, err := url.QueryUnescape(s); err == nil {
		return decoded
	}
	return s
}

func (e *Endpoints) redeem(ctx context.Context, w http.ResponseWriter, client state.Client, form url.Values) {
	if form.Get("code") == "" || form.Get("redirect_uri") == "" {
		oauthError(w, http.StatusBadRequest, "invalid_request", "")
		return
	}
	if !client.Allows("code") {
		oauthError(w, http.StatusBadRequest, "unauthorized_client", "")
		return
	}
	code, ok := e.state.TakeCode(form.Get("code"))
	switch {
	case !ok, code.ClientID != client.Named():
		oauthError(w, http.StatusBadRequest, "invalid_grant", "")
		return
	case code.RedirectURI != form.Get("redirect_uri"):
		oauthError(w, http.StatusBadRequest, "unauthorized_client", "invalid_redirect")
		return
	case !proves(form.Get("code_verifier"), code.Challenge):
		oauthError(w, http.StatusBadRequest, "invalid_grant", "")
		return
	}
	u, err := e.state.User(client.PoolID, code.Username)
	if err != nil || u.Sub() != code.Sub || !u.Enabled {
		oauthError(w, http.StatusBadRequest, "invalid_grant", "")
		return
	}
	terms := tokens.Terms{
		Scopes: code.Scopes, Nonce: code.Nonce, Resource: code.Resource, AuthTime: code.AuthTime, ACR: code.ACR, AMR: code.AMR, Family: tokens.NewID(),
		Source: triggers.HostedAuth,
	}
	// A trigger that refuses has cost the code, and nothing was granted.
	set, err := e.maker.Mint(ctx, client, u, terms)
	if err != nil {
		refused(w, err)
		return
	}
	refresh, _, err := e.state.NewGrant(client, state.Grant{
		Username: u.Username, Sub: u.Sub(), Scopes: code.Scopes, Resource: code.Resource, AuthTime: code.AuthTime, ACR: code.ACR, AMR: code.AMR,
		Family: terms.Family, Origin: code.Origin, Device: code.Device, IP: code.IP,
	})
	if err != nil {
		refused(w, err)
		return
	}
	answer(w, set, refresh)
}

// refused answers a request for tokens that are not made.
func refused(w http.ResponseWriter, err error) {
	var refusal *state.Error
	switch {
	case !errors.As(err, &refusal):
		oauthError(w, http.StatusInternalServerError, "server_error", "")
	case ofTrigger(refusal):
		oauthError(w, http.StatusBadRequest, "invalid_request", refusal.Message)
	default:
		oauthError(w, http.StatusBadRequest, "invalid_grant", "")
	}
}

// ofTrigger reports whether a trigger refuses, or fails.
func ofTrigger(refusal *state.Error) bool {
	return slices.Contains([]string{state.UserLambdaValidation, state.UnexpectedLambda, state.InvalidLambdaResponse}, refusal.Type)
}

// proves checks PKCE (RFC 7636, section 4.6). A code that was asked for without a
// challenge takes no verifier.
func proves(verifier, challenge string) bool {
	if challenge == "" {
		return verifier == ""
	}
	sum := sha256.Sum256([]byte(verifier))
	got := base64.RawURLEncoding.EncodeToString(sum[:])
	return len(verifier) >= 43 && len(verifier) <= 128 && subtle.ConstantTimeCompare([]byte(got), []byte(challenge)) == 1
}

func (e *Endpoints) refresh(ctx context.Context, w http.ResponseWriter, client state.Client, form url.Values) {
	if form.Get("refresh_token") == "" {
		oauthError(w, http.StatusBadRequest, "invalid_request", "")
		return
	}
	g, err := e.state.Holder(client, form.Get("refresh_token"))
	if err != nil {
		refused(w, err)
		return
	}
	// Tokens of a refresh say how the person is now, and have no nonce.
	set, err := e.maker.Mint(ctx, client, g.User, tokens.Terms{
		Scopes: g.Scopes, Resource: g.Resource, AuthTime: g.AuthTime, ACR: g.ACR, AMR: g.AMR, Family: g.Family, API: g.API, Source: triggers.RefreshTokens,
	})
	if err != nil {
		refused(w, err)
		return
	}
	// Only now: a trigger that refuses leaves the refresh token as it was.
	_, rotated, err := e.state.UseGrant(client, form.Get("refresh_token"))
	if err != nil {
		refused(w, err)
		return
	}
	answer(w, set, rotated)
}

func answer(w http.ResponseWriter, set tokens.Set, refresh string) {
	writeJSON(w, http.StatusOK, tokenAnswer{
		IDToken: set.ID, AccessToken: set.Access, RefreshToken: refresh, ExpiresIn: set.ExpiresIn, TokenType: "Bearer",
	})
}

func (e *Endpoints) machine(ctx context.Context, w http.ResponseWriter, client state.Client, form url.Values) {
	if len(client.Secrets) == 0 || !client.Allows("client_credentials") {
		oauthError(w, http.StatusBadRequest, "unauthorized_client", "")
		return
	}
	scopes := strings.Fields(form.Get("scope"))
	if len(scopes) == 0 {
		for _, scope := range client.Scopes {
			if !slices.Contains(state.Reserved, scope) {
				scopes = append(scopes, scope)
			}
		}
	}
	for _, scope := range scopes {
		switch {
		case !e.exists(client.PoolID, scope):
			oauthError(w, http.StatusBadRequest, "invalid_scope", "")
			return
		case slices.Contains(state.Reserved, scope), !slices.Contains(client.Scopes, scope):
			oauthError(w, http.StatusBadRequest, "invalid_grant", "")
			return
		}
	}
	var metadata map[string]string
	if raw := form.Get("aws_client_metadata"); raw != "" && json.Unmarshal([]byte(raw), &metadata) != nil {
		oauthError(w, http.StatusBadRequest, "invalid_request", "")
		return
	}
	access, err := e.maker.MintForClient(ctx, client, scopes, metadata)
	if err != nil {
		refused(w, err)
		return
	}
	writeJSON(w, http.StatusOK, tokenAnswer{AccessToken: access, ExpiresIn: seconds(client.AccessTokenValidity), TokenType: "Bearer"})
}

// exists reports whether a scope is reserved or of a resource server.
func (e *Endpoints) exists(poolID, scope string) bool {
	return slices.Contains(state.Reserved, scope) || e.state.Defines(poolID, scope)
}

// Revoke serves POST /oauth2/revoke. A token that is unknown is not an error.
func (e *Endpoints) Revoke(w http.ResponseWriter, r *http.Request) {
	form, ok := readForm(w, r)
	if !ok {
		return
	}
	client, fault := e.authenticate(r, form)
	if fault != nil {
		oauthError(w, http.StatusUnauthorized, "invalid_client", "")
		return
	}
	token := form.Get("token")
	if token == "" || !client.Revocation {
		oauthError(w, http.StatusBadRequest, "invalid_request", "")
		return
	}
	if strings.Count(token, ".") == 2 {
		oauthError(w, http.StatusBadRequest, "unsupported_token_type", "")
		return
	}
	if err := e.state.Revoke(client, token, false); err != nil {
		oauthError(w, http.StatusBadRequest, "invalid_request", "")
		return
	}
	w.WriteHeader(http.StatusOK)
}

func oauthError(w http.ResponseWriter, status int, code, description string) {
	body := map[string]string{"error": code}
	if description != "" {
		body["error_description"] = description
	}
	writeJSON(w, status, body)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json;charset=UTF-8")
	h.Set("Cache-Control", "no-cache, no-store, max-age=0, must-revalidate")
	h.Set("X-Amz-Cognito-Request-Id", tokens.NewID())
	w.WriteHeader(status)
	_, _ = w.Write(b)
}

func seconds(d time.Duration) int { return int(d / time.Second) }
