package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// Sessions are what a signed-in browser holds on the server. Every session.Store
// fulfils it.
type Sessions interface {
	// DeleteBySubject removes every session of a person, and says how many.
	DeleteBySubject(ctx context.Context, pool, subject string) (int, error)

	// MarkStale has every session of a person refreshed before its next use, and
	// says how many.
	MarkStale(ctx context.Context, pool, subject string) (int, error)
}

// Marks are left of people whose tokens of before are to prove nothing any more.
// *notbefore.Marks fulfils it.
type Marks interface {
	Leave(ctx context.Context, issuer, subject string, at time.Time, by string) error
}

// Config configures a [Sync]. Source, Issuer, Replica and Journal are required.
type Config struct {
	// Source is the pool to read.
	Source Source

	// Issuer is the pool's issuer, as the sign-ins state it: users are known by
	// issuer and subject.
	Issuer string

	// Replica is what is brought in line.
	Replica replica.BatchStore

	// Journal keeps how far a pass is. Every process that makes passes for the
	// replica uses the same.
	Journal Journal

	// Sessions are ended and marked stale as the replica changes. Defaults to
	// none.
	Sessions Sessions

	// Marks are left of those whom the pool has disabled, deleted, or signed out
	// everywhere. Without them, a bearer token of theirs is good until it expires.
	// Defaults to none.
	Marks Marks

	// SessionPools are what the sessions are bound to: for each app client whose
	// sessions are there, the issuer, a space and the app client's ID. Required
	// with Sessions.
	SessionPools []string

	// MaxShare is the share of the users in the replica that a pass may remove, 1
	// for any. Up to ten users may always be removed, unless they are more than
	// half of all. Defaults to [replica.DefaultMaxShare].
	MaxShare float64

	// BySubject has the listing of the users split by the first digit of their
	// subjects, so that several pages are read at once: the time of an answer then
	// no longer decides how long a pass takes. Whoever is in no part of the
	// listing is kept, but not found. Defaults to one listing.
	BySubject bool

	// Concurrency is how many pages are asked for at once, at most. Defaults to 8.
	Concurrency int

	// Lease is how long a process that does not answer any more keeps others from
	// going on with its pass. Defaults to one minute.
	Lease time.Duration

	// Recheck is after how long somebody is looked up again of whom an event says
	// otherwise than the pool: its listings are a moment behind. Below zero: never.
	// Defaults to two seconds.
	Recheck time.Duration

	// Policy is that of the replica. It matters to dry runs alone.
	Policy replica.Policy

	// Logger receives what a pass does and finds. Defaults to none.
	Logger *slog.Logger

	// Now is the clock that passes are dated by, which is to be the source's.
	// Defaults to [time.Now].
	Now func() time.Time
}

// Sync brings a replica in line with a pool. It is safe for concurrent use. Make
// one with [New].
type Sync struct {
	Config
	log    *slog.Logger
	listed *groupList
}

// New returns a Sync. It reaches out to nothing. The error names every fault of
// the configuration at once.
func New(config Config) (*Sync, error) {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if config.Source == nil {
		fault("Source: is nil")
	}
	if config.Issuer == "" {
		fault("Issuer: is empty")
	}
	asked := config.Source
	if r, ok := asked.(*Replicated); ok && r != nil {
		asked = r.Primary
	}
	if c, ok := asked.(*Cognito); ok && c != nil && !strings.HasSuffix(config.Issuer, "/"+c.PoolID) {
		fault("Issuer: %q is not that of pool %s", config.Issuer, c.PoolID)
	}
	if config.Replica == nil {
		fault("Replica: is nil")
	}
	if config.Journal == nil {
		fault("Journal: is nil")
	}
	if config.Sessions != nil && len(config.SessionPools) == 0 {
		fault("SessionPools: is empty, and no session could be found without")
	}
	for _, p := range config.SessionPools {
		if p == "" {
			fault("SessionPools: one is empty")
		}
	}
	if !(config.MaxShare >= 0 && config.MaxShare <= 1) {
		fault("MaxShare: %v is not between 0 and 1", config.MaxShare)
	}
	if config.Concurrency < 0 {
		fault("Concurrency: %d is below 0", config.Concurrency)
	}
	if config.Lease != 0 && config.Lease < time.Millisecond {
		fault("Lease: %s is too short", config.Lease)
	}
	if faults != nil {
		return nil, fmt.Errorf("configure the sync: %w", errors.Join(faults...))
	}
	s := &Sync{Config: config, log: config.Logger, listed: new(groupList)}
	s.SessionPools = slices.Clone(config.SessionPools)
	s.MaxShare = defaultTo(s.MaxShare, replica.DefaultMaxShare)
	s.Concurrency = defaultTo(s.Concurrency, 8)
	s.Lease = defaultTo(s.Lease, time.Minute)
	s.Recheck = defaultTo(s.Recheck, 2*time.Second)
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	return s, nil
}

// Options say what kind of pass to make.
type Options struct {
	// Full has the members of every group read. Otherwise those of groups that
	// are new, or have changed, are read, and memberships in the others are left
	// as they are.
	Full bool

	// Fresh begins anew instead of going on with a pass that was not finished.
	Fresh bool

	// DryRun changes nothing, and reports to Difference what a pass would change.
	DryRun     bool
	Difference func(replica.Change)

	// MaxShare takes the place of that of the [Config], for this pass.
	MaxShare float64

	// Progress is told, from time to time, how far the pass is. It is not to take
	// long.
	Progress func(Report)
}

// Report is what a pass has read and done until now. A pass that goes on where
// another process left off counts what that one did.
type Report struct {
	Pass     string // name
	Full     bool
	DryRun   bool
	Phase    string // groups, members, users, removals or done
	Started  time.Time
	Began    time.Time // of the reading: what is stated is as of then, or later
	Finished time.Time // zero: it is not
	Resumed  int       // how often another process went on with it

	Groups  int // read
	Members int // read, once for each membership
	Users   int // read

	Created   int
	Changed   int // of those who were known, in whatever way
	Disabled  int // of the changed
	Regrouped int // of the changed
	Removed   int
	Kept      int // not in the listing, and yet in the pool
	Refused   int // users who could not be taken over as the pool has them
	Withheld  int // missing from the listing and, being more than may go, not removed

	SessionsEnded int
	SessionsStale int
}

// Verdicts about passes.
var (
	// ErrRunning: another process makes a pass at this time.
	ErrRunning = errors.New("another process is making a pass")

	// ErrTooManyRemovals: the pass did not meet so many users that it has removed
	// nobody. All else is done.
	ErrTooManyRemovals = errors.New("too many users would be removed")
)

// Run makes a pass, or goes on with one that was not finished. It returns when the
// pass is done, fails, or ctx ends; the same call later goes on then. Of any number
// of processes one makes a pass, and the others get [ErrRunning].
func (s *Sync) Run(ctx context.Context, o Options) (Report, error) {
	if !(o.MaxShare >= 0 && o.MaxShare <= 1) {
		return Report{}, fmt.Errorf("sync: MaxShare: %v is not between 0 and 1", o.MaxShare)
	}
	o.MaxShare = defaultTo(o.MaxShare, s.MaxShare)
	if o.Progress == nil {
		o.Progress = func(Report) {}
	}
	if o.DryRun {
		report, err := s.dryRun(ctx, o)
		return report, named("dry run of a sync", err)
	}
	report, err := s.run(ctx, o)
	return report, named("sync", err)
}

func named(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

func (s *Sync) run(ctx context.Context, o Options) (Report, error) {
	t, state, err := s.begin(ctx, "pass "+s.Issuer)
	if errors.Is(err, ErrHeld) {
		return Report{}, fmt.Errorf("%w: %w", ErrRunning, err)
	}
	if err != nil {
		return Report{}, err
	}
	defer t.end()
	for again := false; ; again = true {
		p, err := s.resume(t.ctx, state, o)
		if err != nil {
			return Report{}, err
		}
		p.term = t
		err = p.run(t.ctx)
		if errors.Is(err, ErrStaleCursor) && !again {
			s.log.Info("the listing cannot be gone on with: the pass begins anew", slog.String("pass", p.Report.Pass))
			o.Fresh = true
			continue
		}
		if cause := context.Cause(t.ctx); err != nil && cause != nil && ctx.Err() == nil {
			err = cause // the lease: what failed for it says less
		}
		return p.Report, err
	}
}
