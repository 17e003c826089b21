package api

import (
	"github.com/codegrant/codegrant/localpool/internal/state"
)

type linkProvider struct {
	UserPoolId      string
	DestinationUser provider
	SourceUser      provider
	User            provider
}

type provider struct{ ProviderName, ProviderAttributeName, ProviderAttributeValue string }

// own reports whether a user is one of the pool itself.
func (p provider) own() bool { return p.ProviderName == "Cognito" || p.ProviderName == "COGNITO" }

// subject is the name of what every provider calls its users by.
const subject = "Cognito_Subject"

// identity is somebody at an identity provider, and by which attribute: none for what the
// provider calls them by. what is the member of the request.
func (a *API) identity(pool state.Pool, p provider, what string) (i state.Identity, attribute string, err error) {
	idp, ok := pool.Documents[state.IdentityProviders][p.ProviderName]
	switch kind := idp.Text("ProviderType"); {
	case !ok:
		return i, "", invalid("The provider %s does not exist for User Pool %s", p.ProviderName, pool.ID)
	case p.ProviderAttributeValue == "":
		return i, "", invalid("%s.ProviderAttributeValue is required.", what)
	case p.ProviderAttributeName == "" || p.ProviderAttributeName == subject:
	case kind != "SAML" && kind != "OIDC":
		return i, "", invalid("%s.ProviderAttributeName must be %s for provider type %s.", what, subject, kind)
	default:
		attribute = p.ProviderAttributeName
	}
	for _, known := range a.state.Providers(pool.ID) {
		if known.Name == p.ProviderName && (attribute == "username" || attribute == known.Source()) {
			attribute = ""
		}
	}
	return state.Identity{UserID: p.ProviderAttributeValue, Provider: p.ProviderName, Type: idp.Text("ProviderType")}, attribute, nil
}

func (a *API) adminLinkProviderForUser(in *linkProvider) (any, error) {
	p, err := a.state.Describe(in.UserPoolId)
	if err != nil {
		return nil, err
	}
	if in.DestinationUser.ProviderName != "" && !in.DestinationUser.own() {
		return nil, invalid("The destination user must be a user of the user pool.")
	}
	if in.SourceUser.own() {
		return nil, invalid("Invalid SourceUser: Cognito users with a username/password may not be passed in as a SourceUser, only as a DestinationUser")
	}
	i, attribute, err := a.identity(p, in.SourceUser, "SourceUser")
	if err != nil {
		return nil, err
	}
	return empty, a.state.Link(p.ID, in.DestinationUser.ProviderAttributeValue, i, attribute)
}

// adminDisableProviderForUser: a user of the pool has no password from then on, a linked
// identity is nobody's, and a user whom a provider made is disabled.
func (a *API) adminDisableProviderForUser(in *linkProvider) (any, error) {
	p, err := a.state.Describe(in.UserPoolId)
	if err != nil {
		return nil, err
	}
	if in.User.own() {
		if name := in.User.ProviderAttributeName; name != "" && name != subject {
			return nil, invalid("User.ProviderAttributeName must be %s for a user of the user pool.", subject)
		}
		return empty, a.state.ForgetPassword(p.ID, in.User.ProviderAttributeValue)
	}
	i, attribute, err := a.identity(p, in.User, "User")
	if err != nil {
		return nil, err
	}
	return empty, a.state.Unlink(p.ID, i, attribute)
}
