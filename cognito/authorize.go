package cognito

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// AuthorizationRequest is one attempt to sign in. RedirectURI, State, Nonce and
// CodeChallenge are required; the rest is sent where it is set. There is no way
// to add other parameters, or to send one of these twice.
type AuthorizationRequest struct {
	RedirectURI   string   // registered at the app client, exact to the trailing slash
	State         string   // returned unchanged, unless it is JSON; base64url is safe
	Nonce         string   // copied to the ID token
	CodeChallenge string   // of CodeChallenge; the method is S256, the only one Cognito has
	Scopes        []string // none: all that the app client may ask for

	// AWS, developer guide, "The redirect and authorization endpoint".
	IdentityProvider string         // skip the login page: COGNITO, Google, or a provider's name
	IDPIdentifier    string         // the same by an identifier, such as an e-mail domain
	Lang             string         // of the login pages, such as pt-BR
	LoginHint        string         // prefills the username
	Prompt           string         // none, login, select_account, consent
	Resource         string         // RFC 8707: becomes aud of the access token
	ACRValues        []string       // step-up; check acr in the result
	MaxAge           *time.Duration // whole seconds; check auth_time in the result
}

// AuthorizeURL returns where to send the browser to sign in (RFC 6749, section
// 4.1.1, with PKCE). It is made of the configured domain alone.
func (c *Client) AuthorizeURL(r AuthorizationRequest) string {
	q := url.Values{
		"response_type":         {"code"},
		"client_id":             {c.clientID},
		"redirect_uri":          {r.RedirectURI},
		"state":                 {r.State},
		"nonce":                 {r.Nonce},
		"code_challenge":        {r.CodeChallenge},
		"code_challenge_method": {"S256"},
	}
	for name, value := range map[string]string{
		"scope":             strings.Join(r.Scopes, " "),
		"identity_provider": r.IdentityProvider,
		"idp_identifier":    r.IDPIdentifier,
		"lang":              r.Lang,
		"login_hint":        r.LoginHint,
		"prompt":            r.Prompt,
		"resource":          r.Resource,
		"acr_values":        strings.Join(r.ACRValues, " "),
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if r.MaxAge != nil {
		q.Set("max_age", strconv.FormatInt(int64(max(*r.MaxAge, 0)/time.Second), 10))
	}
	return c.endpoints.Authorize + "?" + q.Encode()
}

// LogoutURL returns where to send the browser to end the pool's own session.
// logoutURI is one of the app client's sign-out URLs, exact to the trailing
// slash. Cognito does not understand OpenID Connect's post_logout_redirect_uri.
func (c *Client) LogoutURL(logoutURI string) string {
	return c.endpoints.Logout + "?" + url.Values{"client_id": {c.clientID}, "logout_uri": {logoutURI}}.Encode()
}
