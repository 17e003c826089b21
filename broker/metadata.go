package broker

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/internal/sign"
)

const (
	oauthWellKnown  = "/.well-known/oauth-authorization-server"
	openidWellKnown = "/.well-known/openid-configuration"
)

// newMetadata tells clients of the server (RFC 8414), and in the form of OpenID, which asks
// for two members more.
func (b *Broker) newMetadata(path string) (oauth, openid []byte, err error) {
	var scopes []string
	for _, r := range b.Config.Resources {
		for _, s := range r.Scopes {
			if !slices.Contains(scopes, s) {
				scopes = append(scopes, s)
			}
		}
	}
	all := map[string]any{
		"issuer":                                         b.Issuer,
		"authorization_endpoint":                         b.at("/authorize"),
		"token_endpoint":                                 b.at("/token"),
		"revocation_endpoint":                            b.at("/revoke"),
		"jwks_uri":                                       b.at("/jwks.json"),
		"response_types_supported":                       []string{"code"},
		"response_modes_supported":                       []string{"query"},
		"grant_types_supported":                          []string{"authorization_code", "refresh_token"},
		"code_challenge_methods_supported":               []string{"S256"},
		"token_endpoint_auth_methods_supported":          []string{"none"},
		"revocation_endpoint_auth_methods_supported":     []string{"none"},
		"authorization_response_iss_parameter_supported": true,
	}
	if len(scopes) > 0 {
		all["scopes_supported"] = scopes
	}
	if !b.NoRegistration {
		all["registration_endpoint"] = b.at("/register")
	}
	if !b.NoDocuments {
		all["client_id_metadata_document_supported"] = true
	}
	if oauth, err = json.Marshal(all); err != nil {
		return nil, nil, err
	}
	all["subject_types_supported"] = []string{"public"}
	all["id_token_signing_alg_values_supported"] = []string{sign.RS256}
	openid, err = json.Marshal(all)
	return oauth, openid, err
}

// at is the URL of an endpoint.
func (b *Broker) at(endpoint string) string { return b.origin + b.Prefix + endpoint }

// Handlers are the endpoints and metadata by path, which is exact.
func (b *Broker) Handlers() map[string]http.Handler {
	path := strings.TrimPrefix(b.Issuer, b.origin)
	oauth, openid := b.document(b.metadata[0]), b.document(b.metadata[1])
	all := map[string]http.Handler{
		oauthWellKnown + path:   oauth,
		openidWellKnown + path:  openid,
		path + openidWellKnown:  openid,
		b.Prefix + "/jwks.json": http.HandlerFunc(b.jwks),
		b.Prefix + "/authorize": http.HandlerFunc(b.authorize),
		b.Prefix + "/consent":   http.HandlerFunc(b.consent),
		b.Prefix + "/grants":    http.HandlerFunc(b.agreements),
		b.Prefix + "/token":     b.api(b.token),
		b.Prefix + "/revoke":    b.api(b.revoke),
	}
	if !b.NoRegistration {
		all[b.Prefix+"/register"] = b.api(b.register)
	}
	return all
}

// Paths are those of [Broker.Handlers].
func (c Config) Paths() ([]string, error) {
	b, err := c.build()
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(b.Handlers())), nil
}

// Mount serves [Broker.Handlers].
func (b *Broker) Mount(mux *http.ServeMux) {
	for path, h := range b.Handlers() {
		mux.Handle(path, h)
	}
}

func (b *Broker) jwks(w http.ResponseWriter, r *http.Request) {
	signer, err := b.signer()
	if err != nil {
		b.unavailable(w, r, err)
		return
	}
	b.document(signer.JWKS()).ServeHTTP(w, r)
}

// document answers whoever asks, from any page.
func (b *Broker) document(text []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !open(w, r, http.MethodGet, http.MethodHead) {
			return
		}
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "public, max-age=300")
		_, _ = w.Write(append(slices.Clip(text), '\n'))
	})
}

// api is an endpoint that programs ask, those in pages of other origins too: no cookie
// counts here.
func (b *Broker) api(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !open(w, r, http.MethodPost) {
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		next(w, r)
	})
}

// open lets pages of any origin read the answer, and reports whether there is more to it.
func open(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("X-Content-Type-Options", "nosniff")
	if slices.Contains(methods, r.Method) {
		return true
	}
	allowed := strings.Join(append(methods, http.MethodOptions), ", ")
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", allowed)
		h.Set("Access-Control-Allow-Headers", "Accept, Content-Type, Mcp-Protocol-Version")
		h.Set("Access-Control-Max-Age", "7200")
		w.WriteHeader(http.StatusNoContent)
		return false
	}
	h.Set("Allow", allowed)
	http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
	return false
}
