package tokens

import (
	"context"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/triggers"
)

// fixed are claims that no trigger changes: asking for it is not an error, and changes
// nothing. Scopes are changed by a way of their own.
var fixed = strings.Fields(`acr amr at_hash aud auth_time azp client_id device_key event_id exp iat identities iss jti nbf nonce origin_jti
	scope sub token_use username version`)

// override changes the claims of a token as a trigger asks for, where it may.
// audience is what an access token's aud may become; empty: nothing.
func override(claims map[string]any, o triggers.Claims, audience string) {
	for _, name := range o.Suppress {
		if changeable(name, nil, true) {
			delete(claims, name)
		}
	}
	for name, value := range o.Add {
		if changeable(name, value, false) || (name == "aud" && audience != "" && value == audience) {
			claims[name] = value
		}
	}
}

// changeable reports whether a trigger may set a claim to a value, or take it away.
// Cognito's own are its groups and roles, if they are of the same shape.
func changeable(name string, value any, suppress bool) bool {
	switch {
	case suppress && (name == "cognito:groups" || name == "cognito:roles" || name == "cognito:preferred_role"):
		return true
	case name == "cognito:groups", name == "cognito:roles":
		list, ok := value.([]any)
		return ok && len(list) > 0 && !slices.ContainsFunc(list, func(v any) bool { _, text := v.(string); return !text })
	case name == "cognito:preferred_role":
		_, text := value.(string)
		return text
	}
	return name != "" && !strings.HasPrefix(name, "cognito:") && !slices.Contains(fixed, name)
}

// scopesOf are the scopes of an access token, with what a trigger adds and takes.
func scopesOf(scopes []string, o triggers.Overrides) []string {
	out := slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return slices.Contains(o.SuppressScopes, s) })
	for _, s := range o.AddScopes {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// MintForClient makes an access token that is nobody's but a client's.
func (m *Maker) MintForClient(ctx context.Context, client state.Client, scopes []string, metadata map[string]string) (string, error) {
	o, err := m.triggers.ClientCredentials(ctx, client.PoolID, client.ID, metadata, scopes)
	if err != nil {
		return "", err
	}
	now := m.state.Now()
	claims := map[string]any{
		"sub": client.ID, "token_use": "access", "scope": strings.Join(scopesOf(scopes, o), " "), "auth_time": now.Unix(),
		"iss": m.Issuer(client.PoolID), "iat": now.Unix(), "exp": now.Add(client.AccessTokenValidity).Unix(),
		"version": 2, "jti": NewID(), "client_id": client.ID,
	}
	override(claims, o.Access, client.ID)
	return m.state.Sign(client.PoolID, claims)
}
