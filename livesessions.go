package codegrant

import (
	"context"
	"errors"
	"time"

	"github.com/codegrant/codegrant/internal/keep"
)

// LiveSession is a session of a person, for operators.
type LiveSession struct {
	// ID names the session among those of the person. It is a hash, and of no use to take
	// the session over.
	ID        string
	SignedIn  time.Time
	LastUsed  time.Time // to a tenth of the idle lifetime
	Ends      time.Time // unless it is used before
	UserAgent string    // of the browser that signed in, as it called itself; empty: unknown
	Browser   string    // the same in words, as far as Config.Own.DescribeAgent has some
	System    string
	Address   string // that it came from; empty: unknown
}

// Sessions lists the live sessions of a person, the last used first, and reports whether
// the list is complete. If browsers carry the sessions, none is known.
func (a *Auth) Sessions(ctx context.Context, subject string) (list []LiveSession, complete bool, err error) {
	all, complete, err := a.own.sessions.ListOf(ctx, subject)
	if errors.Is(err, keep.ErrNoList) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, unavailable("list the sessions", err)
	}
	for _, one := range all {
		s := LiveSession{ID: string(one.Key), SignedIn: one.Created, LastUsed: one.LastSeen, Ends: one.Expires, UserAgent: one.Note.Agent, Address: one.Note.Address}
		s.Browser, s.System = a.own.describe(one.Note.Agent)
		list = append(list, s)
	}
	return list, complete, nil
}

// EndSession ends one session of a person, and reports whether there was one. id is that of
// [Auth.Sessions], and why is for the log. The refresh token stays valid at the pool, but
// only the browser's cookie can open it. [Auth.SignOutEverywhere] ends all sessions.
func (a *Auth) EndSession(ctx context.Context, subject, id, why string) (bool, error) {
	found, err := a.own.sessions.EndOf(ctx, subject, keep.Key(id), why)
	switch {
	case errors.Is(err, keep.ErrNoList):
		return false, nil
	case err != nil:
		return false, unavailable("end the session", err)
	}
	return found, nil
}
