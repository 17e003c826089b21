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
	recoveries       = state.Recoveries
	previewGenerated = state.PreviewGenerated
	previewCancelled = "PREVIEW_CANCELLED"
	previewExpired   = "PREVIEW_EXPIRED"
	restoreCompleted = "RESTORE_COMPLETED"

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

func (r restoration) settings() state.Settings {
	return state.Settings{"r": mustRaw(r)}
}

// restorationOf reads a recovery; a preview that nobody took up expires.
func (a *API) restorationOf(d state.Document) (r restoration) {
	_ = json.Unmarshal(d.Members["r"], &r) // written here
	if r.RestoreStatus == previewGenerated && a.state.Now().After(d.Created.Add(state.PreviewLifetime)) {
		r.RestoreStatus, r.RestorePreview = previewExpired, nil
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
	r := restoration{uuid(), previewGenerated, in.RestoreTimestamp, float64(now.UnixMilli()) / 1000, preview}
	_, err = a.state.SetDocument(p.ID, recoveries, r.RestoreId, func(state.Document, bool, map[string]state.Document) (state.Settings, error) {
		return r.settings(), nil
	})
	return map[string]any{"Restoration": r}, err
}

// finish ends a preview in another state.
func (a *API) finish(in *onRecovery, status string) (any, error) {
	if _, err := a.recoverable(in.UserPoolId); err != nil {
		return nil, err
	}
	var r restoration
	_, err := a.state.SetDocument(in.UserPoolId, recoveries, in.RestoreId, func(d state.Document, exists bool, _ map[string]state.Document) (state.Settings, error) {
		if !exists {
			return nil, &state.Error{Type: state.ResourceNotFound, Message: "Restoration " + in.RestoreId + " does not exist."}
		}
		if r = a.restorationOf(d); r.RestoreStatus != previewGenerated {
			return nil, invalid("The restoration is in status %s.", r.RestoreStatus)
		}
		r.RestoreStatus, r.RestorePreview = status, nil
		return r.settings(), nil
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{"Restoration": r}, nil
}

func (a *API) startRecovery(in *onRecovery) (any, error) {
	done, err := a.finish(in, restoreCompleted)
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

func (a *API) cancelRecovery(in *onRecovery) (any, error) { return a.finish(in, previewCancelled) }

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
