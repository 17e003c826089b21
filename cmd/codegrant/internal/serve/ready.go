package serve

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/webhook"
)

// dependency is somebody that sign-ins or sessions need, as last heard of.
type dependency struct {
	Name    string    `json:"name"`
	OK      bool      `json:"ok"`
	Needed  bool      `json:"needed"` // by requests of people who are signed in
	Since   time.Time `json:"since"`
	Error   string    `json:"error,omitempty"`
	Warning string    `json:"warning,omitempty"` // it is well, and will not be for long

	answered bool // at least once
	expires  bool // it is nobody who answers, but a certificate
}

// readiness knows who answers. It asks by itself: whoever looks makes no work.
type readiness struct {
	mu       sync.Mutex
	checks   []dependency
	stopping time.Time // zero: not
	refused  time.Time // when a request was last refused for want of room; zero: never
	said     report    // what the log was last told
}

// report is the answer of /readyz. Each of the three states has one meaning, and says
// nothing about the others.
type report struct {
	// Ready: requests of people who are signed in can be answered. Load balancers
	// ask for this alone.
	Ready bool `json:"ready"`
	// Degraded: it is ready, and something does not work, such as signing in or out.
	Degraded bool `json:"degraded"`
	// Overloaded: in the last ten seconds a request was refused because too many
	// were under way. No reason to send requests elsewhere: the others would be next.
	Overloaded bool         `json:"overloaded"`
	Checks     []dependency `json:"checks"`
}

// overloadFor is how long a process is overloaded after it has refused a request.
const overloadFor = 10 * time.Second

func (r *readiness) report() report {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reportNow()
}

func (r *readiness) reportNow() report {
	out := report{Ready: len(r.checks) > 0, Checks: append([]dependency{}, r.checks...)}
	for _, c := range r.checks {
		// A short fault that all processes see must not take all of them out of the
		// balancer's hands: what needs no answer goes on, and what does says 503.
		out.Ready = out.Ready && (c.OK || !c.Needed || c.answered && time.Since(c.Since) < readyGrace)
		out.Degraded = out.Degraded || !c.OK
	}
	if !r.stopping.IsZero() {
		out.Ready = false
		out.Checks = append(out.Checks, dependency{Name: "process", Needed: true, Since: r.stopping, Error: "it is stopping"})
	}
	out.Degraded = out.Degraded && out.Ready
	out.Overloaded = !r.refused.IsZero() && time.Since(r.refused) < overloadFor
	return out
}

func (r *readiness) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopping = time.Now()
}

// overload takes note that a request was refused for want of room, and reports whether
// that is news.
func (r *readiness) overload() (changed []stateChange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused = time.Now()
	return r.changes()
}

// stateChange is a state that has come or gone, for the log.
type stateChange struct {
	level slog.Level
	text  string
}

// changes are those since the log was last told.
func (r *readiness) changes() (changed []stateChange) {
	now := r.reportNow()
	for _, s := range []struct {
		is, was bool
		change  stateChange
	}{
		{now.Ready, r.said.Ready, stateChange{slog.LevelInfo, "ready: requests of people who are signed in can be answered"}},
		{!now.Ready, !r.said.Ready, stateChange{slog.LevelError, "not ready: requests of people who are signed in cannot be answered"}},
		{now.Degraded, r.said.Degraded, stateChange{slog.LevelWarn, "degraded: something that is not needed by people who are signed in does not work"}},
		{!now.Degraded, !r.said.Degraded, stateChange{slog.LevelInfo, "no longer degraded"}},
		{now.Overloaded, r.said.Overloaded, stateChange{slog.LevelWarn, "overloaded: requests are refused because too many are in progress"}},
		{!now.Overloaded, !r.said.Overloaded, stateChange{slog.LevelInfo, "no longer overloaded"}},
	} {
		if s.is && !s.was {
			changed = append(changed, s.change)
		}
	}
	r.said = now
	return changed
}

// record takes what was found out, and keeps since when it is so.
func (r *readiness) record(found []dependency) (changed []dependency, states []stateChange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range found {
		j := slices.IndexFunc(r.checks, func(c dependency) bool { return c.Name == found[i].Name })
		found[i].answered = found[i].OK || j >= 0 && r.checks[j].answered
		switch {
		case j >= 0 && r.checks[j].OK == found[i].OK && (r.checks[j].Warning == "") == (found[i].Warning == ""):
			found[i].Since = r.checks[j].Since
		case j >= 0, !found[i].OK, found[i].Warning != "":
			changed = append(changed, found[i])
		}
	}
	r.checks = found
	return changed, r.changes()
}

// question is one that a dependency answers where it is well.
type question struct {
	name   string
	needed bool // by requests of people who are signed in
	ask    func(context.Context) error
}

// questions are those to the stores.
func (s *stores) questions() (all []question) {
	if s.sessions != nil {
		all = append(all, question{"sessions", true, func(ctx context.Context) error {
			_, err := s.sessions.Get(ctx, "nobody's")
			return unless(err, session.ErrNotFound)
		}})
	}
	if s.replica != nil {
		all = append(all, question{"replica", s.groups, func(ctx context.Context) error {
			_, err := s.replica.UserBySubject(ctx, "https://nobody.invalid", "nobody")
			return unless(err, replica.ErrNotFound)
		}})
	}
	if s.acting != nil {
		all = append(all, question{"organizations", true, func(ctx context.Context) error {
			_, err := s.acting.Active(ctx, &codegrant.Identity{Issuer: "https://nobody.invalid", Subject: "nobody"})
			return err
		}})
	}
	if s.queue != nil {
		all = append(all, question{"webhooks", false, func(ctx context.Context) error {
			_, err := s.queue.Dead(ctx, webhook.DeadQuery{Limit: 1})
			return err
		}})
	}
	if s.ends != nil {
		all = append(all, question{"ends of sessions", false, s.db.PingContext})
	}
	if len(s.migrate) > 0 {
		all = append(all, question{"tables", s.sessionsInDatabase(), func(context.Context) error {
			if !s.prepared.Load() {
				return errors.New("they are not up to date yet")
			}
			return nil
		}})
	}
	return all
}

// askAll asks all at once, and returns the answers by name.
func askAll(ctx context.Context, questions []question) []dependency {
	found := make([]dependency, len(questions))
	var all sync.WaitGroup
	for i, q := range questions {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, askTimeout)
			defer cancel()
			err := q.ask(ctx)
			found[i] = dependency{Name: q.name, OK: err == nil, Needed: q.needed, Since: time.Now()}
			if err != nil {
				found[i].Error = err.Error()
			}
		})
	}
	all.Wait()
	slices.SortFunc(found, func(a, b dependency) int { return strings.Compare(a.Name, b.Name) })
	return found
}

// answer returns what is wrong with stores that are to be used. Whoever does not answer
// now would have every request be 503.
func (s *stores) answer(ctx context.Context) error {
	var faults []error
	for _, d := range askAll(ctx, s.questions()) {
		if !d.OK {
			faults = append(faults, errors.New(d.Name+": "+d.Error))
		}
	}
	return errors.Join(faults...)
}
