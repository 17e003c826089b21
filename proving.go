package codegrant

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/internal/keep"
	"github.com/codegrant/codegrant/internal/prove"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/session"
)

// A person who is signed in proves another identity of theirs: they sign in with it, and
// their session stays as it is. The other sign-in makes only a cookie, which says who it was.
// It is for this session, and lasts ten minutes.

const provenPurpose = "proven identity"

// anew is what the sign-in with another identity has to be: the pool's own login session is
// no proof, it may be of whoever sat there before.
var anew = demand{aged: true}

// poolSkew is how far the pool's clock may be behind ours for a sign-in to be seen as begun here.
const poolSkew = 5 * time.Second

// Proven is an identity that a person proved beside the one of their session.
type Proven struct {
	Issuer  string
	Subject string
	UserID  int64     // the row of the person in the replica, at the time of the proof; 0: there is none
	At      time.Time // when they signed in with it

	// Snapshot is what the sign-in said of them. The replica has not heard of it: apply it
	// when the person has confirmed what you do with the identity. It is empty without
	// [Config.Replica], and lacks what is too long for a cookie.
	Snapshot replica.Snapshot
}

// ProveAnother has the person of a request sign in with another identity, at the pool of a and
// with the named identity provider of the pool (empty: people choose). It needs a request with
// a session that passed [Auth.Require]. The session stays. The person returns to returnTo, a
// path of this service, and [Auth.Proven] says there who they are. If they do not finish,
// returnTo gets the query proven=denied, and if the pool did not ask them anew, proven=old.
func (a *Auth) ProveAnother(w http.ResponseWriter, r *http.Request, provider, returnTo string) {
	id, _ := From(r.Context())
	if id.SessionID() == "" {
		a.signIn.unauthorized(w, r, nil)
		return
	}
	at := newAttempt(a.signIn.Now(), a.signIn.returnTo(returnTo), anew)
	at.proving = id.SessionID()
	query := url.Values{"identity_provider": {provider}, "lang": {r.URL.Query().Get("lang")}}
	a.signIn.audit(r.Context(), slog.LevelInfo, "another identity to be proven", slog.String("sub", id.Subject), slog.String("session", id.SessionID()))
	a.signIn.provenCookie().Clear(w) // of an earlier one
	a.signIn.send(w, r, at, query, "login")
}

// Proven returns the identity that was proven for the session of a request that passed
// [Auth.Require], within the last ten minutes. It reports false if there is none, or if the
// identity was marked since (see [Auth.NotBefore]): signed out everywhere, disabled, linked
// or unlinked. An [ErrUnavailable] says that the marks cannot be read.
func (a *Auth) Proven(r *http.Request) (Proven, bool, error) {
	id, _ := From(r.Context())
	cookie := a.signIn.provenCookie()
	values, err := cookie.Values(r)
	if id.SessionID() == "" || err != nil || len(values) != 1 {
		return Proven{}, false, nil
	}
	plain, err := a.signIn.Keys.Open(provenPurpose, values[0], a.signIn.provenBinding(id.SessionID()))
	if err != nil {
		return Proven{}, false, nil
	}
	var p Proven
	if json.NewDecoder(io.LimitReader(flate.NewReader(bytes.NewReader(plain)), 1<<20)).Decode(&p) != nil {
		return Proven{}, false, nil
	}
	if age := a.signIn.Now().Sub(p.At); age > attemptLifetime || age < -clockSkew {
		return Proven{}, false, nil
	}
	// Strictly: whoever proved it in the second of a mark does so again.
	err = a.bearer.prover.Counts(r.Context(), p.Subject, p.At, prove.Strictly)
	if errors.Is(err, fault.Revoked) {
		return Proven{}, false, nil
	}
	return p, err == nil, err
}

// ForgetProven takes back what ProveAnother has led to: after use, or if the person cancels.
func (a *Auth) ForgetProven(w http.ResponseWriter) { a.signIn.provenCookie().Clear(w) }

func (in *signIn) provenCookie() session.Cookie {
	return session.Cookie{Name: in.cookieName("__Host-", "proven"), Path: "/", Secure: in.secure, SameSite: http.SameSiteLaxMode}
}

func (in *signIn) provenBinding(sessionID string) []byte {
	return []byte(in.binding + " " + sessionID)
}

// proven ends a sign-in that was to prove another identity.
func (in *signIn) proven(ctx context.Context, w http.ResponseWriter, r *http.Request, at attempt, state string, tokens cognito.TokenSet) {
	who, would, err := in.sessions.Prove(ctx, keep.Grant{Tokens: tokens, Nonce: at.nonce(), Began: at.created, Ours: true})
	// Not every pool asks anew: its login session may be of whoever sat there before.
	asked := !who.AuthTime.Before(at.created.Add(-poolSkew))
	if errors.Is(err, fault.Revoked) || err == nil && (!asked || !at.demand.missing(in.standards, who.ACR, who.AuthTime).isNothing()) {
		in.audit(ctx, slog.LevelInfo, "identity not proven: the pool did not ask who it is", slog.String("sub", who.Subject))
		in.arrive(w, r, withOutcome(at.returnTo, "old"))
		return
	}
	if err != nil {
		in.refuseSignIn(w, r, at.returnTo, err)
		return
	}
	now := in.Now()
	if began := who.Began(); began.Before(now) { // what was marked since is not for this proof to outlive
		now = began
	}
	sealed, err := in.sealProven(Proven{Issuer: who.Issuer, Subject: who.Subject, UserID: who.UserID, At: now.UTC(), Snapshot: would}, at.proving)
	if err != nil {
		in.refuseSignIn(w, r, at.returnTo, fmt.Errorf("keep the proven identity: %w", err))
		return
	}
	in.audit(ctx, slog.LevelInfo, "another identity proven", slog.String("sub", who.Subject), slog.String("session", at.proving))
	in.provenCookie().Set(w, sealed, attemptLifetime)
	in.finishAttempt(w, state, at)
	in.arrive(w, r, at.returnTo)
}

// maxProven is what a browser keeps of one cookie, less its name and attributes.
const maxProven = 3800

// shorter are what a snapshot can lack, one after the other.
var shorter = []func(*replica.Snapshot){
	func(*replica.Snapshot) {},
	func(s *replica.Snapshot) { s.Custom = nil },
	func(s *replica.Snapshot) { s.Groups, s.GroupsKnown = nil, false },
	func(s *replica.Snapshot) {
		s.Name, s.GivenName, s.FamilyName, s.PhoneNumber, s.Locale = "", "", "", "", ""
	},
}

// sealProven is the value of the cookie.
func (in *signIn) sealProven(p Proven, sessionID string) (string, error) {
	for _, shorten := range shorter {
		shorten(&p.Snapshot)
		var packed bytes.Buffer
		deflate, err := flate.NewWriter(&packed, flate.BestCompression)
		if err == nil {
			err = errors.Join(json.NewEncoder(deflate).Encode(p), deflate.Close())
		}
		if err != nil {
			return "", err
		}
		if value := in.Keys.Seal(provenPurpose, packed.Bytes(), in.provenBinding(sessionID)); len(value) <= maxProven {
			return value, nil
		}
	}
	return "", errors.New("the names of the identity are too long for a cookie")
}

// notProven answers somebody who has come back without a proof. What a trigger of the pool
// says to them is for the page of a sign-in that failed.
func (in *signIn) notProven(w http.ResponseWriter, r *http.Request, at attempt, denied *cognito.CallbackError) bool {
	if _, ok := cognito.ParseTriggerError(denied.Description); ok || at.proving == "" {
		return false
	}
	in.audit(r.Context(), slog.LevelInfo, "identity not proven", slog.String("session", at.proving), slog.String("reason", denied.Error()))
	in.arrive(w, r, withOutcome(at.returnTo, "denied"))
	return true
}

func withOutcome(target, outcome string) string {
	joint := "?"
	if strings.Contains(target, "?") {
		joint = "&"
	}
	return target + joint + "proven=" + outcome
}

// EndIdentity ends the sessions of one identity of this pool, and refuses what it proved
// before now (see [Auth.NotBefore]). Call it after you linked or unlinked an identity: its
// sessions know the former row. Other identities of the person are not affected.
func (a *Auth) EndIdentity(ctx context.Context, subject string) error {
	ctx = context.WithoutCancel(ctx)
	named := a.gate.named(subject)
	_, err := a.sessions.EndAll(ctx, named)
	a.gate.audit(ctx, slog.LevelInfo, "sessions ended", slog.String("sub", subject), slog.String("issuer", a.gate.endpoints.Issuer), slog.String("reason", "the identity was linked or unlinked"))
	return errors.Join(err, a.gate.mark(ctx, named, a.gate.Now(), "an identity that was linked or unlinked"))
}
