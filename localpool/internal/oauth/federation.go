package oauth

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/tokens"
)

// Providers are the identity providers that an app client signs people in with. COGNITO
// is the pool itself.
func (e *Endpoints) Providers(client state.Client) (list []state.Provider, own bool) {
	var supported []string
	_ = json.Unmarshal(client.Described()["SupportedIdentityProviders"], &supported) // a list, or none
	for _, p := range e.state.Providers(client.PoolID) {
		if slices.Contains(supported, p.Name) {
			list = append(list, p)
		}
	}
	return list, len(list) == 0 || slices.Contains(supported, "COGNITO")
}

// provider finds the identity provider that a request asks for. A client that has one,
// and not the pool itself, is sent there unasked.
func (e *Endpoints) provider(client state.Client, q url.Values) (string, error) {
	list, own := e.Providers(client)
	name, identifier := q.Get("identity_provider"), q.Get("idp_identifier")
	switch {
	case name == "COGNITO" && own:
		return "", nil
	case name != "":
		if !slices.ContainsFunc(list, func(p state.Provider) bool { return p.Name == name }) {
			return "", &state.Error{Type: state.InvalidParameter, Message: fmt.Sprintf("Identity provider %s is not enabled for the client", name)}
		}
		return name, nil
	case identifier != "":
		for _, p := range list {
			if slices.ContainsFunc(p.Identifiers, func(known string) bool { return strings.EqualFold(known, identifier) }) {
				return p.Name, nil
			}
		}
		return "", errors.New("idp_identifier is unknown to the client")
	case !own && len(list) == 1:
		return list[0].Name, nil
	}
	return "", nil
}

// Beside returns the pool of this server that an identity provider is, if it is one.
func (e *Endpoints) Beside(p state.Provider) (poolID string, ok bool) {
	for _, id := range e.state.Pools() {
		if p.Type == "OIDC" && strings.TrimSuffix(p.Details["oidc_issuer"], "/") == e.Issuer(id) {
			return id, true
		}
	}
	return "", false
}

// CallbackOf is where an identity provider sends people back to.
func (e *Endpoints) CallbackOf(poolID string) string {
	return e.place.Domain(poolID) + "/oauth2/idpresponse"
}

// Identify redeems a code of another pool of this server, as that provider's client does,
// and returns what its ID token would say.
func (e *Endpoints) Identify(p state.Provider, poolID, code, callback string) (map[string]string, error) {
	client, ok := e.state.Client(p.Details["client_id"])
	switch {
	case !ok || client.PoolID != poolID:
		return nil, fmt.Errorf("%s Error - 400 invalid_client", p.Name)
	case len(client.Secrets) > 0 && !slices.ContainsFunc(client.Secrets, func(s string) bool {
		return subtle.ConstantTimeCompare([]byte(s), []byte(p.Details["client_secret"])) == 1
	}):
		return nil, fmt.Errorf("%s Error - 400 invalid_client", p.Name)
	}
	c, ok := e.state.TakeCode(code)
	if !ok || c.ClientID != client.ID || c.RedirectURI != callback {
		return nil, fmt.Errorf("%s Error - 400 invalid_grant", p.Name)
	}
	u, err := e.state.User(poolID, c.Username)
	if err != nil || u.Sub() != c.Sub || !u.Enabled {
		return nil, fmt.Errorf("%s Error - 400 invalid_grant", p.Name)
	}
	claims := tokens.Readable(u, c.Scopes)
	claims["sub"], claims["username"], claims["cognito:username"] = u.Sub(), u.Username, u.Username
	if c.ACR != "" {
		claims["acr"], claims["amr"] = c.ACR, "["+strings.Join(c.AMR, ",")+"]"
	}
	return claims, nil
}

// Fault is how the app is told what went wrong at an identity provider.
func (a *Authorization) Fault(err error) *Refusal {
	message := err.Error()
	var refusal *state.Error
	if errors.As(err, &refusal) {
		message = refusal.Message
		if ofTrigger(refusal) {
			message += " "
		}
	}
	return &Refusal{RedirectURI: a.RedirectURI, Fragment: a.ResponseType == "token", Code: "invalid_request", Description: message, State: a.State, HasState: a.HasState}
}
