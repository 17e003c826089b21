package api

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/tokens"
	"github.com/codegrant/codegrant/localpool/internal/triggers"
)

// authAnswer is tokens, or a challenge.
type authAnswer struct {
	AuthenticationResult *authResult `json:",omitempty"`
	ChallengeName        string      `json:",omitempty"`
	ChallengeParameters  map[string]string
	Session              string   `json:",omitempty"`
	AvailableChallenges  []string `json:",omitempty"`
}

type authResult struct {
	AccessToken  string
	IdToken      string
	RefreshToken string `json:",omitempty"`
	ExpiresIn    int
	TokenType    string

	NewDeviceMetadata *newDevice `json:",omitempty"`
}

// newDevice is a device that was not seen before.
type newDevice struct{ DeviceKey, DeviceGroupKey string }

type initiateAuth struct {
	AuthFlow       string
	ClientId       string
	AuthParameters map[string]string
	ClientMetadata map[string]string
	Session        string
}

type adminInitiateAuth struct {
	UserPoolId     string
	AuthFlow       string
	ClientId       string
	AuthParameters map[string]string
	ClientMetadata map[string]string
	Session        string
}

func (a *API) initiateAuth(ctx context.Context, in *initiateAuth) (any, error) {
	c, err := a.client(in.ClientId, "")
	if err != nil {
		return nil, err
	}
	switch in.AuthFlow {
	case "USER_PASSWORD_AUTH":
		if !c.AllowsAuth(in.AuthFlow) {
			return nil, invalid("USER_PASSWORD_AUTH flow not enabled for this client")
		}
		return a.byPassword(ctx, c, in.AuthParameters, in.ClientMetadata, progress{})
	case "ADMIN_NO_SRP_AUTH", "ADMIN_USER_PASSWORD_AUTH":
		return nil, invalid("Initiate Auth method not supported.")
	}
	return a.begin(ctx, c, in.AuthFlow, in.Session, in.AuthParameters, in.ClientMetadata)
}

func (a *API) adminInitiateAuth(ctx context.Context, in *adminInitiateAuth) (any, error) {
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
		return a.byPassword(ctx, c, in.AuthParameters, in.ClientMetadata, progress{})
	case "USER_PASSWORD_AUTH":
		return nil, invalid("Initiate Auth method not supported.")
	}
	return a.begin(ctx, c, in.AuthFlow, in.Session, in.AuthParameters, in.ClientMetadata)
}

// begin is what administrators and apps begin in the same way. What the app sends
// along is for the trigger before the sign-in alone.
func (a *API) begin(ctx context.Context, c state.Client, flow, session string, p, sent map[string]string) (any, error) {
	switch flow {
	case "USER_SRP_AUTH":
		return a.bySRP(ctx, c, p, sent)
	case "USER_AUTH":
		if session != "" {
			return a.bySession(ctx, c, session, p)
		}
		at, err := a.target(c, p)
		if err != nil {
			return nil, err
		}
		return a.byChoice(ctx, c, p, sent, at)
	case "REFRESH_TOKEN_AUTH", "REFRESH_TOKEN":
		if !c.AllowsAuth("REFRESH_TOKEN_AUTH") {
			return nil, invalid("Auth flow not enabled for this client")
		}
		return a.byRefresh(ctx, c, p)
	case "CUSTOM_AUTH":
		return a.byCustom(ctx, c, p, sent)
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

func (a *API) byPassword(ctx context.Context, c state.Client, p, sent map[string]string, at progress) (any, error) {
	if err := need(p, "USERNAME", "PASSWORD"); err != nil {
		return nil, err
	}
	if err := checkHash(c, p["USERNAME"], p["SECRET_HASH"], wrongHash); err != nil {
		return nil, err
	}
	if _, err := a.state.User(c.PoolID, p["USERNAME"]); err != nil {
		known, failed := a.migrate(ctx, c, p["USERNAME"], p["PASSWORD"], triggers.Sent{Validation: sent})
		if failed != nil {
			return nil, failed
		}
		if !known && c.TellUnknown {
			return nil, err
		}
	}
	if err := a.triggers.Begin(ctx, c, p["USERNAME"], triggers.Sent{Validation: sent}); err != nil {
		return nil, err
	}
	u, err := a.state.Authenticate(c.PoolID, p["USERNAME"], p["PASSWORD"])
	if err != nil {
		return nil, err
	}
	if err := a.hasDevice(c, u, p["DEVICE_KEY"]); err != nil {
		return nil, err
	}
	return a.proceed(ctx, c, u, triggers.Authentication, nil, p["DEVICE_KEY"], at.with(state.ByPassword))
}

// migrate has a function bring somebody whom the pool does not know. A client that is not
// told of users is not told either that there is none to bring.
func (a *API) migrate(ctx context.Context, c state.Client, username, password string, sent triggers.Sent) (bool, error) {
	known, err := a.triggers.Migrate(ctx, c, username, password, sent)
	if !c.TellUnknown && refusedAs(err, state.UserNotFound) {
		return false, nil
	}
	return known, err
}

func (a *API) byRefresh(ctx context.Context, c state.Client, p map[string]string) (any, error) {
	if err := need(p, "REFRESH_TOKEN"); err != nil {
		return nil, err
	}
	// The hash is over a name that only the token tells.
	g, err := a.state.Holder(c, p["REFRESH_TOKEN"])
	if err != nil {
		return nil, err
	}
	if err := checkHash(c, g.User.Username, p["SECRET_HASH"], wrongLaterHash); err != nil {
		return nil, err
	}
	r, err := a.refresh(ctx, c, p["REFRESH_TOKEN"], p["DEVICE_KEY"], triggers.RefreshTokens, nil)
	if err != nil {
		return nil, err
	}
	return authAnswer{AuthenticationResult: r, ChallengeParameters: map[string]string{}}, nil
}

func (a *API) refresh(ctx context.Context, c state.Client, token, device, source string, metadata map[string]string) (*authResult, error) {
	g, err := a.state.Holder(c, token)
	if err != nil {
		return nil, err
	}
	// A token that a device was given which the user has confirmed is of no use without it.
	if d := slices.IndexFunc(g.User.Devices, func(d state.Device) bool { return d.Key == g.DeviceKey && d.Verifier != "" }); d >= 0 && device != g.DeviceKey {
		return nil, unauthorized("Invalid Refresh Token")
	}
	set, err := a.maker.Mint(ctx, c, g.User, tokens.Terms{
		Device: g.DeviceKey, Scopes: g.Scopes, Resource: g.Resource, AuthTime: g.AuthTime, ACR: g.ACR, AMR: g.AMR, Family: g.Family, API: g.API, Source: source,
		Metadata: metadata,
	})
	if err != nil {
		return nil, err
	}
	// Only now: a trigger that refuses leaves the refresh token as it was.
	_, rotated, err := a.state.UseGrant(c, token)
	if err != nil {
		return nil, err
	}
	return resultOf(set, rotated), nil
}

func resultOf(set tokens.Set, refresh string) *authResult {
	return &authResult{AccessToken: set.Access, IdToken: set.ID, RefreshToken: refresh, ExpiresIn: set.ExpiresIn, TokenType: "Bearer"}
}

// proceed asks a user who has shown the password for what is left, or lets them
// in.
func (a *API) proceed(ctx context.Context, c state.Client, u state.User, source string, metadata map[string]string, device string, at progress) (any, error) {
	if u.Status == state.ForceChangePassword {
		return a.ask(c, u, newPasswordRequired, map[string]string{
			"requiredAttributes": "[]", "userAttributes": attributesJSON(u),
		}, at)
	}
	if d, ok := deviceOfUser(u, device); ok && at.level <= 1 {
		return a.ask(c, u, deviceSRP, map[string]string{"USERNAME": u.Username, "DEVICE_KEY": d.Key}, at)
	}
	if asked, ok, err := a.askFactor(c, u, at); ok || err != nil {
		return asked, err
	}
	return a.admit(ctx, c, u, source, metadata, at.shown)
}

// admit lets a user in, unless a trigger refuses.
func (a *API) admit(ctx context.Context, c state.Client, u state.User, source string, metadata map[string]string, shown state.Shown) (any, error) {
	return a.admitWith(ctx, c, u, source, metadata, "", shown)
}

// admitWith is admit with a device that is known; empty: a new one.
func (a *API) admitWith(ctx context.Context, c state.Client, u state.User, source string, metadata map[string]string, device string, shown state.Shown) (any, error) {
	about := triggers.About{PoolID: c.PoolID, ClientID: c.ID, User: u, Metadata: metadata}
	if err := a.triggers.PostAuthentication(ctx, about); err != nil {
		return nil, err
	}
	terms := tokens.Terms{
		Scopes: []string{tokens.AdminScope}, AuthTime: a.state.Now(), Family: tokens.NewID(), API: true, Source: source, Metadata: metadata,
	}
	who := callerOf(ctx)
	var made *newDevice
	if device == "" {
		d, err := a.state.NewDevice(c.PoolID, u.Sub(), who.ip)
		if err != nil {
			return nil, err
		}
		if d != nil {
			made, device = &newDevice{d.Key, d.Group}, d.Key
		}
	}
	terms.Device = device
	terms.ACR, terms.AMR = a.state.Context(c.PoolID, shown)
	set, err := a.maker.Mint(ctx, c, u, terms)
	if err != nil {
		return nil, err
	}
	refresh, _, err := a.state.NewGrant(c, state.Grant{
		Device: who.device, IP: who.ip, DeviceKey: device, Username: u.Username, Sub: u.Sub(), Scopes: terms.Scopes, AuthTime: terms.AuthTime,
		ACR: terms.ACR, AMR: terms.AMR, Family: terms.Family, API: true,
	})
	if err != nil {
		return nil, err
	}
	result := resultOf(set, refresh)
	result.NewDeviceMetadata = made
	return authAnswer{AuthenticationResult: result, ChallengeParameters: map[string]string{}}, nil
}

// ask asks a user of a client something.
func (a *API) ask(c state.Client, u state.User, name string, parameters map[string]string, at progress) (any, error) {
	session := a.sessions.start(challenge{name: name, clientID: c.ID, poolID: c.PoolID, sub: u.Sub(), progress: at}, a.state.Now(), lifetimeOf(c))
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
	ClientMetadata     map[string]string
}

type adminRespondToAuthChallenge struct {
	UserPoolId         string
	ChallengeName      string
	ClientId           string
	Session            string
	ChallengeResponses map[string]string
	ClientMetadata     map[string]string
}

func (in *adminRespondToAuthChallenge) respond() *respondToAuthChallenge {
	return &respondToAuthChallenge{in.ChallengeName, in.ClientId, in.Session, in.ChallengeResponses, in.ClientMetadata}
}

func (a *API) respondToAuthChallenge(ctx context.Context, in *respondToAuthChallenge) (any, error) {
	c, err := a.client(in.ClientId, "")
	if err != nil {
		return nil, err
	}
	return a.respond(ctx, c, in)
}

func (a *API) adminRespondToAuthChallenge(ctx context.Context, in *adminRespondToAuthChallenge) (any, error) {
	if _, err := a.state.Describe(in.UserPoolId); err != nil {
		return nil, err
	}
	c, err := a.client(in.ClientId, in.UserPoolId)
	if err != nil {
		return nil, err
	}
	return a.respond(ctx, c, in.respond())
}

// respond takes the answer to a challenge. One that is wrong may be repeated.
func (a *API) respond(ctx context.Context, c state.Client, in *respondToAuthChallenge) (any, error) {
	if err := need(in.ChallengeResponses, "USERNAME"); err != nil {
		return nil, err
	}
	if in.ChallengeName == passwordVerifier {
		return a.verifyPassword(ctx, c, in.ChallengeResponses, in.ClientMetadata)
	}
	if in.ChallengeName == deviceVerifier {
		return a.checkDevice(ctx, c, in.ChallengeResponses, in.ClientMetadata)
	}
	answer, ok := map[string]answering{
		newPasswordRequired: a.choosePassword,
		softwareTokenMFA:    a.checkCode,
		mfaSetup:            a.finishSetup,
		selectMFAType:       a.chooseFactor,
		selectChallenge:     a.choose,
		passwordChallenge:   a.givePassword,
		passwordSRP:         a.beginSRP,
		emailOTP:            a.checkSent,
		smsOTP:              a.checkSent,
		smsMFA:              a.checkSent,
		passkeyChallenge:    a.checkPasskey,
		deviceSRP:           a.beginDevice,
		customChallenge:     a.answerCustom,
	}[in.ChallengeName]
	if !ok {
		return nil, invalid("Challenge response for %s is not supported.", in.ChallengeName)
	}
	if in.ChallengeName == deviceSRP && in.Session == "" {
		in.Session = a.askedDevice(c, in.ChallengeResponses["USERNAME"])
	}
	taken, err := a.sessions.take(in.Session, in.ChallengeName, c.ID, a.state.Now())
	if err != nil {
		return nil, err
	}
	out, err := a.answered(ctx, c, taken, in, answer)
	if err != nil && taken.name != customChallenge { // whose functions decide about another try
		a.sessions.restore(in.Session, taken)
	}
	return out, err
}

// answering takes the answer to one kind of challenge.
type answering func(ctx context.Context, c state.Client, taken challenge, u state.User, p, metadata map[string]string) (any, error)

func (a *API) answered(ctx context.Context, c state.Client, taken challenge, in *respondToAuthChallenge, answer answering) (any, error) {
	p := in.ChallengeResponses
	u, err := a.state.User(taken.poolID, taken.sub)
	switch {
	case err != nil && taken.first && taken.sub == "" && sentCodes[taken.name].attribute != "":
		return nil, state.ErrWrongSignInCode // whoever does not exist has no right one
	case err != nil && taken.custom != nil && taken.sub == "":
		return answer(ctx, c, taken, state.User{}, p, in.ClientMetadata)
	case err != nil && taken.first && taken.sub == "":
		return nil, unauthorized("Incorrect username or password.")
	case err != nil:
		return nil, unauthorized("Invalid session for the user.")
	}
	if !u.Enabled {
		return nil, unauthorized("User is disabled.")
	}
	if named, err := a.state.User(taken.poolID, p["USERNAME"]); err != nil || named.Sub() != taken.sub {
		return nil, state.ErrWrongSignInCode
	}
	// A request that begins anew also takes the hash over the name that was typed.
	if err := checkHash(c, u.Username, p["SECRET_HASH"], wrongLaterHash); err != nil && (!taken.first || checkHash(c, p["USERNAME"], p["SECRET_HASH"], wrongLaterHash) != nil) {
		return nil, err
	}
	return answer(ctx, c, taken, u, p, in.ClientMetadata)
}

func (a *API) choosePassword(ctx context.Context, c state.Client, taken challenge, u state.User, p, metadata map[string]string) (any, error) {
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
	return a.proceed(ctx, c, u, triggers.NewPassword, metadata, "", taken.progress)
}

type getTokensFromRefreshToken struct {
	ClientId       string
	RefreshToken   string
	ClientSecret   string
	DeviceKey      string
	ClientMetadata map[string]string
}

func (a *API) getTokensFromRefreshToken(ctx context.Context, in *getTokensFromRefreshToken) (any, error) {
	c, err := a.client(in.ClientId, "")
	if err != nil {
		return nil, err
	}
	if !hasSecret(c, in.ClientSecret) {
		return nil, unauthorized("Client secret does not match for the client: %s", c.ID)
	}
	r, err := a.refresh(ctx, c, in.RefreshToken, in.DeviceKey, triggers.Authentication, in.ClientMetadata)
	if err != nil {
		return nil, err
	}
	return map[string]any{"AuthenticationResult": r}, nil
}

type revokeToken struct {
	ClientId     string
	Token        string
	ClientSecret string

	RevokeAssociatedSessions string
}

// revokeToken ends a refresh token. One that is unknown is not an error.
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
	if err := a.state.Revoke(c, in.Token, in.RevokeAssociatedSessions == linked); refusedAs(err, state.NotAuthorized) {
		return fail("UnauthorizedException", "The token belongs to another client.")
	} else if err != nil {
		return nil, err
	}
	return empty, nil
}
