package localpool

import (
	"fmt"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// StepUp is what a pool makes of acr_values and max_age at its login pages, and of
// TARGET_ACR_VALUES in the JSON API. Not every pool of Amazon's looks at them.
type StepUp string

const (
	// StepUpOn has people asked for what they have not shown yet.
	StepUpOn StepUp = "on"
	// StepUpIgnored passes over the parameters without a word, as pools of the Lite plan and
	// those with the classic hosted UI do. Tokens have acr and amr all the same.
	StepUpIgnored StepUp = "ignored"
	// StepUpAbsent has tokens without acr and amr besides: a pool that knows of none of it.
	StepUpAbsent StepUp = "absent"
)

var stepUps = []StepUp{StepUpOn, StepUpIgnored, StepUpAbsent}

func (m StepUp) check() error {
	if m != "" && !slices.Contains(stepUps, m) {
		return fmt.Errorf("step_up is on, ignored or absent, not %q", string(m))
	}
	return nil
}

func (m StepUp) kept() string {
	if m == StepUpOn {
		return state.StepUpOn
	}
	return string(m)
}

// SetStepUp sets what a pool makes of acr_values and max_age from now on.
func (s *Server) SetStepUp(poolID string, mode StepUp) error {
	if err := mode.check(); err != nil {
		return fmt.Errorf("local pool: %w", err)
	}
	return s.state.SetStepUp(poolID, mode.kept())
}

// AddAuthenticator gives a user an authenticator app, which [Server.AuthenticatorCode] reads.
// With always it is asked for at each sign-in; without, where the app asks for a level by
// acr_values. A pool that has no second factors has them from then on, for those who have
// one.
func (s *Server) AddAuthenticator(poolID, username string, always bool) error {
	if err := s.state.AddToken(poolID, username, "", always); err != nil {
		return fmt.Errorf("local pool: add an authenticator app of %s: %w", username, err)
	}
	return nil
}

// AuthenticatorCode is what a user's authenticator app shows: the next code that was not
// used, at the pool's time. A second one within half a minute is that of the next half; a
// third needs [Server.Advance].
func (s *Server) AuthenticatorCode(poolID, username string) (string, error) {
	code, err := s.state.TokenCode(poolID, username)
	if err != nil {
		return "", fmt.Errorf("local pool: authenticator app of %s: %w", username, err)
	}
	return code, nil
}

// authenticatorKey is a key of a seed as apps take it: base32, with or without spaces.
func authenticatorKey(text string) string {
	return strings.ToUpper(strings.TrimRight(strings.ReplaceAll(text, " ", ""), "="))
}
