package keep

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/codegrant/codegrant/internal/behind"
	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/internal/people"
	"github.com/codegrant/codegrant/internal/prove"
)

// Config configures [Sessions]. Every field but Owed, Notes, Limit and Before is required.
type Config struct {
	Keeper    Keeper
	Pool      Pool
	Prover    *prove.Prover
	People    *people.People
	Behind    *behind.Work
	Lifetimes Lifetimes
	Owed      Owed
	Notes     Notes
	Limit     Limit         // of sign-ins of a person at once
	Before    *Sessions     // of the pool that people come from: they live on, and none begins; nil: none
	Leeway    time.Duration // the most that a token is renewed before its end
	Now       func() time.Time
	Logger    *slog.Logger
}

// Sessions is what the rest of the house asks. What is the same for all keepers is
// here, once.
type Sessions struct {
	keeper Keeper
	before *Sessions
	engine *engine
	prover *prove.Prover
	people *people.People
	revoke *revoker
	notes  *notes
	limit  Limit
	life   Lifetimes
	clock  func() time.Time
	log    *slog.Logger
	issuer string

	mu  sync.Mutex
	met generations[[sha256.Size]byte, int64] // rows of people, by the ID tokens that they have seen
}

// maxMet is how many ID tokens are remembered, in each of two generations.
const maxMet = 1 << 13

// New returns Sessions on a keeper.
func New(c Config) *Sessions {
	revoke := &revoker{pool: c.Pool, behind: c.Behind, log: c.Logger, owed: newOwed(c.Owed, c.Pool, c.Now, c.Logger)}
	return &Sessions{
		keeper: c.Keeper, before: c.Before, prover: c.Prover, people: c.People, revoke: revoke, notes: newNotes(c.Notes, c.Logger), limit: c.Limit, life: c.Lifetimes, clock: c.Now, log: c.Logger, issuer: c.Prover.Issuer(),
		engine: &engine{
			keeper: c.Keeper, pool: c.Pool, prover: c.Prover, people: c.People, revoke: revoke, behind: c.Behind,
			flights: newFlights(c.Now), before: c.Leeway, clock: c.Now, log: c.Logger,
		},
		met: newGenerations[[sha256.Size]byte, int64](maxMet),
	}
}

// Cannot lists the promises that the way to keep sign-ins cannot keep.
func (s *Sessions) Cannot() []Exception { return s.keeper.Cannot() }

// Owns reports whether cookies of this name hold sign-ins.
func (s *Sessions) Owns(cookie string) bool { return s.keeper.Owns(cookie) }

// Find returns the sign-in of a request, with tokens that can be used, or nil. It
// renews and touches it where that is due, hands the browser what it has to keep, and
// takes back what is over.
func (s *Sessions) Find(w http.ResponseWriter, r *http.Request) (*Held, error) {
	h, err := s.keeper.Find(r)
	if s.before != nil && isNone(h, err) {
		if old, err := s.before.Find(w, r); old != nil || err != nil {
			return old, err
		}
	}
	if err == nil && h != nil {
		if err = s.counts(r.Context(), h); errors.Is(err, fault.Revoked) {
			s.keeper.Forget(w)
			s.marked(r.Context(), h, err)
			return nil, nil
		}
	}
	if err == nil && h != nil {
		if h, err = s.engine.fresh(r.Context(), h); err == nil {
			h = s.touch(r.Context(), h)
		}
		if h != nil && h.handOut {
			if handErr := s.hand(w, r, h); handErr != nil && err == nil {
				err = handErr
			}
		}
		if err == nil {
			err = s.known(r.Context(), h)
		}
	}
	switch {
	case err == nil:
		return h, nil
	case errors.Is(err, ErrSpent):
		return nil, nil
	case errors.Is(err, fault.SessionEnded):
		s.keeper.Forget(w)
		return nil, nil
	case errors.Is(err, fault.AmbiguousCookie):
		s.keeper.Forget(w)
	case errors.Is(err, fault.UserDisabled):
		s.keeper.Forget(w)
		s.withoutAccount(r.Context(), h, err)
	}
	return nil, err
}

// known has whoever has not met the person hear of them, and brings what is known of
// them in line with the replica.
func (s *Sessions) known(ctx context.Context, h *Held) error {
	if err := s.meet(ctx, h); err != nil {
		return err
	}
	row, groups, err := s.people.Accounts.Current(ctx, h.Issuer, h.Subject, h.UserID, h.Groups)
	if err != nil {
		if errors.Is(err, fault.UserGone) {
			s.withoutAccount(ctx, h, err)
		}
		return err
	}
	h.UserID, h.Groups = row, groups
	return nil
}

// withoutAccount ends a sign-in whose person has no account any more here. One that may
// have begun elsewhere goes on there.
func (s *Sessions) withoutAccount(ctx context.Context, h *Held, why error) {
	if h.ask == askAll {
		s.log.LogAttrs(ctx, slog.LevelWarn, "request refused", slog.String("sub", h.Subject), slog.String("reason", why.Error()))
		return
	}
	s.revoke.beside(ctx, h.Subject, h.refreshToken())
	s.engine.end(context.WithoutCancel(ctx), h, why.Error())
}

// Look is Find for who only asks: it renews nothing, writes nothing and hands out
// nothing.
func (s *Sessions) Look(r *http.Request) (*Held, error) {
	h, _, err := s.look(r)
	return h, err
}

// look is Look, and says whose the sign-in is.
func (s *Sessions) look(r *http.Request) (*Held, *Sessions, error) {
	h, err := s.keeper.Find(r)
	if s.before != nil && isNone(h, err) {
		return s.before.look(r)
	}
	if err == nil && h != nil {
		err = s.counts(r.Context(), h)
	}
	if errors.Is(err, fault.SessionEnded) || errors.Is(err, fault.Revoked) {
		return nil, s, nil
	}
	if err != nil {
		return nil, s, err
	}
	return h, s, nil
}

// isNone reports whether a request proves no sign-in of this pool.
func isNone(h *Held, err error) bool {
	return h == nil && (err == nil || errors.Is(err, fault.SessionEnded))
}

// Recheck is Look for a request that lasts, and whose answer has begun: where a store
// has the row, it is renewed there when its tokens have ended, and where the browser
// carries it, it is over with them. It never counts as use.
func (s *Sessions) Recheck(r *http.Request) (*Held, error) {
	h, s, err := s.look(r)
	if err != nil || h == nil {
		return nil, err
	}
	if !s.keeper.Carried() {
		h, err = s.engine.fresh(r.Context(), h)
	} else if !s.clock().Before(h.Expires) {
		return nil, nil
	}
	if err == nil {
		err = s.known(r.Context(), h)
	}
	switch {
	case err == nil:
		return h, nil
	case errors.Is(err, fault.SessionEnded):
		return nil, nil
	}
	return nil, err
}

// hand gives the browser the sign-in, unless it was ended a moment ago.
func (s *Sessions) hand(w http.ResponseWriter, r *http.Request, h *Held) error {
	if _, err := s.keeper.Now(r.Context(), h); err != nil {
		return err
	}
	if err := s.keeper.Hand(w, h); err != nil {
		return fault.Away("hand out refreshed tokens", err)
	}
	return nil
}

// touch moves the idle end, once per tenth of the idle lifetime. It is best
// effort: whoever changed the row meanwhile has touched it too.
func (s *Sessions) touch(ctx context.Context, h *Held) *Held {
	now := s.clock()
	if h.Record.LastSeen.IsZero() || now.Sub(h.Record.LastSeen) < s.life.Idle/10 {
		return h
	}
	next := *h
	next.Record.LastSeen, next.Record.Expires = now, s.life.end(h.Record.Created, now)
	touched, err := s.keeper.Swap(ctx, &next)
	if err == nil {
		touched.handOut = s.keeper.Carried()
		return touched
	}
	if !errors.Is(err, ErrChanged) && !errors.Is(err, fault.SessionEnded) {
		s.log.LogAttrs(ctx, slog.LevelWarn, "session not touched", slog.String("session", h.Key.Short()), slog.String("reason", err.Error()))
	}
	return h
}

// meet has the application and the replica hear of people whose sign-in may be news to
// them, once for each ID token.
func (s *Sessions) meet(ctx context.Context, h *Held) error {
	if h.ask == askNobody || !s.people.Asked() {
		return nil
	}
	key := digest(h.set.ID)
	s.mu.Lock()
	row, met := s.met.get(key)
	s.mu.Unlock()
	if !met {
		var err error
		if row, err = s.introduce(ctx, h); err != nil {
			if !fault.IsUnavailable(err) && !errors.Is(err, fault.UserDisabled) { // whoever answers to those tells of them
				s.log.LogAttrs(ctx, slog.LevelWarn, "request refused", slog.String("sub", h.Subject), slog.String("reason", err.Error()))
			}
			return err
		}
		s.remember(key, row)
	}
	h.UserID = row
	return nil
}

func (s *Sessions) introduce(ctx context.Context, h *Held) (int64, error) {
	if h.claims == nil {
		return 0, fault.Away("look at the person", errNoRefresh)
	}
	if h.ask == askAll {
		if err := s.people.Admit(ctx, &h.Person); err != nil {
			return 0, err
		}
	}
	row, _, err := s.people.Tell(ctx, h.claims, false, [sha256.Size]byte{}, 0)
	return row, err
}

func (s *Sessions) remember(key [sha256.Size]byte, row int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.met.put(key, row)
}
