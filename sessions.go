package codegrant

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/session"
)

// live is a session that a request proved to hold.
type live struct {
	handle session.Handle
	record session.Record
	*payload
}

// createSession stores p under a new id and hands it to the browser. Sessions
// that the browser presented are ended: an id from before a sign-in is worth
// nothing after it.
func (a *Auth) createSession(ctx context.Context, w http.ResponseWriter, r *http.Request, p *payload) error {
	ended, _ := a.endPresented(ctx, r) // a store that cannot delete cannot create either
	for _, old := range ended {
		a.revokeBehind(ctx, old.identity.Subject, old.refreshToken())
	}
	now := a.Now()
	handle := session.NewHandle()
	record := session.Record{
		ID: handle.RecordID(), Pool: a.binding, Subject: p.identity.Subject,
		Created: now, LastSeen: now, Expires: a.sessionEnd(now, now),
	}
	record.Sealed = p.seal(handle, record)
	if err := a.Sessions.Create(ctx, record); err != nil {
		return unavailable("store the session", err)
	}
	if err := a.stillEnabled(ctx, p); err != nil {
		// If it stays, nobody has what opens it.
		if err := a.Sessions.Delete(ctx, record.ID); err != nil {
			a.audit(ctx, slog.LevelError, "session not deleted", slog.String("session", shortID(record.ID)), slog.String("reason", err.Error()))
		}
		return err
	}
	a.sweepSometimes()
	p.identity.sessionID = shortID(record.ID)
	a.cookie.Set(w, handle.Encode(), a.AbsoluteTimeout)
	return nil
}

// stillEnabled asks the replica once more when a session is there to be found. Whoever
// disables somebody does that first and then ends their sessions: one that was not
// there yet is seen to here, and every other one there.
func (a *Auth) stillEnabled(ctx context.Context, p *payload) error {
	if a.Replica == nil {
		return nil
	}
	u, err := a.Replica.User(ctx, p.identity.UserID)
	switch {
	case err != nil:
		return unavailable("look at the replica again", err)
	case !u.Enabled:
		return ErrUserDisabled
	}
	return nil
}

const (
	sweepInterval = 10 * time.Minute
	sweepBatch    = 1000
)

// sweepSometimes has the store let go of what has expired, beside a sign-in.
// Processes that share a store may do so at the same time.
func (a *Auth) sweepSometimes() {
	now, last := a.Now().UnixNano(), a.swept.Load()
	if now-last < int64(sweepInterval) || !a.swept.CompareAndSwap(last, now) {
		return
	}
	a.behind("sweep of sessions", func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		for n := sweepBatch; n >= sweepBatch; {
			var err error
			if n, err = a.Sessions.DeleteExpired(ctx, sweepBatch); err != nil {
				a.audit(ctx, slog.LevelWarn, "expired sessions not deleted", slog.String("reason", err.Error()))
				return
			}
		}
	})
}

// sessionEnd is the sooner of the idle and the absolute end.
func (a *Auth) sessionEnd(created, seen time.Time) time.Time {
	idle, absolute := seen.Add(a.IdleTimeout), created.Add(a.AbsoluteTimeout)
	if idle.Before(absolute) {
		return idle
	}
	return absolute
}

// maxPresented bounds the work that one request can cause by repeating a cookie.
const maxPresented = 4

// readSession finds the session of a request. Without one, or with one that has
// ended, it returns nil and ErrSessionEnded or nil: the latter where the request
// claims none.
func (a *Auth) readSession(r *http.Request) (*live, error) {
	values, err := a.cookie.Values(r)
	if err != nil {
		return nil, err
	}
	if len(values) == 0 {
		return nil, nil
	}
	var found *live
	for _, value := range values[:min(len(values), maxPresented)] {
		handle, err := session.ParseHandle(value)
		if err != nil {
			continue
		}
		l, err := a.load(r.Context(), handle)
		if errors.Is(err, ErrSessionEnded) {
			continue
		}
		if err != nil {
			return nil, err
		}
		// A sibling host can plant a second cookie of our name. Which of two
		// people is meant cannot be known.
		if found != nil && found.record.Subject != l.record.Subject {
			return nil, ErrAmbiguousCookie
		}
		if found == nil {
			found = l
		}
	}
	if found == nil {
		return nil, ErrSessionEnded
	}
	return found, nil
}

// heldBy finds what a browser is signed in with already.
func (a *Auth) heldBy(w http.ResponseWriter, r *http.Request) (*live, error) {
	if a.shared != nil {
		return a.carriedOf(w, r)
	}
	return a.readSession(r)
}

// errUnreadable: there is a record, of another version perhaps.
var errUnreadable = fmt.Errorf("%w: its record does not open", ErrSessionEnded)

// load reads and opens one record.
func (a *Auth) load(ctx context.Context, handle session.Handle) (*live, error) {
	id := handle.RecordID()
	record, err := a.Sessions.Get(ctx, id)
	switch {
	case errors.Is(err, session.ErrNotFound):
		return nil, ErrSessionEnded
	case err != nil:
		return nil, unavailable("read the session", err)
	case record.ID != id || record.Pool != a.binding || !a.Now().Before(record.Expires):
		return nil, ErrSessionEnded
	}
	return a.open(ctx, handle, record)
}

func (a *Auth) open(ctx context.Context, handle session.Handle, record session.Record) (*live, error) {
	p, err := openPayload(handle, record)
	if err != nil {
		// The id was right and the key or the format was not: tampering, or a
		// record of a newer version. Either way it proves nothing.
		a.audit(ctx, slog.LevelWarn, "session record unreadable", slog.String("session", shortID(record.ID)), slog.String("reason", err.Error()))
		return nil, errUnreadable
	}
	id := &p.identity
	id.Issuer, id.Subject, id.ClientID = a.endpoints.Issuer, record.Subject, a.Pool.ClientID
	id.Method, id.sessionID = MethodSession, shortID(record.ID)
	l := &live{handle: handle, record: record, payload: p}
	id.tokens = func() (cognito.Secret, cognito.Secret) {
		t, err := openTokens(l.handle, l.record)
		if err != nil {
			return "", "" // opened a moment ago under the same key: damaged in memory at most
		}
		return t.id, t.access
	}
	return l, nil
}

// openTokens opens the tokens of a session, for those who need them.
func (l *live) openTokens() (tokenPart, error) {
	if l.record.ID == "" {
		return l.tokens, nil // of shared cookies
	}
	return openTokens(l.handle, l.record)
}

// refreshToken is that of the session, or empty.
func (l *live) refreshToken() cognito.Secret {
	tokens, err := l.openTokens()
	if err != nil {
		return ""
	}
	return tokens.refresh
}

// touch moves the idle end, once per tenth of the idle lifetime. It is best
// effort: whoever changed the record meanwhile has touched it too.
func (a *Auth) touch(ctx context.Context, l *live) {
	now := a.Now()
	if now.Sub(l.record.LastSeen) < a.IdleTimeout/10 {
		return
	}
	record := l.record
	record.LastSeen, record.Expires = now, a.sessionEnd(record.Created, now)
	stored, err := a.Sessions.CompareAndSwap(ctx, record)
	if err == nil {
		l.record = stored
	} else if !errors.Is(err, session.ErrConflict) && !errors.Is(err, session.ErrNotFound) {
		a.audit(ctx, slog.LevelWarn, "session not touched", slog.String("session", shortID(record.ID)), slog.String("reason", err.Error()))
	}
}

// endPresented deletes the sessions that a request presents, and returns those that
// it could read. A session is named by its secret, never by an id that somebody
// else could know.
func (a *Auth) endPresented(ctx context.Context, r *http.Request) (ended []*live, err error) {
	values, err := a.cookie.Values(r)
	for _, value := range values[:min(len(values), maxPresented)] {
		handle, parseErr := session.ParseHandle(value)
		if parseErr != nil {
			continue
		}
		l, loadErr := a.load(ctx, handle)
		switch {
		case loadErr == nil, errors.Is(loadErr, errUnreadable):
		case errors.Is(loadErr, ErrSessionEnded):
			continue
		default:
			err = errors.Join(err, loadErr)
		}
		// Also one that cannot be read: it may be of another version, or the store
		// may be coming back.
		if deleteErr := a.Sessions.Delete(ctx, handle.RecordID()); deleteErr != nil {
			err = errors.Join(err, unavailable("delete the session", deleteErr))
		} else if l != nil {
			ended = append(ended, l)
		}
	}
	return ended, err
}

// shortID names a session in logs: part of a hash, of no use to take it over.
func shortID(recordID string) string { return recordID[:min(len(recordID), 12)] }

// SessionPool is what the records of an app client's sessions say in
// [session.Record.Pool]: for those who list and end sessions in a store by hand.
func SessionPool(pool cognito.Pool) (string, error) {
	endpoints, err := pool.Endpoints()
	if err != nil {
		return "", err
	}
	return endpoints.Issuer + " " + pool.ClientID, nil
}
