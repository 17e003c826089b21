package mcp

import (
	"encoding/json"
	"net/http"

	"github.com/codegrant/codegrant/cognito"
)

// serverWellKnown is where clients look for the metadata of an authorization server (RFC
// 8414), with the path of its issuer behind.
const serverWellKnown = "/.well-known/oauth-authorization-server"

// serverMetadata tells of the pool under a name of the resource's own, and only of what a
// pool can do. A pool's own metadata leave out that it knows PKCE, and some clients stop
// there.
func (res *Resource) serverMetadata(of cognito.Endpoints, can abilities) ([]byte, error) {
	return json.Marshal(struct {
		Issuer          string   `json:"issuer"`
		Authorize       string   `json:"authorization_endpoint"`
		Token           string   `json:"token_endpoint"`
		Revoke          string   `json:"revocation_endpoint,omitempty"`
		JWKS            string   `json:"jwks_uri"`
		Registration    string   `json:"registration_endpoint,omitempty"`
		ResponseTypes   []string `json:"response_types_supported"`
		GrantTypes      []string `json:"grant_types_supported"`
		Challenges      []string `json:"code_challenge_methods_supported"`
		ClientAuth      []string `json:"token_endpoint_auth_methods_supported"`
		Scopes          []string `json:"scopes_supported,omitempty"`
		ClientDocuments bool     `json:"client_id_metadata_document_supported,omitempty"`
	}{
		Issuer: res.URL, Authorize: of.Authorize, Token: of.Token, Revoke: of.Revoke, JWKS: of.JWKS, Registration: can.registration,
		ResponseTypes: []string{"code"}, GrantTypes: []string{"authorization_code", "refresh_token"}, Challenges: []string{"S256"},
		ClientAuth: []string{"none", "client_secret_basic", "client_secret_post"}, Scopes: res.Scopes, ClientDocuments: can.documents,
	})
}

// ServerMetadata answers with what clients have to know of the pool; nil where
// [Config.AuthorizationServers] names others.
func (res *Resource) ServerMetadata() http.Handler {
	switch {
	case res.server == nil:
		return nil
	case res.pool != nil:
		return res.pool
	}
	return document(res.server)
}

// ServerMetadataPath is where clients look for ServerMetadata.
func (res *Resource) ServerMetadataPath() string { return serverWellKnown + res.wellKnownTail() }
