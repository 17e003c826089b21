package codegrant

import (
	"context"
	"log/slog"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/internal/behind"
	"github.com/codegrant/codegrant/internal/keep"
	"github.com/codegrant/codegrant/internal/people"
	"github.com/codegrant/codegrant/internal/prove"
	"github.com/codegrant/codegrant/session"
)

// GroupSource says whose groups an identity is in.
type GroupSource string

// The sources of groups.
const (
	// GroupsOfToken are the groups that the pool put in the ID token. The default.
	GroupsOfToken GroupSource = people.GroupsOfToken
	// GroupsOfReplica are the groups that the replica has the person in: the pool's as it
	// last stated them, and those that were given here, by GrantLocalGroup or in Django.
	GroupsOfReplica GroupSource = people.GroupsOfReplica
	// GroupsOfBoth are the token's groups, and of the replica's those that were given here.
	GroupsOfBoth GroupSource = people.GroupsOfBoth
)

// MethodSharedTokens is the method of identities that the cookies of
// [Config.InsecureSharedTokensDomain] proved.
const MethodSharedTokens Method = prove.BySharedTokens

// The kinds of work that [Config.OnWork] gets.
const (
	WorkRefresh    = keep.WorkRefresh    // new tokens for a session
	WorkRevocation = keep.WorkRevocation // a refresh token that is no longer wanted
)

// keeper chooses the way to keep sign-ins. It is the only place that asks which.
func (s *settings) keeper(endpoints cognito.Endpoints, prover *prove.Prover, lifetimes keep.Lifetimes, work *behind.Work) keep.Keeper {
	switch {
	case s.InsecureSharedTokensDomain != "":
		s.Logger.Warn("tokens are shared in cookies with every host of a domain: each of them can read and use them",
			"domain", s.InsecureSharedTokensDomain)
		s.Logger.Warn("turn refresh token rotation off at the app client while a backend with the Python package shares the tokens, and on after it: the package drops a rotated token")
		return keep.NewShared(keep.SharedConfig{
			Domain: s.InsecureSharedTokensDomain, Secure: s.secure, SameSite: s.cookie.SameSite,
			Prover: prover, Lifetimes: lifetimes, Now: s.Now, Logger: s.Logger, OldIssuer: s.oldIssuer(),
		})
	case s.CookieSessions:
		s.Logger.Warn("sessions are only in cookies: nobody but the browser can end one, and each process refreshes by itself")
		return keep.NewSealed(keep.SealedConfig{
			Cookie: s.cookie, Keys: s.Keys, Binding: s.Pool.ClientID + " " + s.Pool.ID + " " + s.Pool.Issuer,
			Prover: prover, Lifetimes: lifetimes, Now: s.Now, Logger: s.Logger,
		})
	}
	return keep.NewStored(keep.StoredConfig{
		Store: s.Sessions, Cookie: s.cookie, Issuer: endpoints.Issuer, Client: s.Pool.ClientID,
		Lifetimes: lifetimes, Now: s.Now, Logger: s.Logger, Behind: work,
	})
}

// people is the application's say about persons.
func (s *site) people(issuer string) *people.People {
	p := &people.People{
		Replica: s.Replica, Accounts: people.NewAccounts(s.Replica, issuer, string(s.Groups), s.UserMaxAge, s.Now),
		Was: s.SamePerson,
		Partly: func(ctx context.Context, subject string, err error) {
			s.Logger.LogAttrs(ctx, slog.LevelWarn, "replica holds a part of what the pool says", slog.String("sub", subject), slog.String("reason", err.Error()))
		},
	}
	if s.Admit != nil {
		p.Ask = func(ctx context.Context, who *prove.Person) error {
			id := s.identityOf(who, "", nil) // the application may keep it
			return s.Admit(ctx, &id)
		}
	}
	return p
}

// SessionPool returns the value of [session.Record].Pool for the sessions of an app client.
// Use it to list and end sessions directly in a store.
func SessionPool(pool cognito.Pool) (string, error) {
	endpoints, err := pool.Endpoints()
	if err != nil {
		return "", err
	}
	return keep.Binding(endpoints.Issuer, pool.ClientID), nil
}

// shelved is a store that has a cupboard.
type shelved interface{ Cupboard() cupboard.Store }

// cupboardOf is that of a session store, or of what keeps its ends; nil: it has none.
func cupboardOf(sessions session.Store) cupboard.Store {
	if enduring, ok := sessions.(*session.EnduringStore); ok {
		if s, ok := enduring.Ends().(shelved); ok {
			return s.Cupboard()
		}
	}
	if s, ok := sessions.(shelved); ok {
		return s.Cupboard()
	}
	return nil
}

// notes says where it is kept where sign-ins were made.
func (s *settings) notes() keep.Notes {
	if s.unkeyed {
		return keep.Notes{}
	}
	return keep.Notes{Store: s.Cupboard, Keys: s.Keys, Binding: s.binding}
}

// logCannot says at the start what the chosen way to keep sign-ins cannot do.
func (s *settings) logCannot(cannot []keep.Exception) {
	var attrs []any
	for _, e := range cannot {
		attrs = append(attrs, slog.String(e.Promise, e.Why))
	}
	if len(attrs) > 0 {
		s.Logger.Warn("promises of docs/security.md that this way to keep sessions cannot keep", attrs...)
	}
}

// owed says where revocations are kept that the pool has not made.
func (s *settings) owed() keep.Owed {
	if s.Cupboard == nil || s.unkeyed {
		s.Logger.Info("refresh tokens that the pool did not revoke are forgotten when this process stops; configure keys and a database or Redis (in Go: Keys and Cupboard) to revoke them later")
		return keep.Owed{}
	}
	return keep.Owed{Store: s.Cupboard, Keys: s.Keys, Binding: s.binding}
}
