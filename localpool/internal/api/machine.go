package api

import (
	"context"
	"slices"

	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/tokens"
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
	own := slices.DeleteFunc(slices.Clone(c.Given()), func(s string) bool { return slices.Contains(state.Reserved, s) })
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

// getDerivedToken exchanges the token of a person for another.
func (a *API) getDerivedToken(ctx context.Context, in *getDerivedToken) (any, error) {
	c, err := a.client(in.ClientId, "")
	switch {
	case err != nil:
		return nil, err
	case !hasSecret(c, in.ClientSecret) && !(in.ClientSecret == "" && signed(ctx)): // credentials count in its place
		return nil, unauthorized("Client secret does not match for the client: %s", c.ID)
	case in.SubjectTokenProviderName != "" || in.ActorTokenProviderName != "" || in.SubjectTokenType == "SAML2" || in.ActorTokenType == "SAML2":
		return nil, unauthorized("The local pool exchanges only its own tokens.")
	case len(in.Audiences) > 0 && len(in.Resources) > 0:
		return nil, invalid("Audiences and Resources cannot be specified together.")
	case in.ActorToken != "" && in.ActorTokenType == "":
		return nil, invalid("ActorTokenType is required with ActorToken.")
	}
	asked := tokens.Exchange{Subject: in.SubjectToken, SubjectType: in.SubjectTokenType, Actor: in.ActorToken, ActorType: in.ActorTokenType, Scopes: in.Scopes}
	for _, audience := range slices.Concat(in.Audiences, in.Resources) {
		asked.Audience = audience
	}
	set, err := a.maker.Exchange(ctx, c, asked)
	if err != nil {
		return nil, err
	}
	if in.RequestedTokenType == "ID_TOKEN" {
		return map[string]any{"IssuedToken": set.ID, "IssuedTokenType": "ID_TOKEN", "TokenType": "N_A", "ExpiresIn": int(c.IDTokenValidity.Seconds())}, nil
	}
	return map[string]any{
		"IssuedToken": set.Access, "IssuedTokenType": "ACCESS_TOKEN", "TokenType": "Bearer", "ExpiresIn": set.ExpiresIn, "Scopes": set.Scopes,
	}, nil
}
