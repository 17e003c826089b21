package api

import (
	"context"

	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/triggers"
)

const customChallenge = "CUSTOM_CHALLENGE"

// byCustom begins a sign-in that the pool's functions decide about.
func (a *API) byCustom(ctx context.Context, c state.Client, p, sent map[string]string) (any, error) {
	if !c.AllowsAuth("CUSTOM_AUTH") {
		return nil, invalid("CUSTOM_AUTH is not enabled for the client.")
	}
	if !a.triggers.Custom(c.PoolID) {
		return nil, invalid("Custom auth lambda trigger is not configured for the user pool.")
	}
	if err := need(p, "USERNAME"); err != nil {
		return nil, err
	}
	if err := checkHash(c, p["USERNAME"], p["SECRET_HASH"], wrongHash); err != nil {
		return nil, err
	}
	u, err := a.state.User(c.PoolID, p["USERNAME"])
	switch {
	case err != nil && c.TellUnknown:
		return nil, err
	case err != nil:
		u = state.User{Username: p["USERNAME"]} // whom the functions are told of as unknown
	case !u.Enabled:
		return nil, unauthorized("User is disabled.")
	case u.Status == state.Unconfirmed:
		return nil, &state.Error{Type: state.UserNotConfirmed, Message: "User is not confirmed."}
	}
	if err := a.triggers.Begin(ctx, c, p["USERNAME"], triggers.Sent{Validation: sent}); err != nil {
		return nil, err
	}
	if p["CHALLENGE_NAME"] == "SRP_A" && p["SRP_A"] != "" {
		return a.customSRP(ctx, c, u, p, sent)
	}
	// Tokens do not name the challenges of functions among their methods.
	// (Unconfirmed: "`acr` and `amr` of a custom challenge".)
	return a.custom(ctx, c, u, nil, sent, state.Showed())
}

// customSRP begins with the password, if the functions want to see it: they are told of SRP_A
// as of a challenge that was answered.
func (a *API) customSRP(ctx context.Context, c state.Client, u state.User, p, sent map[string]string) (any, error) {
	public, err := parseA(p["SRP_A"])
	if err != nil {
		return nil, err
	}
	about := triggers.About{PoolID: c.PoolID, ClientID: c.ID, User: u, Metadata: sent}
	next, err := a.triggers.DefineChallenge(ctx, about, srpRounds(false))
	switch {
	case err != nil:
		return nil, err
	case next.Fail || next.Tokens || next.Challenge != passwordVerifier:
		return a.decided(ctx, c, about, next, srpRounds(false), state.Showed())
	}
	return a.exchange(c, p, public, &customRound{username: p["USERNAME"]}, progress{})
}

// srpRounds are those of a sign-in that begins with the password.
func srpRounds(proved bool) []triggers.Round {
	rounds := []triggers.Round{{Name: "SRP_A", Result: true}}
	if proved {
		rounds = append(rounds, triggers.Round{Name: passwordVerifier, Result: true})
	}
	return rounds
}

// custom asks the functions what comes next: tokens, a refusal, or a challenge of theirs.
func (a *API) custom(ctx context.Context, c state.Client, u state.User, session []triggers.Round, metadata map[string]string, shown state.Shown) (any, error) {
	about := triggers.About{PoolID: c.PoolID, ClientID: c.ID, User: u, Metadata: metadata}
	next, err := a.triggers.DefineChallenge(ctx, about, session)
	if err != nil {
		return nil, err
	}
	return a.decided(ctx, c, about, next, session, shown)
}

// decided does what the functions have decided.
func (a *API) decided(ctx context.Context, c state.Client, about triggers.About, next triggers.Next, session []triggers.Round, shown state.Shown) (any, error) {
	u, metadata := about.User, about.Metadata
	switch {
	case next.Fail:
		return nil, unauthorized("Incorrect username or password.")
	case next.Tokens && u.Sub() == "":
		return nil, unauthorized("Incorrect username or password.")
	case next.Tokens:
		return a.admit(ctx, c, u, triggers.Authentication, metadata, shown)
	case next.Challenge != customChallenge:
		return nil, &state.Error{Type: state.InvalidLambdaResponse, Message: "Unrecognizable lambda output"}
	}
	made, err := a.triggers.CreateChallenge(ctx, about, next.Challenge, session)
	if err != nil {
		return nil, err
	}
	token := a.sessions.start(challenge{
		name: customChallenge, clientID: c.ID, poolID: c.PoolID, sub: u.Sub(), custom: &customRound{session, made.Private, made.Metadata, u.Username}, progress: progress{shown: shown},
	}, a.state.Now(), lifetimeOf(c))
	parameters := made.Public
	if parameters == nil {
		parameters = make(map[string]string)
	}
	parameters["USERNAME"] = u.Username
	return authAnswer{ChallengeName: customChallenge, ChallengeParameters: parameters, Session: token}, nil
}

// customRound is what a challenge of the functions' was made of.
type customRound struct {
	before   []triggers.Round
	private  map[string]string
	metadata string
	username string
}

// answerCustom has the functions judge an answer, and say what comes next.
func (a *API) answerCustom(ctx context.Context, c state.Client, taken challenge, u state.User, p, metadata map[string]string) (any, error) {
	if err := need(p, "ANSWER"); err != nil {
		return nil, err
	}
	if u.Username == "" {
		u.Username = taken.custom.username
	}
	about := triggers.About{PoolID: c.PoolID, ClientID: c.ID, User: u, Metadata: metadata}
	right, err := a.triggers.VerifyChallenge(ctx, about, taken.custom.private, p["ANSWER"])
	if err != nil {
		return nil, err
	}
	rounds := append(append([]triggers.Round(nil), taken.custom.before...), triggers.Round{Name: customChallenge, Result: right, Metadata: taken.custom.metadata})
	return a.custom(ctx, c, u, rounds, metadata, taken.shown)
}
