package codegrant

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/codegrant/codegrant/internal/keep"
	"github.com/codegrant/codegrant/internal/pages"
	"github.com/codegrant/codegrant/internal/returnto"
)

// userScope is what the pool's API for people asks of an access token.
const userScope = "aws.cognito.signin.user.admin"

// Everywhere is the result of signing a person out everywhere.
type Everywhere struct {
	Sessions int       `json:"sessions"` // that a store had
	NotDone  []NotDone `json:"not_done"` // what goes on elsewhere
}

// NotDone says what could not be done, for programs and in words.
type NotDone struct {
	What   string `json:"what"`
	Detail string `json:"detail"`
}

var (
	tokensGoOn    = NotDone{"refresh_tokens", "The user pool was not notified. It still accepts the refresh tokens of other apps and browsers. This service refuses them."}
	loginsGoOn    = NotDone{"login_sessions", "In other browsers, the sign-in pages may still remember you. At the next sign-in, this service has them ask you to sign in again."}
	othersUnaware = NotDone{"other_processes", "Other processes of this service could not be notified. They accept earlier sign-ins until those expire."}
	othersUnknown = NotDone{"other_identities", "The other identities of the person could not be read. If the person has any, their sessions continue."}
)

// SignOutEverywhere signs a person out here and, as far as possible, at the pool. For each
// identity of the person, it ends the sessions of the store and every proof from a sign-in
// before now (see [Auth.NotBefore]). It revokes the refresh tokens with [OwnSessions.GlobalSignOut]. The
// report lists what it could not do. After an error, sessions may still work here.
func (a *Auth) SignOutEverywhere(ctx context.Context, subject, username string) (Everywhere, error) {
	return a.own.endAll(ctx, subject, username, "the application", false)
}

// endAll is SignOutEverywhere; by is who has it done, told says that the pool has revoked the refresh tokens.
func (o *own) endAll(ctx context.Context, subject, username, by string, told bool) (Everywhere, error) {
	ctx = context.WithoutCancel(ctx)
	report := Everywhere{NotDone: []NotDone{}}
	identities, whole := o.sessions.Identities(ctx, subject)
	var err error
	report.Sessions, err = o.sessions.EndAll(ctx, identities)
	if !whole {
		report.NotDone = append(report.NotDone, othersUnknown)
	}
	markErr := o.mark(ctx, identities, o.Now(), by)
	if markErr != nil || !o.Marks.Shared() {
		report.NotDone = append(report.NotDone, othersUnaware)
	}
	told = told || o.tellPoolOf(ctx, subject, username)
	for _, i := range identities {
		if i.Subject != subject {
			o.audit(ctx, slog.LevelInfo, "sessions ended", slog.String("sub", i.Subject), slog.String("issuer", i.Issuer), slog.String("reason", "the person was signed out everywhere, by another identity"))
		}
		if i.Subject != subject && !i.Gone {
			told = i.Issuer == o.endpoints.Issuer && o.tellPoolOf(ctx, i.Subject, cmp.Or(i.Username, i.Subject)) && told
		}
	}
	if !told {
		report.NotDone = append(report.NotDone, tokensGoOn)
	}
	report.NotDone = append(report.NotDone, loginsGoOn)
	o.audit(ctx, slog.LevelInfo, "signed out everywhere", slog.String("sub", subject), slog.Int("sessions", report.Sessions), slog.Bool("pool_told", told))
	return report, err
}

// tellPoolOf has the pool revoke the refresh tokens of an identity, and reports whether it did.
func (o *own) tellPoolOf(ctx context.Context, subject, username string) bool {
	if o.Own.GlobalSignOut == nil {
		return false
	}
	err := o.Own.GlobalSignOut(ctx, username)
	if err != nil {
		o.audit(ctx, slog.LevelWarn, "refresh tokens not revoked", slog.String("sub", subject), slog.String("reason", err.Error()))
	}
	return err == nil
}

// poolTimeout is how long a person waits for the pool to be told.
const poolTimeout = 5 * time.Second

// tellPool has the pool revoke by the person's own tokens, and reports whether all
// refresh tokens were.
func (o *own) tellPool(ctx context.Context, id *Identity, held *keep.Held) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), poolTimeout)
	defer cancel()
	set, err := held.Tokens()
	if err != nil {
		return false
	}
	all := id.HasScope(userScope)
	if all {
		if err = o.out.clientOf(id.Issuer).GlobalSignOut(ctx, set.Access); err != nil {
			all = false
			o.audit(ctx, slog.LevelWarn, "refresh tokens not revoked", slog.String("sub", id.Subject), slog.String("reason", err.Error()))
		}
	}
	if !all && set.Refresh != "" {
		// With its login session, where the pool tracks those; the sign-out that follows
		// revokes the token where the API is out of reach.
		if err := o.out.clientOf(id.Issuer).RevokeLinked(ctx, set.Refresh); err != nil {
			o.audit(ctx, slog.LevelDebug, "login session not ended", slog.String("sub", id.Subject), slog.String("reason", err.Error()))
		}
	}
	return all
}

// everywhere signs the person out everywhere, this browser last.
func (o *own) everywhere(w http.ResponseWriter, r *http.Request, id *Identity, held *keep.Held) {
	told := o.tellPool(r.Context(), id, held)
	endErr := o.sessions.End(r.Context(), w, r)
	report, err := o.endAll(r.Context(), id.Subject, id.Username, "the person", told)
	o.out.clearCookies(w, r)
	if err = errors.Join(err, endErr); err != nil {
		o.unavailable(w, r, unavailable("sign out everywhere", err))
		return
	}
	next := o.out.client.LogoutURL(o.out.leaveThrough(w, ""))
	if !navigates(r) {
		writeJSON(w, http.StatusOK, struct {
			Everywhere
			LogoutURL string `json:"logout_url"`
		}{report, next})
		return
	}
	if len(report.NotDone) == 0 {
		returnto.Redirect(w, next, http.StatusSeeOther)
		return
	}
	page := pages.SignedOutEverywhere{Next: next}
	for _, n := range report.NotDone {
		switch n {
		case tokensGoOn:
			page.RefreshTokens = true
		case loginsGoOn:
			page.LoginSessions = true
		case othersUnaware, othersUnknown:
			page.OtherProcesses = true
		}
	}
	o.look.Render(w, r, http.StatusOK, page)
}
