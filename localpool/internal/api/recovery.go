package api

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// Point-in-time recovery. What users and groups were is known from the start of the server
// on: a recovery pauses writes, says what it would change, and changes it.
const (
	recoveries        = state.Recoveries
	previewGenerating = state.PreviewGenerating
	previewGenerated  = state.PreviewGenerated
	previewCancelled  = "PREVIEW_CANCELLED"

	leastBack = 15 * time.Minute
)

type onRecovery struct {
	UserPoolId       string
	RestoreId        string
	RestoreTimestamp float64
	NextToken        string
	MaxResults       *int
}

// restoration is a recovery as it is kept; times are in seconds.
type restoration struct {
	RestoreId        string
	RestoreStatus    string
	RestoreTimestamp float64
	TriggerTimestamp float64         `json:",omitempty"`
	RestorePreview   []state.Changes `json:",omitempty"`
}

// settings are those of a recovery whose state ends by itself at a time.
func (r restoration) settings(until time.Time) state.Settings {
	return state.Settings{"r": mustRaw(r), "until": mustRaw(until)}
}

// restorationOf reads a recovery as it is now. Only a preview that is there is shown.
func (a *API) restorationOf(d state.Document) (r restoration) {
	_ = json.Unmarshal(d.Members["r"], &r) // written here
	if r.RestoreStatus = a.state.RecoveryStatus(d); r.RestoreStatus != previewGenerated {
		r.RestorePreview = nil
	}
	return r
}

func (a *API) recoverable(poolID string) (state.Pool, error) {
	p, err := a.state.Describe(poolID)
	if err == nil && p.Rules().UserPoolTier == "LITE" {
		err = &state.Error{Type: "FeatureUnavailableInTierException", Message: "Point-in-time recovery is not available in the LITE pricing tier configured."}
	}
	return p, err
}

func (a *API) initiateRecovery(in *onRecovery) (any, error) {
	p, err := a.recoverable(in.UserPoolId)
	if err != nil {
		return nil, err
	}
	back := 24 * time.Hour
	if p.Rules().UserPoolTier == "PLUS" {
		back *= 14
	}
	now, to := a.state.Now(), timeOf(in.RestoreTimestamp)
	switch {
	case a.state.Paused(p.ID):
		return nil, &state.Error{Type: state.LimitExceeded, Message: "A point-in-time recovery is already in progress for the user pool."}
	case now.Sub(to) < leastBack:
		return nil, invalid("RestoreTimestamp must be at least 15 minutes in the past.")
	case now.Sub(to) > back:
		return nil, invalid("RestoreTimestamp is earlier than the recovery window of the user pool.")
	case to.Before(p.Created):
		return nil, invalid("RestoreTimestamp is earlier than the creation of the user pool.")
	}
	preview, err := a.state.Preview(p.ID, to)
	if err != nil {
		return nil, err
	}
	r := restoration{uuid(), previewGenerating, in.RestoreTimestamp, float64(now.UnixMilli()) / 1000, preview}
	d, err := a.state.SetDocument(p.ID, recoveries, r.RestoreId, func(state.Document, bool, map[string]state.Document) (state.Settings, error) {
		return r.settings(now.Add(p.RecoveryTime)), nil
	})
	return map[string]any{"Restoration": a.restorationOf(d)}, err
}

// finish ends a preview in another state. from are the states in which that can be.
func (a *API) finish(in *onRecovery, status string, from ...string) (any, error) {
	p, err := a.recoverable(in.UserPoolId)
	if err != nil {
		return nil, err
	}
	d, err := a.state.SetDocument(in.UserPoolId, recoveries, in.RestoreId, func(d state.Document, exists bool, _ map[string]state.Document) (state.Settings, error) {
		if !exists {
			return nil, &state.Error{Type: state.ResourceNotFound, Message: "Restoration " + in.RestoreId + " does not exist."}
		}
		r := a.restorationOf(d)
		if !slices.Contains(from, r.RestoreStatus) {
			return nil, invalid("The restoration is in status %s.", r.RestoreStatus)
		}
		r.RestoreStatus, r.RestorePreview = status, nil
		return r.settings(a.state.Now().Add(p.RecoveryTime)), nil
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{"Restoration": a.restorationOf(d)}, nil
}

func (a *API) startRecovery(in *onRecovery) (any, error) {
	done, err := a.finish(in, state.Restoring, previewGenerated)
	if err != nil {
		return nil, err
	}
	d, _, err := a.state.Document(in.UserPoolId, recoveries, in.RestoreId)
	if err != nil {
		return nil, err
	}
	return done, a.state.GoBack(in.UserPoolId, timeOf(a.restorationOf(d).RestoreTimestamp))
}

func timeOf(seconds float64) time.Time { return time.UnixMilli(int64(seconds * 1000)) }

func (a *API) cancelRecovery(in *onRecovery) (any, error) {
	return a.finish(in, previewCancelled, previewGenerating, previewGenerated)
}

func (a *API) describeRecovery(in *onRecovery) (any, error) {
	if _, err := a.recoverable(in.UserPoolId); err != nil {
		return nil, err
	}
	d, ok, err := a.state.Document(in.UserPoolId, recoveries, in.RestoreId)
	if err == nil && !ok {
		err = &state.Error{Type: state.ResourceNotFound, Message: "Restoration " + in.RestoreId + " does not exist."}
	}
	if err != nil {
		return nil, err
	}
	return map[string]any{"Restoration": a.restorationOf(d)}, nil
}

// listRecoveries lists those that are no previews, the newest first.
func (a *API) listRecoveries(in *onRecovery) (any, error) {
	if _, err := a.recoverable(in.UserPoolId); err != nil {
		return nil, err
	}
	_, docs, err := a.state.Documents(in.UserPoolId, recoveries)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(docs, func(x, y state.Document) int { return y.Created.Compare(x.Created) })
	list := make([]restoration, 0, len(docs))
	for _, d := range docs {
		if r := a.restorationOf(d); !strings.HasPrefix(r.RestoreStatus, "PREVIEW_") {
			r.TriggerTimestamp, r.RestorePreview = 0, nil
			list = append(list, r)
		}
	}
	return map[string]any{"Restorations": list[:min(len(list), limitOf(in.MaxResults))]}, nil
}

// writing are the beginnings of the names of operations that change users. While a
// recovery is looked at they are stopped.
var writing = []string{
	"SignUp", "ConfirmSignUp", "ConfirmForgotPassword", "ChangePassword", "UpdateUserAttributes", "DeleteUser", "VerifyUserAttribute", "SetUser", "AssociateSoftwareToken",
	"VerifySoftwareToken", "AdminCreate", "AdminUpdate", "AdminDelete", "AdminSet", "AdminReset", "AdminConfirm", "AdminAdd", "AdminRemove", "AdminEnable", "AdminDisable",
	"AdminLink", "CreateGroup", "UpdateGroup", "DeleteGroup", "ConfirmDevice", "CompleteWebAuthn", "DeleteWebAuthn", "CreateUserImportJob", "StartUserImportJob",
	"AdminForgetDevice", "ForgetDevice", "UpdateDeviceStatus", "GetUserAttributeVerificationCode", "AddCustomAttributes",
}

// writingChallenges are those whose answers write: a password, an authenticator app, or which
// of its codes was used. All others go on.
var writingChallenges = []string{newPasswordRequired, mfaSetup, softwareTokenMFA}

// writes reports whether an operation changes users.
func writes(name, challenge string) bool {
	switch {
	case name == "RespondToAuthChallenge", name == "AdminRespondToAuthChallenge":
		return slices.Contains(writingChallenges, challenge)
	case strings.HasPrefix(name, "SetUserPool"):
		return false
	}
	return slices.ContainsFunc(writing, func(begins string) bool { return strings.HasPrefix(name, begins) })
}

// stopped refuses what writes in a pool that is about to be recovered.
func (a *API) stopped(name string, of gist) error {
	if !writes(name, of.ChallengeName) {
		return nil
	}
	if c, ok := a.state.Client(of.ClientId); ok && of.UserPoolId == "" {
		of.UserPoolId = c.PoolID
	}
	if of.UserPoolId == "" && of.AccessToken != "" {
		if token, err := a.maker.Read(of.AccessToken); err == nil {
			of.UserPoolId = token.PoolID
		}
	}
	if of.UserPoolId == "" && of.Session != "" {
		of.UserPoolId = a.sessions.poolOf(of.Session)
	}
	if of.UserPoolId == "" || !a.state.Paused(of.UserPoolId) {
		return nil
	}
	return state.ErrPaused
}
