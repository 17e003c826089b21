package directory

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/codegrant/codegrant/internal/refused"
)

// Recovery is a point-in-time recovery of a pool: all its users and groups become what they
// were at a time.
type Recovery struct {
	ID     string         // as the pool calls it; empty: there is none
	Status RecoveryStatus // as it was heard last
	To     time.Time      // the time that the pool goes back to
	Asked  time.Time      // when it was initiated: what happened since To is undone

	// Deletes is how many users it deletes, by its preview. Nil: unknown.
	Deletes *int `json:",omitempty"`
}

// RecoveryStatus is the status of a recovery, in Cognito's words.
type RecoveryStatus string

// The statuses. The pool refuses changes of users from the first on until the recovery is
// completed, cancelled, failed or expired.
const (
	RecoveryPreviewing    RecoveryStatus = "PREVIEW_GENERATING"
	RecoveryPreviewed     RecoveryStatus = "PREVIEW_GENERATED"
	RecoveryCancelled     RecoveryStatus = "PREVIEW_CANCELLED"
	RecoveryPreviewFailed RecoveryStatus = "PREVIEW_GENERATION_FAILED"
	RecoveryExpired       RecoveryStatus = "PREVIEW_EXPIRED"
	RecoveryRunning       RecoveryStatus = "RESTORING"
	RecoveryCompleted     RecoveryStatus = "RESTORE_COMPLETED"
	RecoveryStuck         RecoveryStatus = "TEMPORARY_INTERNAL_ERROR_SEE_SUPPORT_CASE"
	RecoveryAborted       RecoveryStatus = "AWS_ABORTED"
)

// Running reports whether the pool changes its users at this time.
func (r Recovery) Running() bool { return r.Status == RecoveryRunning || r.Status == RecoveryStuck }

// started reports whether the pool may have changed, or may yet change.
func (r Recovery) started() bool {
	return r.ID != "" && (r.Running() || r.Status == RecoveryCompleted || r.Status == RecoveryAborted)
}

// undoes reports whether it takes back what happened in the pool at a time.
func (r Recovery) undoes(at time.Time) bool {
	return (r.Running() || r.Status == RecoveryCompleted) && !at.IsZero() && !r.Asked.IsZero() && !at.Before(r.To) && at.Before(r.Asked)
}

// Recoveries asks a pool for its recoveries.
type Recoveries interface {
	// Latest returns the recovery that was started last, running or over. It returns
	// [ErrNotFound] if there is none, or the pool does not offer any, and [ErrRefused] if
	// this process may not ask.
	Latest(ctx context.Context) (Recovery, error)
}

// ErrRecovering: the pool goes back to an earlier time. No pass and no look-up is made until
// it has done so.
var ErrRecovering = errors.New("a point-in-time recovery changes the pool")

const (
	recoveryLease = 10 * time.Second // of who notes one
	recoveryAge   = 10 * time.Second // that an answer counts for events

	oldRecoveryAge = time.Minute // that it counts where there is no newer one
)

func recoveryName(issuer string) string { return "recovery " + issuer }

// NoteRecovery has all processes that share a journal know of a recovery. If r lacks
// something that was noted of the same recovery before, this stays.
func NoteRecovery(ctx context.Context, j Journal, issuer string, r Recovery) error {
	name := recoveryName(issuer)
	term, state, err := j.Acquire(ctx, name, rand.Text(), recoveryLease)
	if err != nil {
		return fmt.Errorf("note a recovery: %w", err)
	}
	defer j.Release(context.WithoutCancel(ctx), name, term)
	var was Recovery
	_ = json.Unmarshal(state, &was) // nothing, or of another release: it is replaced
	if state, err = json.Marshal(r.with(was)); err == nil {
		err = j.Write(ctx, name, term, recoveryLease, state)
	}
	return named("note a recovery", err)
}

// with adds what is known of the same recovery otherwise.
func (r Recovery) with(o Recovery) Recovery {
	if r.ID != o.ID {
		return r
	}
	if r.To.IsZero() {
		r.To = o.To
	}
	if r.Asked.IsZero() {
		r.Asked = o.Asked
	}
	if r.Deletes == nil {
		r.Deletes = o.Deletes
	}
	return r
}

// ReadRecovery returns the recovery that was noted last. Without an ID: there was none.
func ReadRecovery(ctx context.Context, j Looker, issuer string) (r Recovery, err error) {
	_, err = read(ctx, j, recoveryName(issuer), &r)
	return r, err
}

// recoveryAnswer is what was heard of recoveries last.
type recoveryAnswer struct {
	mu      sync.Mutex // guards the fields below, and is held while the pool is asked
	latest  Recovery
	at      time.Time // zero: nothing was heard
	refused bool      // and the log says so
}

// latestRecovery returns the recovery that was started last. An answer that is not fresh may
// be a few seconds old, and a minute where the pool does not say.
func (s *Sync) latestRecovery(ctx context.Context, fresh bool) (Recovery, error) {
	a := s.recovered
	a.mu.Lock()
	defer a.mu.Unlock()
	age := time.Since(a.at)
	if !fresh && !a.at.IsZero() && age < recoveryAge {
		return a.latest, nil
	}
	begun := time.Now()
	latest, news, err := s.knownRecovery(ctx, a)
	if err != nil {
		if !fresh && !a.at.IsZero() && age < oldRecoveryAge {
			return a.latest, nil
		}
		return Recovery{}, err
	}
	if news {
		s.noteRecovery(ctx, latest)
	}
	a.latest, a.at = latest, begun
	return latest, nil
}

// knownRecovery returns what the pool and the journal say together, and whether that is news
// to the journal. The caller holds a.mu.
func (s *Sync) knownRecovery(ctx context.Context, a *recoveryAnswer) (latest Recovery, news bool, err error) {
	var noted Recovery
	if looker, ok := s.Journal.(Looker); ok {
		if noted, err = ReadRecovery(ctx, looker, s.Issuer); err != nil {
			return Recovery{}, false, err
		}
	}
	if latest, err = s.askRecovery(ctx, a); err != nil {
		return Recovery{}, false, err
	}
	switch {
	case latest.ID != "" && latest.ID == noted.ID:
		return latest.with(noted), latest.Status != noted.Status, nil
	case noted.started() && (latest.ID == "" || !latest.Asked.IsZero() && latest.Asked.Before(noted.Asked)):
		return noted, false, nil // the listing does not have it yet, or nobody may ask
	}
	return latest, latest.ID != "" && (noted.ID == "" || latest.Asked.IsZero() || noted.Asked.Before(latest.Asked)), nil
}

func (s *Sync) askRecovery(ctx context.Context, a *recoveryAnswer) (Recovery, error) {
	if s.Recoveries == nil {
		return Recovery{}, nil
	}
	latest, err := s.Recoveries.Latest(ctx)
	switch {
	case errors.Is(err, ErrNotFound):
		return Recovery{}, nil
	case errors.Is(err, ErrRefused):
		if refused.Code(err) == refused.NotFound {
			return Recovery{}, nil // the pass will find out that there is no pool
		}
		if !a.refused {
			s.log.Warn("this process may not ask whether the pool is being recovered: it knows only of recoveries by codegrant restore", slog.Any("error", err))
		}
		a.refused = true
		return Recovery{}, nil
	case errors.Is(err, ErrUnavailable) && s.inTwoRegions():
		// The pool is read in its other Region meanwhile: what was known last still counts.
		return a.latest, nil
	}
	return latest, named("ask for recoveries of the pool", err)
}

// inTwoRegions reports whether the pool can be read while its own Region is away.
func (s *Sync) inTwoRegions() bool {
	_, replicated := s.Source.(*Replicated)
	return replicated
}

// noteRecovery tells other processes, and the status. Without it they are told less.
func (s *Sync) noteRecovery(ctx context.Context, r Recovery) {
	if err := NoteRecovery(ctx, s.Journal, s.Issuer, r); err != nil && ctx.Err() == nil && !errors.Is(err, ErrHeld) {
		s.log.Warn("cannot note a recovery of the pool", slog.Any("error", err))
	}
}

// recovering is the error while a recovery runs.
func recovering(r Recovery) error {
	if r.Status == RecoveryStuck {
		return fmt.Errorf("%w: %s waits for AWS support", ErrRecovering, r.ID)
	}
	return fmt.Errorf("%w: %s goes back to %s", ErrRecovering, r.ID, r.To.UTC().Format(time.RFC3339))
}

// steady reports an error if the pool has begun to change under a pass.
func (p *pass) steady(ctx context.Context, fresh bool) error {
	latest, err := p.latestRecovery(ctx, fresh)
	switch {
	case err != nil:
		return err
	case latest.Running():
		return recovering(latest)
	case latest.ID != p.Recovery.ID:
		return fmt.Errorf("%w: %s was completed while the pass read the pool", ErrRecovering, latest.ID)
	}
	return nil
}

// afterRecovery has a comparison know of a recovery as the next pass will. It notes nothing.
func (p *pass) afterRecovery(ctx context.Context, s *Sync) error {
	s.recovered.mu.Lock()
	defer s.recovered.mu.Unlock()
	latest, _, err := s.knownRecovery(ctx, s.recovered)
	if err != nil {
		return err
	}
	if latest.Running() {
		return recovering(latest)
	}
	p.Recovery = latest
	if looker, ok := s.Journal.(Looker); ok {
		var was progress
		_, err = read(ctx, looker, "pass "+s.Issuer, &was)
		p.Settled = was.Settled
	}
	return err
}

// unsettled reports whether no full pass was done since the last recovery.
func (p *progress) unsettled() bool { return p.Recovery.started() && p.Recovery.ID != p.Settled }

// allowed is how many of the known users the pass may remove: after a recovery as many as its
// preview says, unless the pass is told otherwise.
func (p *pass) allowed(known int) int {
	if !p.unsettled() || p.Recovery.Deletes == nil {
		return allowedRemovals(known, p.Limit)
	}
	allowed := max(0, *p.Recovery.Deletes)
	if p.Told > 0 {
		allowed = max(allowed, allowedRemovals(known, p.Told))
	}
	return allowed
}

// sift takes out events that a recovery has undone, and, while one runs, keeps for later all
// that need the pool. A sign-out everywhere needs none, and is not undone.
func (s *Sync) sift(ctx context.Context, events []Event) (now []Event, wait error, err error) {
	latest, err := s.latestRecovery(ctx, false)
	if err != nil || !latest.started() {
		return events, nil, err
	}
	undone := 0
	for _, e := range events {
		switch {
		case e.kind == signedOut:
			now = append(now, e)
		case latest.undoes(e.Time):
			undone++
		case latest.Running():
			wait = recovering(latest)
		default:
			now = append(now, e)
		}
	}
	if undone > 0 {
		s.log.Info("events are left out: a recovery of the pool has undone them", slog.Int("events", undone), slog.String("recovery", latest.ID))
	}
	return now, wait, nil
}
