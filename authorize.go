package codegrant

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// StepUpError says that a person is signed in, but not at the level, or not as recently, as
// a permission needs. It is an [ErrForbidden] that a new sign-in may fix.
//
// [[Auth.Require] handles it: it sends a browser to sign in again and back to the page, and
// answers a program with 401 and the challenge. Callers of [Auth.Authorize] get it to write
// their own answer.
type StepUpError struct {
	// Levels are the accepted values of acr, the lowest first. Empty: any.
	Levels []string
	// MaxAge is the maximum age of the sign-in. 0: any age.
	MaxAge time.Duration

	demand demand
	needs  string
}

// Error says what the permission needs.
func (e *StepUpError) Error() string { return ErrForbidden.Error() + ": needs " + e.needs }

// Unwrap returns [ErrForbidden].
func (e *StepUpError) Unwrap() error { return ErrForbidden }

// Challenge is the WWW-Authenticate value that asks for a token of another sign-in (RFC
// 9470, section 3).
func (e *StepUpError) Challenge() string {
	var b strings.Builder
	b.WriteString(`Bearer realm="codegrant", error="insufficient_user_authentication", error_description="`)
	switch {
	case len(e.Levels) > 0 && e.MaxAge > 0:
		b.WriteString("a higher level of authentication is needed, and a more recent one")
	case e.MaxAge > 0:
		b.WriteString("a more recent authentication is needed")
	default:
		b.WriteString("a higher level of authentication is needed")
	}
	b.WriteByte('"')
	if len(e.Levels) > 0 {
		b.WriteString(`, acr_values="` + strings.Join(e.Levels, " ") + `"`)
	}
	if e.MaxAge > 0 {
		b.WriteString(`, max_age="` + seconds(e.MaxAge) + `"`)
	}
	return b.String()
}

func seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

// Authorize reports whether an identity has all of the permissions, by the rules of
// [Auth.Require]. Use it for protocols other than HTTP, such as gRPC. Without a permission,
// being signed in is enough. Permissions get r as the request.
//
// The error is a [*StepUpError] if signing in again may help. Otherwise it is an
// [ErrForbidden], or an [ErrUnavailable] if Codegrant could not find out.
func (a *Auth) Authorize(ctx context.Context, id *Identity, r *http.Request, permissions ...Permission) error {
	return a.gate.authorize(ctx, a.gate.measured(id), r, allOf(permissions))
}

// authorize asks a permission.
func (s *site) authorize(ctx context.Context, id *Identity, r *http.Request, need Permission) error {
	own, _ := need.(permission)
	switch {
	case id == nil:
	case id.Machine && !own.machines:
		return errMachine(id)
	case !own.actors && !s.mayAct(id):
		return errActor(id)
	}
	allowed, err := need.Check(ctx, id, r)
	switch {
	case err != nil:
		return unavailable("check the permission", err)
	case allowed:
		return nil
	}
	return s.refusal(ctx, id, r, need)
}

// refusal says why a permission refused somebody.
func (s *site) refusal(ctx context.Context, id *Identity, r *http.Request, need Permission) error {
	if id != nil && !id.Machine { // who has not signed in cannot do so again
		if wanted, ok := remedyOf(ctx, need, id, r); ok && !wanted.isNothing() {
			return s.stepUpTo(wanted, need)
		}
	}
	if why := whyOf(ctx, need, id, r); why != "" {
		return fmt.Errorf("%w: needs %s: %s", ErrForbidden, need, why)
	}
	return fmt.Errorf("%w: needs %s", ErrForbidden, need)
}

func (s *site) stepUpTo(wanted demand, need Permission) *StepUpError {
	return &StepUpError{Levels: slices.Clone(s.standards.from(wanted.level)), MaxAge: wanted.maxAge, demand: wanted, needs: need.String()}
}

// measured holds an identity that the application has made to what is configured here.
func (s *site) measured(id *Identity) *Identity {
	if id == nil || id.measuredBy() == s.standards {
		return id
	}
	own := *id
	own.standards = s.standards
	return &own
}
