package api

import (
	"context"
	"slices"

	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/triggers"
	"github.com/codegrant/codegrant/localpool/internal/webauthn"
)

// Challenges of a sign-in in which the user chooses.
const (
	selectChallenge   = "SELECT_CHALLENGE"
	selectMFAType     = "SELECT_MFA_TYPE"
	passwordChallenge = "PASSWORD"
	passwordSRP       = "PASSWORD_SRP"
	emailOTP          = state.EmailMFA
	smsOTP            = "SMS_OTP"
	smsMFA            = state.SMSMFA
)

// sentCodes are the challenges that a code is sent for: where to, and what the answer
// calls it.
var sentCodes = map[string]struct{ attribute, answer string }{
	emailOTP: {"email", "EMAIL_OTP_CODE"}, smsOTP: {"phone_number", "SMS_OTP_CODE"}, smsMFA: {"phone_number", "SMS_MFA_CODE"},
}

// challengesOf are what a user may begin a sign-in with.
func challengesOf(r state.Rules, u state.User) (names []string) {
	for _, factor := range u.FirstFactors(r) {
		if factor == passwordChallenge {
			names = append(names, passwordSRP)
		}
		names = append(names, factor)
	}
	return names
}

// byChoice begins a sign-in with what the user prefers, or lets them choose where there is
// a choice.
func (a *API) byChoice(ctx context.Context, c state.Client, p, sent map[string]string, at progress) (any, error) {
	if !c.AllowsAuth("USER_AUTH") {
		return nil, invalid("USER_AUTH is not enabled for the client.")
	}
	if err := need(p, "USERNAME"); err != nil {
		return nil, err
	}
	if err := checkHash(c, p["USERNAME"], p["SECRET_HASH"], wrongHash); err != nil {
		return nil, err
	}
	pool, err := a.state.Describe(c.PoolID)
	if err != nil {
		return nil, err
	}
	u, err := a.state.User(c.PoolID, p["USERNAME"])
	if err != nil {
		if c.TellUnknown {
			return nil, err
		}
		return a.pretendChoice(c, pool, p)
	}
	if at.shown.Has(state.ByPassword) { // which an access token stands for
		if asked, ok, err := a.askFactor(c, u, at); ok || err != nil {
			return asked, err
		}
	}
	available := a.reaching(pool, u, at.level)
	name := p["PREFERRED_CHALLENGE"]
	if !slices.Contains(available, name) {
		switch {
		case len(available) == 0:
			return nil, unauthorized("Incorrect username or password.")
		case len(available) == 1:
			name = available[0]
		case name == "" && len(available) == 2 && available[1] == passwordChallenge:
			if name = passwordChallenge; p["SRP_A"] != "" {
				name = passwordSRP
			}
		default:
			return a.offer(c, u, available, at)
		}
	}
	answer, err := a.challenge(ctx, c, u, name, p, sent, progress{level: at.level})
	if asked, ok := answer.(authAnswer); ok && asked.AuthenticationResult == nil {
		asked.AvailableChallenges = available
		answer = asked
	}
	return answer, err
}

// offer lets the user choose.
func (a *API) offer(c state.Client, u state.User, available []string, at progress) (any, error) {
	session := a.sessions.start(challenge{name: selectChallenge, clientID: c.ID, poolID: c.PoolID, sub: u.Sub(), progress: progress{level: at.level}}, a.state.Now(), lifetimeOf(c))
	return authAnswer{ChallengeName: selectChallenge, ChallengeParameters: map[string]string{}, Session: session, AvailableChallenges: available}, nil
}

// pretendChoice asks somebody who does not exist, as it would ask others.
func (a *API) pretendChoice(c state.Client, pool state.Pool, p map[string]string) (any, error) {
	allowed := pool.Rules().Policies.SignInPolicy.AllowedFirstAuthFactors
	name, parameters := selectChallenge, map[string]string{}
	var available []string
	for _, f := range allowed {
		if f == passwordChallenge {
			available = append(available, passwordSRP)
		}
		available = append(available, f)
	}
	switch preferred := p["PREFERRED_CHALLENGE"]; {
	case preferred == passwordChallenge && slices.Contains(allowed, passwordChallenge):
		if p["PASSWORD"] != "" {
			return nil, unauthorized("Incorrect username or password.")
		}
		name = passwordChallenge
	case slices.Contains(allowed, emailOTP) && (len(allowed) == 1 || preferred == emailOTP):
		d := pretended(p["USERNAME"])
		name, parameters = emailOTP, map[string]string{"CODE_DELIVERY_DELIVERY_MEDIUM": d.DeliveryMedium, "CODE_DELIVERY_DESTINATION": d.Destination}
	}
	session := a.sessions.start(challenge{name: name, clientID: c.ID, poolID: c.PoolID, first: true}, a.state.Now(), lifetimeOf(c))
	return authAnswer{ChallengeName: name, ChallengeParameters: parameters, Session: session, AvailableChallenges: available}, nil
}

// challenge begins one way to sign in. What it needs may be there already.
func (a *API) challenge(ctx context.Context, c state.Client, u state.User, name string, p, sent map[string]string, at progress) (any, error) {
	switch {
	case name == passwordChallenge && p["PASSWORD"] != "":
		return a.byPassword(ctx, c, p, sent, at)
	case name == passwordSRP && p["SRP_A"] != "":
		return a.srp(ctx, c, p, sent, at)
	case name == passwordChallenge, name == passwordSRP:
		return a.asked(c, u, name, map[string]string{}, true, at), nil
	}
	if err := a.triggers.Begin(ctx, c, u.Username, triggers.Sent{Validation: sent}); err != nil {
		return nil, err
	}
	if !u.Enabled {
		return nil, unauthorized("User is disabled.")
	}
	if name == passkeyChallenge {
		w, err := a.passkeys(c.PoolID)
		if err != nil {
			return nil, err
		}
		answer := a.asked(c, u, name, map[string]string{}, true, at)
		answer.ChallengeParameters["CREDENTIAL_REQUEST_OPTIONS"] = webauthn.Request(w, u, answer.Session)
		return answer, nil
	}
	return a.askCode(c, u, name, true, at)
}

// asked asks a user something; first says that they have shown nothing yet.
func (a *API) asked(c state.Client, u state.User, name string, parameters map[string]string, first bool, at progress) authAnswer {
	session := a.sessions.start(challenge{name: name, clientID: c.ID, poolID: c.PoolID, sub: u.Sub(), first: first, progress: at}, a.state.Now(), lifetimeOf(c))
	return authAnswer{ChallengeName: name, ChallengeParameters: parameters, Session: session}
}

// askCode sends a code and asks for it.
func (a *API) askCode(c state.Client, u state.User, name string, first bool, at progress) (any, error) {
	to, err := a.state.SendSignIn(c.PoolID, u.Sub(), sentCodes[name].attribute)
	if err != nil {
		return nil, err
	}
	d := deliveryTo(to)
	parameters := map[string]string{"CODE_DELIVERY_DELIVERY_MEDIUM": d.DeliveryMedium, "CODE_DELIVERY_DESTINATION": d.Destination}
	if !first {
		parameters["USER_ID_FOR_SRP"] = u.Username
	}
	return a.asked(c, u, name, parameters, first, at), nil
}

// askOne asks for one second factor.
func (a *API) askOne(c state.Client, u state.User, factor string, at progress) (any, error) {
	if factor == softwareTokenMFA {
		return a.ask(c, u, softwareTokenMFA, map[string]string{"FRIENDLY_DEVICE_NAME": u.Token.Name}, at)
	}
	return a.askCode(c, u, factor, false, at)
}

// checkSent takes the code of a challenge that one was sent for.
func (a *API) checkSent(ctx context.Context, c state.Client, taken challenge, u state.User, p, metadata map[string]string) (any, error) {
	if err := need(p, sentCodes[taken.name].answer); err != nil {
		return nil, err
	}
	u, err := a.state.CheckSignIn(c.PoolID, u.Sub(), p[sentCodes[taken.name].answer], taken.first)
	if err != nil {
		return nil, err
	}
	return a.admit(ctx, c, u, triggers.Authentication, metadata, taken.shown.With(state.Method(taken.name)))
}

// chooseFactor goes on with the second factor that was chosen.
func (a *API) chooseFactor(_ context.Context, c state.Client, taken challenge, u state.User, p, _ map[string]string) (any, error) {
	if err := need(p, "ANSWER"); err != nil {
		return nil, err
	}
	factors, _, err := a.state.SecondFactors(c.PoolID, u.Sub(), taken.level)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(factors, p["ANSWER"]) {
		return nil, invalid("The selected MFA type is not available for the user.")
	}
	return a.askOne(c, u, p["ANSWER"], taken.progress)
}

// choose goes on with the challenge that was chosen.
func (a *API) choose(ctx context.Context, c state.Client, taken challenge, u state.User, p, _ map[string]string) (any, error) {
	if err := need(p, "ANSWER"); err != nil {
		return nil, err
	}
	pool, err := a.state.Describe(c.PoolID)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(a.reaching(pool, u, taken.level), p["ANSWER"]) {
		return nil, invalid("Selected challenge is not available.")
	}
	return a.challenge(ctx, c, u, p["ANSWER"], p, nil, taken.progress)
}

// givePassword takes the password of a challenge that asked for it alone.
func (a *API) givePassword(ctx context.Context, c state.Client, taken challenge, _ state.User, p, _ map[string]string) (any, error) {
	return a.byPassword(ctx, c, p, nil, taken.progress)
}

func (a *API) beginSRP(ctx context.Context, c state.Client, taken challenge, _ state.User, p, _ map[string]string) (any, error) {
	return a.srp(ctx, c, p, nil, taken.progress)
}

// checkPasskey takes the answer of an authenticator.
func (a *API) checkPasskey(ctx context.Context, c state.Client, taken challenge, u state.User, p, metadata map[string]string) (any, error) {
	if err := need(p, "CREDENTIAL"); err != nil {
		return nil, err
	}
	w, err := a.passkeys(c.PoolID)
	if err != nil {
		return nil, err
	}
	given, err := webauthn.Parse(p["CREDENTIAL"])
	if err != nil {
		return nil, err
	}
	k, count, err := given.SignedBy(w, u, taken.session)
	if err != nil {
		return nil, err
	}
	if err := a.state.UsePasskey(c.PoolID, u.Sub(), k, count); err != nil {
		return nil, err
	}
	if u.Status == state.Unconfirmed {
		return nil, &state.Error{Type: state.UserNotConfirmed, Message: "User is not confirmed."}
	}
	return a.admit(ctx, c, u, triggers.Authentication, metadata, taken.shown.With(k.Method()))
}

// The sessions that lead from a sign-up to a sign-in.
const (
	signedUp    = "SIGNED_UP"
	confirmedUp = "CONFIRMED_UP"
)

// following begins such a session, for clients that let people choose.
func (a *API) following(c state.Client, u state.User, name string) string {
	if !c.AllowsAuth("USER_AUTH") {
		return ""
	}
	return a.sessions.start(challenge{name: name, clientID: c.ID, poolID: c.PoolID, sub: u.Sub()}, a.state.Now(), lifetimeOf(c))
}

// bySession signs in a user who has just confirmed themselves, without another factor.
func (a *API) bySession(ctx context.Context, c state.Client, session string, p map[string]string) (any, error) {
	if !c.AllowsAuth("USER_AUTH") {
		return nil, invalid("USER_AUTH is not enabled for the client.")
	}
	if err := checkHash(c, p["USERNAME"], p["SECRET_HASH"], wrongHash); err != nil {
		return nil, err
	}
	taken, err := a.sessions.take(session, confirmedUp, c.ID, a.state.Now())
	if err != nil {
		return nil, err
	}
	u, err := a.state.User(c.PoolID, taken.sub)
	if err != nil || !u.Enabled || u.Status != state.Confirmed {
		return nil, unauthorized("Invalid session for the user.")
	}
	// The code that confirmed them is what they showed.
	// (Unconfirmed: "`acr` and `amr` of the sign-in that follows a confirmation".)
	at := progress{shown: state.Showed(state.ByEmail)}
	if asked, ok, err := a.askFactor(c, u, at); ok || err != nil {
		return asked, err
	}
	return a.admit(ctx, c, u, triggers.Authentication, nil, at.shown)
}
