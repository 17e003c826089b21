package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/tokens"
)

// authAnswer is tokens, or a challenge.
type authAnswer struct {
	AuthenticationResult *authResult `json:",omitempty"`
	ChallengeName        string      `json:",omitempty"`
	ChallengeParameters  map[string]string
	Session              string `json:",omitempty"`
}

type authResult struct {
	AccessToken  string
	IdToken      string
	RefreshToken string `json:",omitempty"`
	ExpiresIn    int
	TokenType    string
}

type initiateAuth struct {
	AuthFlow       string
	ClientId       string
	AuthParameters map[string]string
}

// authFlows are all that Cognito knows.
var authFlows = strings.Fields("USER_SRP_AUTH REFRESH_TOKEN_AUTH REFRESH_TOKEN CUSTOM_AUTH ADMIN_NO_SRP_AUTH USER_PASSWORD_AUTH ADMIN_USER_PASSWORD_AUTH USER_AUTH")

func (in *initiateAuth) check(c *check) {
	if c.present("authFlow", in.AuthFlow != "") {
		c.oneOf("authFlow", in.AuthFlow, authFlows...)
	}
	c.client(in.ClientId)
}

type adminInitiateAuth struct {
	UserPoolId     string
	AuthFlow       string
	ClientId       string
	AuthParameters map[string]string
}

func (in *adminInitiateAuth) check(c *check) {
	c.pool(in.UserPoolId)
	(&initiateAuth{in.AuthFlow, in.ClientId, in.AuthParameters}).check(c)
}

func (a *API) initiateAuth(in *initiateAuth) (any, error) {
	c, err := a.client(in.ClientId, "")
	if err != nil {
		return nil, err
	}
	switch in.AuthFlow {
	case "USER_PASSWORD_AUTH":
		if !c.AllowsAuth(in.AuthFlow) {
			return nil, invalid("USER_PASSWORD_AUTH flow not enabled for this client")
		}
		return a.byPassword(c, in.AuthParameters)
	case "ADMIN_NO_SRP_AUTH", "ADMIN_USER_PASSWORD_AUTH":
		return nil, invalid("Initiate Auth method not supported.")
	}
	return a.begin(c, in.AuthFlow, in.AuthParameters)
}

func (a *API) adminInitiateAuth(in *adminInitiateAuth) (any, error) {
	if _, err := a.state.Describe(in.UserPoolId); err != nil {
		return nil, err
	}
	c, err := a.client(in.ClientId, in.UserPoolId)
	if err != nil {
		return nil, err
	}
	switch in.AuthFlow {
	case "ADMIN_NO_SRP_AUTH", "ADMIN_USER_PASSWORD_AUTH":
		if !c.AllowsAuth("ADMIN_USER_PASSWORD_AUTH") {
			return nil, invalid("Auth flow not enabled for this client")
		}
		return a.byPassword(c, in.AuthParameters)
	case "USER_PASSWORD_AUTH":
		return nil, invalid("Initiate Auth method not supported.")
	}
	return a.begin(c, in.AuthFlow, in.AuthParameters)
}

// begin is what administrators and apps begin in the same way.
func (a *API) begin(c state.Client, flow string, p map[string]string) (any, error) {
	switch flow {
	case "USER_SRP_AUTH":
		return a.bySRP(c, p)
	case "REFRESH_TOKEN_AUTH", "REFRESH_TOKEN":
		if !c.AllowsAuth("REFRESH_TOKEN_AUTH") {
			return nil, invalid("Auth flow not enabled for this client")
		}
		return a.byRefresh(c, p)
	case "CUSTOM_AUTH":
		if !c.AllowsAuth(flow) {
			return nil, invalid("CUSTOM_AUTH is not enabled for the client.")
		}
		return nil, invalid("Custom auth lambda trigger is not configured for the user pool.")
	}
	return nil, invalid("%s is not enabled for the client.", flow)
}

// need reads parameters that have to be there.
func need(p map[string]string, names ...string) error {
	for _, name := range names {
		if p[name] == "" {
			return invalid("Missing required parameter %s", name)
		}
	}
	return nil
}

func (a *API) byPassword(c state.Client, p map[string]string) (any, error) {
	if err := need(p, "USERNAME", "PASSWORD"); err != nil {
		return nil, err
	}
	if err := checkHash(c, p["USERNAME"], p["SECRET_HASH"], wrongHash); err != nil {
		return nil, err
	}
	if _, err := a.state.User(c.PoolID, p["USERNAME"]); err != nil && c.TellUnknown {
		return nil, err
	}
	u, err := a.state.Authenticate(c.PoolID, p["USERNAME"], p["PASSWORD"])
	if err != nil {
		return nil, err
	}
	return a.proceed(c, u)
}

func (a *API) byRefresh(c state.Client, p map[string]string) (any, error) {
	if err := need(p, "REFRESH_TOKEN"); err != nil {
		return nil, err
	}
	// The hash is over a name that only the token tells.
	u, err := a.state.Holder(c, p["REFRESH_TOKEN"])
	if err != nil {
		return nil, err
	}
	if err := checkHash(c, u.Username, p["SECRET_HASH"], wrongLaterHash); err != nil {
		return nil, err
	}
	r, err := a.refresh(c, p["REFRESH_TOKEN"])
	if err != nil {
		return nil, err
	}
	return authAnswer{AuthenticationResult: r, ChallengeParameters: map[string]string{}}, nil
}

func (a *API) refresh(c state.Client, token string) (*authResult, error) {
	g, rotated, err := a.state.UseGrant(c, token)
	if err != nil {
		return nil, err
	}
	return a.result(c, g.User, rotated, tokens.Terms{Scopes: g.Scopes, Resource: g.Resource, AuthTime: g.AuthTime, Family: g.Family, API: g.API})
}

func (a *API) result(c state.Client, u state.User, refresh string, terms tokens.Terms) (*authResult, error) {
	set, err := a.maker.Mint(c, u, terms)
	if err != nil {
		return nil, err
	}
	return &authResult{AccessToken: set.Access, IdToken: set.ID, RefreshToken: refresh, ExpiresIn: set.ExpiresIn, TokenType: "Bearer"}, nil
}

// proceed asks a user who has shown the password for what is left, or lets them
// in.
func (a *API) proceed(c state.Client, u state.User) (any, error) {
	if u.Status == state.ForceChangePassword {
		return a.ask(c, u, newPasswordRequired, map[string]string{
			"requiredAttributes": "[]", "userAttributes": attributesJSON(u),
		})
	}
	if asked, ok, err := a.askFactor(c, u); ok || err != nil {
		return asked, err
	}
	return a.admit(c, u)
}

// admit lets a user in.
func (a *API) admit(c state.Client, u state.User) (any, error) {
	terms := tokens.Terms{Scopes: []string{tokens.AdminScope}, AuthTime: a.state.Now(), API: true}
	refresh, grant, err := a.state.NewGrant(c, state.Grant{Username: u.Username, Sub: u.Sub(), Scopes: terms.Scopes, AuthTime: terms.AuthTime, API: true})
	if err != nil {
		return nil, err
	}
	terms.Family = grant.Family
	r, err := a.result(c, u, refresh, terms)
	if err != nil {
		return nil, err
	}
	return authAnswer{AuthenticationResult: r, ChallengeParameters: map[string]string{}}, nil
}

// ask asks a user of a client something.
func (a *API) ask(c state.Client, u state.User, name string, parameters map[string]string) (any, error) {
	session := a.sessions.start(challenge{name: name, clientID: c.ID, poolID: c.PoolID, sub: u.Sub()}, a.state.Now(), sessionLifetime)
	parameters["USER_ID_FOR_SRP"] = u.Username
	return authAnswer{ChallengeName: name, ChallengeParameters: parameters, Session: session}, nil
}

func attributesJSON(u state.User) string {
	attributes := maps.Clone(u.Attributes)
	delete(attributes, "sub")
	b, err := json.Marshal(attributes)
	if err != nil {
		panic(err) // strings
	}
	return string(b)
}

type respondToAuthChallenge struct {
	ChallengeName      string
	ClientId           string
	Session            string
	ChallengeResponses map[string]string
}

// challengeNames are all that Cognito knows.
var challengeNames = strings.Fields(`SMS_MFA EMAIL_OTP SOFTWARE_TOKEN_MFA SELECT_MFA_TYPE MFA_SETUP PASSWORD_VERIFIER CUSTOM_CHALLENGE SELECT_CHALLENGE
	DEVICE_SRP_AUTH DEVICE_PASSWORD_VERIFIER ADMIN_NO_SRP_AUTH NEW_PASSWORD_REQUIRED SMS_OTP PASSWORD WEB_AUTHN PASSWORD_SRP`)

func (in *respondToAuthChallenge) check(c *check) {
	if c.present("challengeName", in.ChallengeName != "") {
		c.oneOf("challengeName", in.ChallengeName, challengeNames...)
	}
	c.client(in.ClientId)
}

type adminRespondToAuthChallenge struct {
	UserPoolId         string
	ChallengeName      string
	ClientId           string
	Session            string
	ChallengeResponses map[string]string
}

func (in *adminRespondToAuthChallenge) check(c *check) {
	c.pool(in.UserPoolId)
	in.respond().check(c)
}

func (in *adminRespondToAuthChallenge) respond() *respondToAuthChallenge {
	return &respondToAuthChallenge{in.ChallengeName, in.ClientId, in.Session, in.ChallengeResponses}
}

func (a *API) respondToAuthChallenge(in *respondToAuthChallenge) (any, error) {
	c, err := a.client(in.ClientId, "")
	if err != nil {
		return nil, err
	}
	return a.respond(c, in)
}

func (a *API) adminRespondToAuthChallenge(in *adminRespondToAuthChallenge) (any, error) {
	if _, err := a.state.Describe(in.UserPoolId); err != nil {
		return nil, err
	}
	c, err := a.client(in.ClientId, in.UserPoolId)
	if err != nil {
		return nil, err
	}
	return a.respond(c, in.respond())
}

// respond takes the answer to a challenge. One that is wrong may be repeated.
func (a *API) respond(c state.Client, in *respondToAuthChallenge) (any, error) {
	if err := need(in.ChallengeResponses, "USERNAME"); err != nil {
		return nil, err
	}
	if in.ChallengeName == passwordVerifier {
		return a.verifyPassword(c, in.ChallengeResponses)
	}
	answer, ok := map[string]func(state.Client, state.User, map[string]string) (any, error){
		newPasswordRequired: a.choosePassword,
		softwareTokenMFA:    a.checkCode,
		mfaSetup:            a.finishSetup,
	}[in.ChallengeName]
	if !ok {
		return nil, invalid("Challenge response for %s is not supported.", in.ChallengeName)
	}
	taken, err := a.sessions.take(in.Session, in.ChallengeName, c.ID, a.state.Now())
	if err != nil {
		return nil, err
	}
	out, err := a.answered(c, taken, in.ChallengeResponses, answer)
	if err != nil {
		a.sessions.restore(in.Session, taken)
	}
	return out, err
}

func (a *API) answered(c state.Client, taken challenge, p map[string]string, answer func(state.Client, state.User, map[string]string) (any, error)) (any, error) {
	u, err := a.state.User(taken.poolID, taken.sub)
	if err != nil {
		return nil, unauthorized("Invalid session for the user.")
	}
	if !u.Enabled {
		return nil, unauthorized("User is disabled.")
	}
	if named, err := a.state.User(taken.poolID, p["USERNAME"]); err != nil || named.Sub() != taken.sub {
		return nil, &state.Error{Type: state.CodeMismatch, Message: "Invalid code or auth state for the user."}
	}
	if err := checkHash(c, u.Username, p["SECRET_HASH"], wrongLaterHash); err != nil {
		return nil, err
	}
	return answer(c, u, p)
}

func (a *API) choosePassword(c state.Client, u state.User, p map[string]string) (any, error) {
	if err := need(p, "NEW_PASSWORD"); err != nil {
		return nil, err
	}
	attributes := make(map[string]string)
	for name, value := range p {
		if name, ok := strings.CutPrefix(name, "userAttributes."); ok {
			attributes[name] = value
		}
	}
	u, err := a.state.ChoosePassword(c.PoolID, u.Sub(), p["NEW_PASSWORD"], attributes)
	if err != nil {
		return nil, err
	}
	return a.proceed(c, u)
}

type getTokensFromRefreshToken struct {
	ClientId     string
	RefreshToken string
	ClientSecret string
}

func (in *getTokensFromRefreshToken) check(c *check) {
	c.client(in.ClientId)
	c.present("refreshToken", in.RefreshToken != "")
}

func (a *API) getTokensFromRefreshToken(in *getTokensFromRefreshToken) (any, error) {
	c, err := a.client(in.ClientId, "")
	if err != nil {
		return nil, err
	}
	if !hasSecret(c, in.ClientSecret) {
		return nil, unauthorized("Client secret does not match for the client: %s", c.ID)
	}
	r, err := a.refresh(c, in.RefreshToken)
	if err != nil {
		return nil, err
	}
	return map[string]any{"AuthenticationResult": r}, nil
}

type revokeToken struct {
	ClientId     string
	Token        string
	ClientSecret string
}

func (in *revokeToken) check(c *check) {
	c.client(in.ClientId)
	c.present("token", in.Token != "")
}

// revokeToken ends a refresh token. One that is unknown is no error.
func (a *API) revokeToken(in *revokeToken) (any, error) {
	fail := func(kind, format string, args ...any) (any, error) {
		return nil, &state.Error{Type: kind, Message: fmt.Sprintf(format, args...)}
	}
	c, ok := a.state.Client(in.ClientId)
	switch {
	case !ok:
		return fail("UnauthorizedException", "User pool client %s does not exist.", in.ClientId)
	case !hasSecret(c, in.ClientSecret):
		return fail("UnauthorizedException", "Client secret does not match for the client: %s", c.ID)
	case !c.Revocation:
		return fail("UnsupportedOperationException", "Token revocation is not enabled for the client: %s", c.ID)
	case strings.Count(in.Token, ".") == 2:
		return fail("UnsupportedTokenTypeException", "Only refresh tokens can be revoked.")
	}
	if err := a.state.Revoke(c, in.Token); refusedAs(err, state.NotAuthorized) {
		return fail("UnauthorizedException", "The token belongs to another client.")
	} else if err != nil {
		return nil, err
	}
	return empty, nil
}
