package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// always is how many users may be removed whatever their share, as long as they
// are not more than half of all. Each of them was looked up.
const always = 10

// removeUnseen removes whom the pass has not met and the source does not know.
func (p *pass) removeUnseen(ctx context.Context) error {
	if p.Region == secondaryRegion {
		p.log.Warn("nobody is removed: the secondary Region may not know all people")
		return nil
	}
	// A sweep that may take nobody says how many it would take.
	counted, err := p.sweep(ctx, math.SmallestNonzeroFloat64)
	if err == nil {
		return nil // nobody
	}
	if !errors.Is(err, replica.ErrSweepTooLarge) {
		return err
	}
	allowed := p.allowed(counted.Known)
	// The preview of a recovery counts exactly: whom the listing alone has missed is looked
	// up before it is held against that.
	if counted.Unseen > max(allowed, allowedRemovals(counted.Known, p.Limit)) {
		return p.tooMany(counted, allowed)
	}
	if err := p.lookForUnseen(ctx); err != nil {
		return err
	}

	p.mu.Lock()
	p.Unsettled = p.Report.Began
	p.mu.Unlock()
	if err := p.save(); err != nil {
		return err
	}
	swept, err := p.sweep(ctx, min(1, (float64(allowed)+0.5)/float64(counted.Known)))
	effects, settled := p.consequences(ctx, swept.Changes)
	var refusals *replica.BatchError
	if errors.As(err, &refusals) {
		for _, r := range refusals.Refused {
			p.log.Warn("user cannot be removed", slog.String("subject", r.Subject), slog.Any("error", r.Err))
		}
		err = nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Report.add(effects)
	if refusals != nil {
		p.Report.Refused += len(refusals.Refused)
	}
	if errors.Is(err, replica.ErrSweepTooLarge) { // there are fewer in the replica than there were
		err = p.tooMany(swept, allowed)
	}
	if err = errors.Join(err, settled); err != nil {
		return err
	}
	p.Unsettled = time.Time{}
	return nil
}

// allowedRemovals is how many of the known users a pass may remove.
func allowedRemovals(known int, share float64) int {
	return max(int(share*float64(known)), min(always, known/2))
}

func (p *pass) tooMany(r replica.SweepResult, allowed int) error {
	p.Report.Withheld = r.Unseen
	if p.unsettled() && p.Recovery.Deletes != nil {
		return fmt.Errorf("%w: the pool does not have %d of the %d users of the replica, and the preview of its recovery %s says that %d are deleted: "+
			"see who they are, and allow a share if they are to go: %w", ErrTooManyRemovals, r.Unseen, r.Known, p.Recovery.ID, *p.Recovery.Deletes, replica.ErrSweepTooLarge)
	}
	return fmt.Errorf("%w: the listing does not have %d of the %d users of the replica, and %d may go: see whether the source is "+
		"the right one and whole, and allow a larger share if it is: %w", ErrTooManyRemovals, r.Unseen, r.Known, allowed, replica.ErrSweepTooLarge)
}

func (p *pass) sweep(ctx context.Context, share float64) (replica.SweepResult, error) {
	return p.Replica.Sweep(ctx, p.Issuer, p.Report.Pass, replica.SweepOptions{Began: p.Report.Began, MaxShare: share})
}

// lookForUnseen looks up, one by one, whom the pass has not met, and tells the
// replica of those who are there.
func (p *pass) lookForUnseen(ctx context.Context) error {
	var unseen []string
	flush := func() error {
		var mu sync.Mutex
		var found []User
		err := parallel(ctx, p.Concurrency, unseen, func(ctx context.Context, subject string) error {
			u, err := p.Source.User(ctx, subject)
			if errors.Is(err, ErrNotFound) {
				return nil
			}
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				found = append(found, u)
			}
			return err
		})
		unseen = unseen[:0]
		if err != nil || len(found) == 0 {
			return err
		}
		p.log.Warn("users who were not in the listing are in the pool", slog.String("pass", p.Report.Pass), slog.Int("users", len(found)))
		p.mu.Lock()
		p.Report.Kept += len(found)
		p.mu.Unlock()
		return p.tell(ctx, found)
	}
	err := p.eachUser(ctx, false, func(u replica.User) error {
		if !p.unseen(u) {
			return nil
		}
		if unseen = append(unseen, u.Subject); len(unseen) < maxBatch {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

// unseen reports whether nothing was stated of a user since the pass began.
func (p *pass) unseen(u replica.User) bool {
	return u.AsOf.Before(p.Report.Began) && u.GroupsAsOf.Before(p.Report.Began)
}

// eachUser calls f for the users of the replica.
func (s *Sync) eachUser(ctx context.Context, deleted bool, f func(replica.User) error) error {
	for q := (replica.UserQuery{Issuer: s.Issuer, Deleted: deleted, Limit: replica.MaxPage}); ; {
		page, err := s.Replica.Users(ctx, q)
		if err != nil {
			return err
		}
		for _, u := range page.Users {
			if err := f(u); err != nil {
				return err
			}
		}
		if q.After = page.Next; q.After == "" {
			return nil
		}
	}
}
