package api

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/tokens"
)

// target reads what a sign-in by choice is to reach, and what an access token counts for
// on the way. (AWS, developer guide.)
// (Unconfirmed: "refusals of `TARGET_ACR_VALUES`, `MAX_AGE` and `ACCESS_TOKEN`".)
func (a *API) target(c state.Client, p map[string]string) (at progress, err error) {
	values, age, token := strings.Fields(p["TARGET_ACR_VALUES"]), p["MAX_AGE"], p["ACCESS_TOKEN"]
	if len(values) == 0 && age == "" && token == "" {
		return at, nil
	}
	pool, err := a.state.Describe(c.PoolID)
	switch {
	case err != nil:
		return at, err
	case pool.StepUp != state.StepUpOn:
		return at, nil
	case pool.Rules().UserPoolTier == "LITE":
		return at, &state.Error{Type: "FeatureUnavailableInTierException", Message: "Step-up authentication is not available in the LITE pricing tier configured."}
	case len(values) == 0 && token != "":
		return at, invalid("TARGET_ACR_VALUES is required with ACCESS_TOKEN.")
	}
	seconds := int64(-1)
	if age != "" {
		if seconds, err = strconv.ParseInt(age, 10, 64); err != nil || seconds < 0 {
			return at, invalid("MAX_AGE must be a number of seconds.")
		}
	}
	if len(values) > 0 {
		known := false
		if at.level, known = a.state.Asked(c.PoolID, p["USERNAME"], values); !known {
			if _, err := a.state.User(c.PoolID, p["USERNAME"]); err != nil {
				return progress{}, nil // who does not exist is asked as anybody is
			}
			return at, invalid("TARGET_ACR_VALUES has no value of the user pool.")
		}
		if at.level == 0 {
			return at, unauthorized("The user has no authentication factors for the requested level.")
		}
	}
	if token == "" {
		return at, nil
	}
	shown, signedIn, err := a.credit(c, token, p["USERNAME"])
	switch {
	case err != nil:
		return at, err
	case seconds >= 0 && a.state.Now().Sub(signedIn) > time.Duration(seconds)*time.Second:
		return at, nil // all of it must be shown anew
	case shown.Level >= at.level:
		return at, invalid("The access token is already at the requested level.")
	}
	at.shown = shown
	return at, nil
}

// credit is what an access token of the user counts for.
func (a *API) credit(c state.Client, token, name string) (shown state.Shown, signedIn time.Time, err error) {
	pool, u, err := a.own(token)
	if err != nil {
		return shown, signedIn, err
	}
	claims, err := a.maker.Read(token)
	if err != nil {
		return shown, signedIn, err
	}
	named, err := a.state.User(c.PoolID, name)
	if err != nil || pool != c.PoolID || named.Sub() != u.Sub() {
		return shown, signedIn, unauthorized("The access token is not the user's.")
	}
	return credited(claims), claims.SignedIn(), nil
}

// credited are the methods that a token names.
func credited(claims tokens.Claims) state.Shown {
	return state.Showed(slices.DeleteFunc(slices.Clone(claims.AMR), func(m string) bool { return m == "mfa" })...)
}

// reaching are what a user may begin a sign-in with that is to reach a level.
func (a *API) reaching(pool state.Pool, u state.User, level int) []string {
	available := challengesOf(pool.Rules(), u)
	if level == 0 {
		return available
	}
	return slices.DeleteFunc(available, func(name string) bool {
		if name == passwordSRP {
			name = passwordChallenge
		}
		return !a.state.Reaches(pool.ID, u.Sub(), name, level)
	})
}
