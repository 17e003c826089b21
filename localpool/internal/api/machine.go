package api

import (
	"context"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/tokens"
	"github.com/codegrant/codegrant/localpool/internal/triggers"
)

type getClientToken struct {
	ClientId       string
	Secret         string
	Scopes         []string
	ClientMetadata map[string]string
}

// getClientToken gives a service a token without the pool's domain. Signed or not, the
// secret is what counts.
func (a *API) getClientToken(ctx context.Context, in *getClientToken) (any, error) {
	c, err := a.client(in.ClientId, "")
	switch {
	case err != nil:
		return nil, err
	case len(c.Secrets) == 0 || !hasSecret(c, in.Secret):
		return nil, unauthorized("Client secret does not match for the client: %s", c.ID)
	case !c.AllowsAuth("CLIENT_TOKEN_AUTH"):
		return nil, unauthorized("CLIENT_TOKEN_AUTH is not enabled for the client.")
	}
	scopes, err := a.scopesFor(c, in.Scopes)
	if err != nil {
		return nil, err
	}
	access, err := a.maker.MintForClient(ctx, c, scopes, in.ClientMetadata)
	if err != nil {
		return nil, err
	}
	return map[string]any{"ClientAuthenticationResult": map[string]any{
		"AccessToken": access, "ExpiresIn": int(c.AccessTokenValidity.Seconds()), "TokenType": "Bearer",
	}}, nil
}

// scopesFor are the scopes that were asked for, or all of the client that are of a
// resource server.
func (a *API) scopesFor(c state.Client, asked []string) ([]string, error) {
	own := slices.DeleteFunc(slices.Clone(given(c)), func(s string) bool { return slices.Contains(state.Reserved, s) })
	if len(asked) == 0 {
		return own, nil
	}
	for _, s := range asked {
		if !slices.Contains(own, s) {
			return nil, invalid("Invalid scope requested: %s", s)
		}
	}
	return asked, nil
}

// given are the scopes of a client, whether or not it may use the OAuth flows.
func given(c state.Client) []string {
	if len(c.Scopes) > 0 {
		return c.Scopes
	}
	return c.Described().Texts("AllowedOAuthScopes")
}

type getDerivedToken struct {
	ClientId         string
	ClientSecret     string
	SubjectToken     string
	SubjectTokenType string
	ActorToken       string
	ActorTokenType   string
	Scopes           []string
	Audiences        []string
	Resources        []string

	SubjectTokenProviderName string
	ActorTokenProviderName   string
	RequestedTokenType       string
}

// getDerivedToken exchanges the token of a person for another: for fewer scopes, for
// another audience, or for who acts in their place. What AWS does not say of it is as in
// RFC 8693.
func (a *API) getDerivedToken(ctx context.Context, in *getDerivedToken) (any, error) {
	c, err := a.client(in.ClientId, "")
	flow := "TOKEN_EXCHANGE_IMPERSONATION"
	if in.ActorToken != "" {
		flow = "TOKEN_EXCHANGE_DELEGATION"
	}
	switch {
	case err != nil:
		return nil, err
	case !hasSecret(c, in.ClientSecret):
		return nil, unauthorized("Client secret does not match for the client: %s", c.ID)
	case !c.AllowsAuth(flow):
		return nil, unauthorized("%s is not enabled for the client.", flow)
	case in.SubjectTokenProviderName != "" || in.ActorTokenProviderName != "" || in.SubjectTokenType == "SAML2" || in.ActorTokenType == "SAML2":
		return nil, unauthorized("The local pool exchanges tokens of its own alone.")
	case len(in.Audiences) > 0 && len(in.Resources) > 0:
		return nil, invalid("Audiences and Resources cannot be specified together.")
	case in.ActorToken != "" && in.ActorTokenType == "":
		return nil, invalid("ActorTokenType is required with ActorToken.")
	}
	subject, u, err := a.presented(c, in.SubjectToken, in.SubjectTokenType)
	if err != nil {
		return nil, err
	}
	terms := tokens.Terms{AuthTime: a.state.Now(), Family: subject.Family, API: true, Source: triggers.Authentication}
	if subject.AuthTime != 0 {
		terms.AuthTime = subject.SignedIn()
	}
	terms.ACR, terms.AMR = subject.ACR, subject.AMR
	if in.ActorToken != "" {
		actor, _, err := a.presented(c, in.ActorToken, in.ActorTokenType)
		if err != nil {
			return nil, err
		}
		terms.Actor = map[string]any{"sub": actor.Sub, "client_id": actor.Client()}
	}
	for _, audience := range slices.Concat(in.Audiences, in.Resources) {
		terms.Resource = audience
	}
	asked := in.Scopes
	if len(asked) == 0 {
		asked = strings.Fields(subject.Scope)
	}
	allowed := given(c)
	for _, s := range asked {
		if (subject.Use == "id" || subject.Has(s)) && (slices.Contains(allowed, s) || s == tokens.AdminScope && subject.Has(s)) {
			terms.Scopes = append(terms.Scopes, s)
		}
	}
	if len(in.Scopes) > 0 && len(terms.Scopes) == 0 {
		return nil, invalid("Invalid scope requested: %s", strings.Join(in.Scopes, " "))
	}
	set, err := a.maker.Mint(ctx, c, u, terms)
	if err != nil {
		return nil, err
	}
	if in.RequestedTokenType == "ID_TOKEN" {
		return map[string]any{"IssuedToken": set.ID, "IssuedTokenType": "ID_TOKEN", "TokenType": "N_A", "ExpiresIn": int(c.IDTokenValidity.Seconds())}, nil
	}
	return map[string]any{
		"IssuedToken": set.Access, "IssuedTokenType": "ACCESS_TOKEN", "TokenType": "Bearer", "ExpiresIn": set.ExpiresIn, "Scopes": terms.Scopes,
	}, nil
}

// presented reads a token of the client's pool, which is to be good still, and finds whose
// it is.
func (a *API) presented(c state.Client, token, kind string) (claims tokens.Claims, u state.User, err error) {
	use := map[string]string{"ACCESS_TOKEN": "access", "ID_TOKEN": "id"}[kind]
	claims, err = a.maker.ReadAs(token, use)
	switch {
	case err != nil || claims.PoolID != c.PoolID:
		return claims, u, unauthorized("Invalid token")
	case claims.Expired(a.state.Now()):
		return claims, u, unauthorized("The token has expired")
	case a.state.Live(c.PoolID, claims.Family, claims.Sub) != nil:
		return claims, u, unauthorized("The token has been revoked")
	}
	u, err = a.state.User(c.PoolID, claims.Sub)
	return claims, u, err
}

type onMetadataURL struct {
	UserPoolId   string
	CIMDPolicyId string
	URL          string
	Action       string
}

// listClientMetadataURLs: no client of an address has come yet.
func (a *API) listClientMetadataURLs(in *onMetadataURL) (any, error) {
	if _, ok, err := a.state.Document(in.UserPoolId, metadataPolicies.kind, in.CIMDPolicyId); err != nil || !ok {
		return nil, firstOf(err, metadataPolicies.missing(in.CIMDPolicyId))
	}
	return map[string]any{"ClientMetadataURLs": []any{}}, nil
}

func (a *API) updateClientMetadataURLState(in *onMetadataURL) (any, error) {
	if _, ok, err := a.state.Document(in.UserPoolId, metadataPolicies.kind, in.CIMDPolicyId); err != nil || !ok {
		return nil, firstOf(err, metadataPolicies.missing(in.CIMDPolicyId))
	}
	return nil, &state.Error{Type: "CachedCIMDURLDoesNotExistException", Message: "The URL is not in the cache: " + in.URL}
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
