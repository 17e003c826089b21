package triggers

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// The triggers of challenges that functions make up, and of users who come from elsewhere.
const (
	DefineAuthChallenge         = "DefineAuthChallenge"
	CreateAuthChallenge         = "CreateAuthChallenge"
	VerifyAuthChallengeResponse = "VerifyAuthChallengeResponse"
	UserMigration               = "UserMigration"
)

// Round is a challenge of a sign-in that was answered.
type Round struct {
	Name     string `json:"challengeName"`
	Result   bool   `json:"challengeResult"`
	Metadata string `json:"challengeMetadata,omitempty"`
}

// Next is what comes after the challenges so far.
type Next struct {
	Challenge string `json:"challengeName"`
	Tokens    bool   `json:"issueTokens"`
	Fail      bool   `json:"failAuthentication"`
}

// Challenge is one that a function made up: what the app is told, what is held against
// the answer, and what later functions are told.
type Challenge struct {
	Public   map[string]string `json:"publicChallengeParameters"`
	Private  map[string]string `json:"privateChallengeParameters"`
	Metadata string            `json:"challengeMetadata"`
}

// Custom reports whether functions decide about sign-ins of a pool.
func (t *Triggers) Custom(poolID string) bool {
	_, ok := t.hook(poolID, DefineAuthChallenge)
	return ok
}

// answered has a function answer, and reads its response.
func (t *Triggers) answered(ctx context.Context, name, source string, a About, request, response map[string]any, into any) error {
	answer, err := t.call(ctx, name, source, a, "1", request, response)
	if err != nil {
		return err
	}
	if answer == nil {
		return &state.Error{Type: state.InvalidLambdaResponse, Message: fmt.Sprintf("%s is not configured for the user pool.", name)}
	}
	b, err := json.Marshal(answer)
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	return t.shape(name, err)
}

// session is the request of a function that is told of the challenges so far.
func session(a About, rounds []Round) map[string]any {
	if rounds == nil {
		rounds = []Round{}
	}
	return map[string]any{"userAttributes": attributesOf(a.User), "session": rounds, "userNotFound": a.User.Sub() == ""}
}

// DefineChallenge asks what comes next at a sign-in.
func (t *Triggers) DefineChallenge(ctx context.Context, a About, rounds []Round) (n Next, err error) {
	response := map[string]any{"challengeName": nil, "issueTokens": nil, "failAuthentication": nil}
	err = t.answered(ctx, DefineAuthChallenge, "DefineAuthChallenge_Authentication", a, session(a, rounds), response, &n)
	return n, err
}

// CreateChallenge has a function make up a challenge.
func (t *Triggers) CreateChallenge(ctx context.Context, a About, name string, rounds []Round) (c Challenge, err error) {
	request := session(a, rounds)
	request["challengeName"] = name
	response := map[string]any{"publicChallengeParameters": nil, "privateChallengeParameters": nil, "challengeMetadata": nil}
	err = t.answered(ctx, CreateAuthChallenge, "CreateAuthChallenge_Authentication", a, request, response, &c)
	return c, err
}

// VerifyChallenge has a function judge the answer to a challenge.
func (t *Triggers) VerifyChallenge(ctx context.Context, a About, private map[string]string, answer string) (bool, error) {
	request := map[string]any{
		"userAttributes": attributesOf(a.User), "privateChallengeParameters": private, "challengeAnswer": answer, "userNotFound": a.User.Sub() == "",
	}
	var verdict struct {
		Correct bool `json:"answerCorrect"`
	}
	err := t.answered(ctx, VerifyAuthChallengeResponse, "VerifyAuthChallengeResponse_Authentication", a, request, map[string]any{"answerCorrect": nil}, &verdict)
	return verdict.Correct, err
}

// Migrate has a function say who somebody is that the pool does not know, and makes them a
// user: at a sign-in, with the password, and, without one, where they say that they forgot
// it. It returns false where there is nothing to ask. Of somebody whom the function does
// not know either, it says no more than that: the text of its error is for the log.
func (t *Triggers) Migrate(ctx context.Context, c state.Client, username, password string, sent Sent) (bool, error) {
	if _, ok := t.hook(c.PoolID, UserMigration); !ok {
		return false, nil
	}
	source, status := "UserMigration_Authentication", state.Confirmed
	request := map[string]any{"password": password, "validationData": given(sent.Validation), "userName": username}
	if password == "" {
		source, status = "UserMigration_ForgotPassword", state.ResetRequired
		delete(request, "password")
	}
	unknown := &state.Error{Type: state.UserNotFound, Message: "Exception migrating user in app client " + c.ID}
	response := map[string]any{
		"userAttributes": nil, "finalUserStatus": nil, "messageAction": nil, "desiredDeliveryMediums": nil, "forceAliasCreation": nil, "enableSMSMFA": nil,
	}
	var who struct {
		Attributes    map[string]string `json:"userAttributes"`
		Status        string            `json:"finalUserStatus"`
		MessageAction string            `json:"messageAction"`
		Mediums       []string          `json:"desiredDeliveryMediums"`
		ForceAlias    bool              `json:"forceAliasCreation"`
		SMSMFA        bool              `json:"enableSMSMFA"`
	}
	about := About{PoolID: c.PoolID, ClientID: c.ID, User: state.User{Username: username}, Metadata: sent.Metadata}
	err := t.answered(ctx, UserMigration, source, about, request, response, &who)
	var refusal *state.Error
	switch {
	case errors.As(err, &refusal) && refusal.Type == state.UserLambdaValidation:
		return false, unknown
	case err != nil:
		return false, err
	case len(who.Attributes) == 0:
		return false, unknown
	case who.Status != "" && !slices.Contains([]string{state.Confirmed, state.ResetRequired}, who.Status):
		return false, t.shape(UserMigration, fmt.Errorf("finalUserStatus is %q", who.Status))
	case who.MessageAction != "" && who.MessageAction != "SUPPRESS" && who.MessageAction != "RESEND":
		return false, t.shape(UserMigration, fmt.Errorf("messageAction is %q", who.MessageAction))
	case slices.ContainsFunc(who.Mediums, func(m string) bool { return m != "EMAIL" && m != "SMS" }):
		return false, t.shape(UserMigration, fmt.Errorf("desiredDeliveryMediums are %q", who.Mediums))
	}
	if name := who.Attributes["username"]; name != "" { // of somebody who signs in by an alias
		username = name
	}
	delete(who.Attributes, "username")
	delete(who.Attributes, "sub")
	if t.state.Paused(c.PoolID) {
		return false, state.ErrPaused
	}
	_, err = t.state.Migrate(c.PoolID, state.Migrated{
		NewUser: state.NewUser{Username: username, Attributes: who.Attributes, Password: password, Status: cmp.Or(who.Status, status), Enabled: true},
		Quiet:   who.MessageAction == "SUPPRESS", Mediums: who.Mediums, ForceAlias: who.ForceAlias, SMSMFA: who.SMSMFA,
	})
	if errors.As(err, &refusal) {
		t.logger.Warn("a user whom a trigger brings is refused", slog.String("trigger", UserMigration), slog.String("reason", refusal.Message))
		return false, unknown
	}
	return err == nil, err
}

// given is what an app sent, or null where it sent nothing.
func given(sent map[string]string) any {
	if len(sent) == 0 {
		return nil
	}
	return sent
}
