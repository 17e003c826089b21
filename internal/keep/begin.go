package keep

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/people"
	"github.com/codegrant/codegrant/internal/prove"
	"github.com/codegrant/codegrant/verify"
)

// Grant is a token set to begin a sign-in with.
type Grant struct {
	Tokens cognito.TokenSet
	Nonce  string    // that was sent; empty: none was, from here
	Began  time.Time // when the browser was sent to the pool; zero: it was not, from here
	// Enough reports whether somebody has what the browser was sent to the pool for. nil:
	// whoever it is.
	Enough func(prove.Person) bool
	// Ours: this service redeemed the tokens, and has the refresh token revoked if
	// nothing comes of them.
	Ours bool
	// Again is called when the browser had a sign-in of the same person, which the new one takes
	// the place of. nil: nobody is told.
	Again func(ctx context.Context, was, is *Held)
	// Note says where the sign-in is made.
	Note Note
}

// Begin keeps a new sign-in: the tokens are verified, the application and its replica
// are asked, the sign-ins that the browser presents are ended, and the new one is
// handed to it. Nothing is kept of one that fails.
func (s *Sessions) Begin(ctx context.Context, w http.ResponseWriter, r *http.Request, n Grant) (*Held, error) {
	h, claims, err := s.admitted(ctx, n)
	if err == nil {
		held, listErr := s.keeper.All(r)
		if newer := s.ofAnotherTab(ctx, h, held, n); newer != nil {
			s.revoke.beside(ctx, h.Subject, n.Tokens.RefreshToken)
			if newer.handOut {
				return newer, s.keeper.Hand(w, newer)
			}
			return newer, nil
		}
		if s.before != nil {
			s.before.endPresented(ctx, r)
		}
		if listErr != nil {
			s.log.LogAttrs(ctx, slog.LevelWarn, "session not deleted", slog.String("reason", listErr.Error()))
		}
		h.claims = claims
		if h, err = s.create(ctx, w, h, held, n.Again); err == nil {
			s.note(ctx, h, n.Note)
		}
	}
	if err != nil && n.Ours {
		// Nothing was kept: neither should the pool keep a grant for it.
		subject := ""
		if h != nil {
			subject = h.Subject
		}
		s.revoke.soon(ctx, subject, n.Tokens.RefreshToken)
	}
	if err == nil {
		s.revoke.again() // the pool answers
	}
	return h, err
}

// Prove is Begin for somebody who is to have no sign-in here: the tokens are verified and the
// application is asked. Nothing is kept, here or at the pool, and the replica hears nothing:
// would is what it would hear of a sign-in.
func (s *Sessions) Prove(ctx context.Context, n Grant) (who prove.Person, would people.Told, err error) {
	h, claims, err := s.verified(ctx, n)
	if err == nil {
		err = s.people.Admit(ctx, &h.Person)
	}
	if err == nil {
		h.UserID, would, err = s.people.Would(ctx, claims)
	}
	if h != nil {
		who = h.Person
	}
	s.revoke.beside(ctx, who.Subject, n.Tokens.RefreshToken)
	return who, would, err
}

// admitted verifies the tokens and asks the application and its replica.
func (s *Sessions) admitted(ctx context.Context, n Grant) (*Held, *verify.Claims, error) {
	h, claims, err := s.verified(ctx, n)
	if err != nil {
		return h, nil, err
	}
	if err := s.people.Admit(ctx, &h.Person); err != nil {
		return h, nil, err
	}
	h.UserID, h.set.Replicated, err = s.people.Tell(ctx, claims, true, h.set.Replicated, 0)
	return h, claims, err
}

// verified verifies the tokens.
func (s *Sessions) verified(ctx context.Context, n Grant) (*Held, *verify.Claims, error) {
	verified := s.prover.Tokens
	if n.Ours {
		verified = s.prover.Issued
	}
	who, claims, err := verified(ctx, n.Tokens, verify.IDExpectations{Nonce: n.Nonce})
	if err != nil {
		return nil, nil, err
	}
	now := s.clock()
	h := &Held{Person: who, Refreshes: n.Tokens.RefreshToken != "", set: &prove.Set{
		ID: n.Tokens.IDToken, Access: n.Tokens.AccessToken, Refresh: n.Tokens.RefreshToken, Nonce: cmp.Or(n.Nonce, claims.Nonce),
	}}
	h.Record.Created, h.Record.LastSeen = now, now
	if err := s.countsSince(ctx, h, n.Ours && !s.keeper.Carried()); err != nil {
		return h, nil, err
	}
	return h, claims, nil
}

// ofAnotherTab is the sign-in of the same person that another tab has made since this
// one began. A second would end the first under the requests of that tab.
func (s *Sessions) ofAnotherTab(ctx context.Context, h *Held, held []*Held, n Grant) *Held {
	if n.Began.IsZero() {
		return nil
	}
	for _, other := range held {
		now, err := s.keeper.Now(ctx, other)
		if err == nil && now.Subject == h.Subject && now.Record.Created.After(n.Began) && !now.AuthTime.Before(h.AuthTime) &&
			(n.Enough == nil || n.Enough(now.Person)) {
			return now
		}
	}
	return nil
}

// create makes the row and hands it to the browser. A name from before a sign-in is
// worth nothing after it.
func (s *Sessions) create(ctx context.Context, w http.ResponseWriter, h *Held, held []*Held, again func(ctx context.Context, was, is *Held)) (*Held, error) {
	ended := s.endHeld(ctx, held, h.set.Refresh)
	made, err := s.keeper.Create(ctx, h)
	if err != nil {
		return h, err
	}
	if err = s.people.StillEnabled(ctx, made.Issuer, made.Subject, made.UserID); err == nil {
		err = s.within(ctx, made)
	}
	if err == nil {
		err = s.keeper.Hand(w, made)
	}
	if err != nil {
		// If it stays, nobody has what opens it.
		if _, err := s.keeper.End(ctx, made); err != nil {
			s.log.LogAttrs(ctx, slog.LevelError, "session not deleted", slog.String("session", made.Key.Short()), slog.String("reason", err.Error()))
		}
		return made, err
	}
	s.remember(digest(made.set.ID), made.UserID)
	for _, was := range ended {
		if again != nil && was.Issuer == made.Issuer && was.Subject == made.Subject {
			again(ctx, was, made)
		}
	}
	return made, nil
}

// endHeld ends sign-ins that a new one takes the place of, and returns those that were not ended
// before. kept is its refresh token.
func (s *Sessions) endHeld(ctx context.Context, held []*Held, kept cognito.Secret) (ended []*Held) {
	for _, old := range held {
		last, err := s.keeper.End(ctx, old)
		if err != nil {
			s.log.LogAttrs(ctx, slog.LevelError, "session not deleted", slog.String("session", old.Key.Short()), slog.String("reason", err.Error()))
		}
		if last != nil && last.refreshToken() != kept {
			s.revoke.beside(ctx, last.Subject, last.refreshToken())
		}
		if last != nil {
			s.log.LogAttrs(ctx, slog.LevelInfo, "session replaced", slog.String("sub", last.Subject), slog.String("session", last.Key.Short()),
				slog.String("reason", "a new sign-in in this browser took its place"))
			ended = append(ended, last)
		}
	}
	return ended
}

// endPresented ends what a browser holds of the pool before: it has a sign-in of the new
// one now.
func (s *Sessions) endPresented(ctx context.Context, r *http.Request) {
	held, err := s.keeper.All(r)
	if err != nil {
		s.log.LogAttrs(ctx, slog.LevelWarn, "session not deleted", slog.String("reason", err.Error()))
	}
	s.endHeld(ctx, held, "")
}
