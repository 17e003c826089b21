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

// Sessions are the sessions on the server. Every [session.Store] implements it.
type Sessions interface {
	// DeleteBySubject removes every session of a person, and says how many.
	DeleteBySubject(ctx context.Context, pool, subject string) (int, error)

	// MarkStale has every session of a person refreshed before its next use, and
	// says how many.
	MarkStale(ctx context.Context, pool, subject string) (int, error)
}

// Marks records people whose older tokens no longer count. *notbefore.Marks implements it.
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

	// Replica is the replica to update.
	Replica replica.BatchStore

	// Journal keeps the progress of a pass. All processes that make passes for the replica use
	// the same journal.
	Journal Journal

	// Sessions are ended and marked stale as the replica changes. Defaults to
	// none.
	Sessions Sessions

	// Marks get people whom the pool has disabled, deleted, or signed out everywhere. Without
	// marks, their bearer tokens are valid until they expire. Defaults to none.
	Marks Marks

	// SessionPools name the app clients of the sessions: the issuer, a space and the app
	// client's ID for each. Required with Sessions.
	SessionPools []string

	// MaxShare is the share of the users in the replica that a pass may remove, 1
	// for any. Up to ten users may always be removed, unless they are more than
	// half of all. Defaults to [replica.DefaultMaxShare].
	MaxShare float64

	// BySubject splits the listing of the users by the first digit of their subjects, so that
	// several pages are read at once. Then the time of an answer no longer decides how long a
	// pass takes. A user who is in no part of the listing is kept, but not found. Defaults to
	// one listing.
	BySubject bool

	// Concurrency is how many pages are asked for at once, at most. Defaults to 8.
	Concurrency int

	// Lease is how long other processes wait before they continue the pass of a process that
	// died. Defaults to one minute.
	Lease time.Duration

	// Recheck is how long to wait before a second look-up if an event and the pool differ: the
	// pool's listings are a moment behind. Below zero: never. Defaults to two seconds.
	Recheck time.Duration

	// Recoveries asks the pool for point-in-time recoveries: no pass is made while one runs,
	// and a full one after it. Defaults to none. Then only recoveries that [NoteRecovery] has
	// noted are known.
	Recoveries Recoveries

	// Policy is that of the replica. It matters to dry runs alone.
	Policy replica.Policy

	// Logger receives what a pass does and finds. Defaults to none.
	Logger *slog.Logger

	// Now is the clock that passes are dated by, which is to be the source's.
	// Defaults to [time.Now].
	Now func() time.Time
}

// Sync updates a replica from a pool. It is safe for concurrent use. Make one with [New].
type Sync struct {
	Config
	log       *slog.Logger
	listed    *groupList
	recovered *recoveryAnswer
}

// New returns a Sync. It makes no network calls. The error names every mistake in the
// configuration.
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
	s := &Sync{Config: config, log: config.Logger, listed: new(groupList), recovered: new(recoveryAnswer)}
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
	// Full reads the members of every group. Otherwise a pass reads only the members of new
	// and changed groups, and does not change memberships in the others.
	Full bool

	// Fresh begins a new pass instead of continuing an unfinished one.
	Fresh bool

	// DryRun changes nothing, and reports to Difference what a pass would change.
	DryRun     bool
	Difference func(replica.Change)

	// MaxShare replaces Config.MaxShare for this pass. After a recovery, a pass of [Sync.Run]
	// that has it may remove more users than the preview of the recovery says.
	MaxShare float64

	// Progress is called with the progress of the pass from time to time. It must return
	// quickly.
	Progress func(Report)

	scheduled bool    // by Passes
	told      float64 // MaxShare as it was set for this pass alone
}

// Report is what a pass has read and done so far. If it continues the pass of another
// process, it includes what that one did.
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

	// ErrTooManyRemovals: so many users were missing that the pass removed nobody. Everything
	// else is done.
	ErrTooManyRemovals = errors.New("too many users would be removed")
)

// Run makes a pass, or continues an unfinished one. It returns when the pass is done or
// fails, or when ctx ends. A later call continues the pass. One process makes a pass at a
// time, and the others get [ErrRunning]. While the pool is being recovered, all get
// [ErrRecovering].
func (s *Sync) Run(ctx context.Context, o Options) (Report, error) {
	if !(o.MaxShare >= 0 && o.MaxShare <= 1) {
		return Report{}, fmt.Errorf("sync: MaxShare: %v is not between 0 and 1", o.MaxShare)
	}
	if !o.scheduled {
		o.told = o.MaxShare
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
		latest, err := s.latestRecovery(t.ctx, true)
		if err == nil && latest.Running() {
			err = recovering(latest)
		}
		if err != nil {
			return Report{}, err
		}
		p, err := s.resume(t.ctx, state, o, latest)
		if err != nil {
			return Report{}, err
		}
		p.term = t
		err = p.run(t.ctx)
		if errors.Is(err, ErrStaleCursor) && !again {
			s.log.Info("the listing cannot continue: the pass begins again", slog.String("pass", p.Report.Pass))
			o.Fresh = true
			continue
		}
		if cause := context.Cause(t.ctx); err != nil && cause != nil && ctx.Err() == nil {
			err = cause // the lease: what failed for it says less
		}
		return p.Report, err
	}
}
