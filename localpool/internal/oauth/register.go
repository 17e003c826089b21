package oauth

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant/localpool/internal/place"
	"github.com/codegrant/codegrant/localpool/internal/state"
)

// registration is what a client that registers itself says of itself, and is told (RFC
// 7591).
// (Unconfirmed: "requests and answers of `/oauth2/register`".)
type registration struct {
	RedirectURIs  []string `json:"redirect_uris,omitempty"`
	GrantTypes    []string `json:"grant_types,omitempty"`
	ResponseTypes []string `json:"response_types,omitempty"`
	Name          string   `json:"client_name,omitempty"`
	Scope         string   `json:"scope,omitempty"`
	AuthMethod    string   `json:"token_endpoint_auth_method,omitempty"`
}

type registered struct {
	registration
	ID            string `json:"client_id"`
	Issued        int64  `json:"client_id_issued_at"`
	Secret        string `json:"client_secret,omitempty"`
	SecretExpires *int64 `json:"client_secret_expires_at,omitempty"`
}

// registrationEndpoint is where clients of a pool register; empty: they do not.
func (e *Endpoints) registrationEndpoint(p state.Pool) string {
	if !p.Rules().DcrConfiguration.On() || p.Rules().UserPoolTier == "LITE" {
		return ""
	}
	endpoint := e.place.Domain(p.ID) + "/oauth2/register"
	if e.place.AWS && place.Region(p.ID) != "" {
		return endpoint
	}
	return endpoint + "?pool=" + p.ID // all pools share the address
}

// registering finds the pool that a registration is for: that it names, that of the host,
// or the only one that takes any.
func (e *Endpoints) registering(r *http.Request) (found state.Pool, ok bool) {
	for _, id := range e.state.Pools() {
		p, err := e.state.Describe(id)
		if err != nil || e.registrationEndpoint(p) == "" {
			continue
		}
		named := r.URL.Query().Get("pool")
		if named == id || e.place.AWS && e.place.Here(r) == e.place.Domain(id) {
			return p, true
		}
		if named != "" || e.place.Here(r) != e.place.Base {
			continue
		}
		if ok {
			return found, false // of several none is meant
		}
		found, ok = p, true
	}
	return found, ok
}

const maxRegistration = 64 << 10

// Register serves POST /oauth2/register.
func (e *Endpoints) Register(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		oauthError(w, http.StatusMethodNotAllowed, "invalid_request", "")
		return
	}
	pool, ok := e.registering(r)
	if !ok {
		oauthError(w, http.StatusNotFound, "invalid_request", "Dynamic client registration is not enabled")
		return
	}
	rules := pool.Rules().DcrConfiguration
	open := r.Header.Get("Authorization") == ""
	if open && !rules.OpenDcrEnabled || !open && !e.mayRegister(r, pool.ID) {
		w.Header().Set("WWW-Authenticate", `error="invalid_token"`)
		oauthError(w, http.StatusUnauthorized, "invalid_token", "")
		return
	}
	var in registration
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRegistration)).Decode(&in); err != nil {
		oauthError(w, http.StatusBadRequest, "invalid_client_metadata", "")
		return
	}
	c, code := in.client(rules, open)
	if code != "" {
		oauthError(w, http.StatusBadRequest, code, "")
		return
	}
	made, err := e.state.CreateClient(pool.ID, c)
	if err != nil {
		oauthError(w, http.StatusBadRequest, "invalid_client_metadata", err.Error())
		return
	}
	out := registered{registration: in, ID: made.ID, Issued: e.state.Now().Unix()}
	out.Name, out.Scope = made.Name, strings.Join(made.Scopes, " ")
	if len(made.Secrets) > 0 {
		out.Secret, out.SecretExpires = made.Secrets[0], new(int64)
	}
	writeJSON(w, http.StatusCreated, out)
}

// mayRegister reports whether a request has an access token of the pool that registers.
func (e *Endpoints) mayRegister(r *http.Request, poolID string) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	claims, err := e.maker.Read(token)
	return strings.EqualFold(scheme, "Bearer") && err == nil && claims.PoolID == poolID && !claims.Expired(e.state.Now()) && claims.Has(state.RegisterScope) &&
		(claims.Sub == claims.ClientID || e.state.Live(poolID, claims.Family, claims.Sub) == nil)
}

// grants are the flows that grants of a registration stand for; an empty one comes along.
var grants = map[string]string{"authorization_code": "code", "client_credentials": "client_credentials", "refresh_token": ""}

// client is the app client that a registration asks for, or the code of why it is refused.
func (in *registration) client(rules *state.Registration, open bool) (c state.Client, refusal string) {
	if len(in.GrantTypes) == 0 {
		in.GrantTypes = []string{"authorization_code"}
	}
	if in.AuthMethod == "" {
		in.AuthMethod = "client_secret_basic"
	}
	c = state.Client{
		Name: in.Name, CallbackURLs: in.RedirectURIs, Dynamic: true, Revocation: true,
		IDTokenValidity: time.Hour, AccessTokenValidity: time.Hour, RefreshTokenValidity: 30 * 24 * time.Hour,
	}
	if c.Name == "" {
		c.Name = "dynamic"
	}
	allowed := rules.Grants(open)
	for _, grant := range in.GrantTypes {
		flow, known := grants[grant]
		if !known || flow != "" && (flow == "implicit" || !slices.Contains(allowed, flow)) {
			return c, "invalid_client_metadata"
		}
		if flow != "" && !slices.Contains(c.Flows, flow) {
			c.Flows = append(c.Flows, flow)
		}
	}
	if slices.ContainsFunc(in.ResponseTypes, func(t string) bool { return t != "code" }) || len(c.Flows) == 0 {
		return c, "invalid_client_metadata"
	}
	switch in.AuthMethod {
	case "none":
		if slices.Contains(c.Flows, "client_credentials") {
			return c, "invalid_client_metadata"
		}
	case "client_secret_basic", "client_secret_post":
		c.Secrets = []string{state.NewSecret()}
	default:
		return c, "invalid_client_metadata"
	}
	if slices.Contains(c.Flows, "code") && len(in.RedirectURIs) == 0 || len(in.RedirectURIs) > 100 {
		return c, "invalid_redirect_uri"
	}
	for _, u := range in.RedirectURIs {
		if state.CheckURL(u) != nil {
			return c, "invalid_redirect_uri"
		}
	}
	scopes := append([]string{"openid", "email", "phone", "profile"}, rules.AllowedScopes...)
	scopes = slices.DeleteFunc(scopes, func(s string) bool { return s == state.RegisterScope }) // which is nobody's who registered
	c.Scopes = strings.Fields(in.Scope)
	if len(c.Scopes) == 0 {
		c.Scopes = scopes
	}
	if slices.ContainsFunc(c.Scopes, func(s string) bool { return !slices.Contains(scopes, s) }) {
		return c, "invalid_client_metadata"
	}
	return c, ""
}
