package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// ReplicatedConfig configures a [Replicated] source. Primary and Secondary are required.
type ReplicatedConfig struct {
	// Primary reads the pool in the Region in which it was made.
	Primary Source
	// Secondary reads its replica in another Region. The pool has the same id there.
	Secondary Source
	// Lag is the maximum age of the secondary's data. The data is dated that much earlier, so
	// it does not undo a newer sign-in. Defaults to 5 minutes.
	Lag time.Duration
	// Recheck is how long lookups of single users go to the secondary before the
	// primary is tried again. Defaults to 1 minute.
	Recheck time.Duration
	// Logger receives when the Region changes. Defaults to none.
	Logger *slog.Logger
	// Now is the clock. Defaults to [time.Now].
	Now func() time.Time
}

// Replicated is a [Source] over a pool in two Regions. It reads the primary, and the
// secondary while the primary is unavailable. If the primary refuses, it does not ask the
// secondary. A pass reads one Region, which is chosen when the pass begins. If that Region
// fails, the pass ends and a new one begins. The secondary may not know a new person yet,
// so a pass over it removes nobody. It is safe for concurrent use. Make one with
// [NewReplicated].
type Replicated struct {
	ReplicatedConfig

	mu   sync.Mutex
	away time.Time // until when lookups leave the primary alone
	pass string    // region of the pass: primaryRegion or secondaryRegion
}

// regions as a pass notes them.
const (
	primaryRegion   = "primary"
	secondaryRegion = "secondary"
)

// A cursor of one Region is nothing to the other.
const secondaryCursor = "secondary "

// NewReplicated returns a source. It makes no network calls.
func NewReplicated(config ReplicatedConfig) (*Replicated, error) {
	if config.Primary == nil || config.Secondary == nil || config.Lag < 0 || config.Recheck < 0 {
		return nil, errors.New("configure a replicated pool: Primary and Secondary are required, Lag and Recheck are at least 0")
	}
	r := &Replicated{ReplicatedConfig: config}
	r.Lag, r.Recheck = defaultTo(r.Lag, 5*time.Minute), defaultTo(r.Recheck, time.Minute)
	if r.Logger == nil {
		r.Logger = slog.New(slog.DiscardHandler)
	}
	if r.Now == nil {
		r.Now = time.Now
	}
	return r, nil
}

// begin chooses the Region of a pass, by asking the primary for a page of its groups.
func (r *Replicated) begin(ctx context.Context) (region string, asOf time.Time, err error) {
	asOf = r.Now()
	region = primaryRegion
	if _, err := r.Primary.Groups(ctx, ""); ctx.Err() == nil && errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrThrottled) {
		r.Logger.WarnContext(ctx, "the pool is read in its secondary Region", slog.String("reason", err.Error()))
		region, asOf = secondaryRegion, asOf.Add(-r.Lag)
	} else if err != nil && !errors.Is(err, ErrNoGroups) {
		return "", time.Time{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pass = region
	return region, asOf, nil
}

func (r *Replicated) reading() (source Source, secondary bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pass == secondaryRegion {
		return r.Secondary, true
	}
	return r.Primary, false
}

// cursor returns the cursor as its Region knows it.
func cursorOf(after string, secondary bool) (string, error) {
	own, ofSecondary := strings.CutPrefix(after, secondaryCursor)
	if after != "" && ofSecondary != secondary {
		return "", fmt.Errorf("%w: it was begun in the other Region", ErrStaleCursor)
	}
	return own, nil
}

func marked(next string, secondary bool) string {
	if next == "" || !secondary {
		return next
	}
	return secondaryCursor + next
}

// Users implements [Source].
func (r *Replicated) Users(ctx context.Context, q UserQuery) (page UserPage, err error) {
	source, secondary := r.reading()
	if q.After, err = cursorOf(q.After, secondary); err != nil {
		return UserPage{}, err
	}
	if page, err = source.Users(ctx, q); err != nil {
		return UserPage{}, err
	}
	page.Next = marked(page.Next, secondary)
	if secondary {
		page.AsOf = page.AsOf.Add(-r.Lag)
		for i := range page.Users {
			page.Users[i].AsOf = page.Users[i].AsOf.Add(-r.Lag)
		}
	}
	return page, nil
}

// Groups implements [Source].
func (r *Replicated) Groups(ctx context.Context, after string) (page GroupPage, err error) {
	source, secondary := r.reading()
	if after, err = cursorOf(after, secondary); err != nil {
		return GroupPage{}, err
	}
	if page, err = source.Groups(ctx, after); err != nil {
		return GroupPage{}, err
	}
	page.Next = marked(page.Next, secondary)
	if secondary {
		page.AsOf = page.AsOf.Add(-r.Lag)
	}
	return page, nil
}

// Members implements [Source].
func (r *Replicated) Members(ctx context.Context, group, after string) (page MemberPage, err error) {
	source, secondary := r.reading()
	if after, err = cursorOf(after, secondary); err != nil {
		return MemberPage{}, err
	}
	if page, err = source.Members(ctx, group, after); err != nil {
		return MemberPage{}, err
	}
	page.Next = marked(page.Next, secondary)
	if secondary {
		page.AsOf = page.AsOf.Add(-r.Lag)
	}
	return page, nil
}

// User implements Source. Each look-up chooses a Region. If the secondary does not know a
// person, that says nothing: they may be new.
func (r *Replicated) User(ctx context.Context, subject string) (User, error) {
	r.mu.Lock()
	away := r.Now().Before(r.away)
	r.mu.Unlock()
	if !away {
		u, err := r.Primary.User(ctx, subject)
		if err == nil || !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrThrottled) || ctx.Err() != nil {
			return u, err
		}
		r.Logger.WarnContext(ctx, "users are looked up in the secondary Region", slog.String("reason", err.Error()))
		r.mu.Lock()
		r.away = r.Now().Add(r.Recheck)
		r.mu.Unlock()
	}
	u, err := r.Secondary.User(ctx, subject)
	if errors.Is(err, ErrNotFound) {
		return User{}, fmt.Errorf("%w: the primary Region does not answer, and the secondary does not know the user, who may be new", ErrUnavailable)
	}
	if err != nil {
		return User{}, err
	}
	u.AsOf = u.AsOf.Add(-r.Lag)
	return u, nil
}
