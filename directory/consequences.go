package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// effects counts what changes have led to.
type effects struct {
	created, changed, disabled, regrouped, removed int
	sessionsEnded, sessionsStale                   int
}

func (e *effects) add(o effects) {
	e.created += o.created
	e.changed += o.changed
	e.disabled += o.disabled
	e.regrouped += o.regrouped
	e.removed += o.removed
	e.sessionsEnded += o.sessionsEnded
	e.sessionsStale += o.sessionsStale
}

func (r *Report) add(e effects) {
	r.Created += e.created
	r.Changed += e.changed
	r.Disabled += e.disabled
	r.Regrouped += e.regrouped
	r.Removed += e.removed
	r.SessionsEnded += e.sessionsEnded
	r.SessionsStale += e.sessionsStale
}

// count says what kinds of change one is.
func (e *effects) count(c replica.Change) {
	switch {
	case c.Empty():
		return
	case c.Created:
		e.created++
		return
	case c.Has("deleted") && !c.User.Deleted.IsZero():
		e.removed++
		return
	}
	e.changed++
	if c.Has("enabled") && !c.User.Enabled {
		e.disabled++
	}
	if regrouped(c) {
		e.regrouped++
	}
}

func regrouped(c replica.Change) bool { return len(c.GroupsAdded)+len(c.GroupsRemoved) > 0 }

// consequences ends the sessions of those who may no longer sign in, and marks
// those of people whose groups are others. It does so for all of them, whatever
// fails.
func (s *Sync) consequences(ctx context.Context, changes []replica.Change) (effects, error) {
	var e effects
	var faults []error
	for _, c := range changes {
		e.count(c)
		var err error
		switch {
		case c.Empty():
		case !c.User.Enabled && (c.Created || c.Has("enabled") || c.Has("deleted")):
			err = s.endSessions(ctx, c.User.Subject, &e)
		case regrouped(c) && !c.Created:
			err = s.staleSessions(ctx, c.User.Subject, &e)
		}
		if err != nil {
			faults = append(faults, err)
			if len(faults) == maxFaults || ctx.Err() != nil {
				break
			}
		}
	}
	return e, errors.Join(faults...)
}

// maxFaults is how many faults of the session store it takes to give up.
const maxFaults = 3

// mark has tokens of a person prove nothing that are of a sign-in before at.
func (s *Sync) mark(ctx context.Context, subject string, at time.Time) error {
	if s.Marks == nil {
		return nil
	}
	if err := s.Marks.Leave(ctx, s.Issuer, subject, at, "the pool"); err != nil {
		return fmt.Errorf("refuse the tokens of subject %.64q: %w", subject, err)
	}
	return nil
}

func (s *Sync) endSessions(ctx context.Context, subject string, e *effects) error {
	fault := s.mark(ctx, subject, s.now()) // whatever becomes of it, sessions end
	if s.Sessions == nil {
		return fault
	}
	for _, pool := range s.SessionPools {
		n, err := s.Sessions.DeleteBySubject(ctx, pool, subject)
		e.sessionsEnded += n
		if err != nil {
			return errors.Join(fault, fmt.Errorf("end the sessions of subject %.64q: %w", subject, err))
		}
		if n > 0 {
			s.log.Info("sessions ended: the pool no longer lets the person sign in", slog.String("subject", subject), slog.Int("sessions", n))
		}
	}
	return fault
}

func (s *Sync) staleSessions(ctx context.Context, subject string, e *effects) error {
	if s.Sessions == nil {
		return nil
	}
	for _, pool := range s.SessionPools {
		n, err := s.Sessions.MarkStale(ctx, pool, subject)
		e.sessionsStale += n
		if err != nil {
			return fmt.Errorf("mark the sessions of subject %.64q stale: %w", subject, err)
		}
	}
	return nil
}

// settleSubject does for one person what a change would have led to that may have
// been the last act of a process.
func (s *Sync) settleSubject(ctx context.Context, subject string, e *effects) error {
	if s.Sessions == nil && s.Marks == nil {
		return nil
	}
	u, err := s.Replica.UserBySubject(ctx, s.Issuer, subject)
	switch {
	case errors.Is(err, replica.ErrNotFound):
		return nil
	case err != nil:
		return err
	case u.Enabled && u.Deleted.IsZero():
		return s.staleSessions(ctx, subject, e)
	}
	return s.endSessions(ctx, subject, e)
}

// settleAtOnce is how many people are seen to before that is put on record.
const settleAtOnce = 50

// settle sees to the consequences of what the replica was told before this process
// came, as nobody knows whether it changed anything.
func (p *pass) settle(ctx context.Context) error {
	var e effects
	for len(p.Pending) > 0 {
		// In small steps, or a process that does not live long gets nowhere.
		n := min(settleAtOnce, len(p.Pending))
		for _, subject := range p.Pending[:n] {
			if err := p.settleSubject(ctx, subject, &e); err != nil {
				return err
			}
		}
		p.Pending = p.Pending[n:]
		if err := p.save(); err != nil {
			return err
		}
	}
	if !p.Unsettled.IsZero() && (p.Sessions != nil || p.Marks != nil) {
		err := p.eachUser(ctx, true, func(u replica.User) error {
			if !u.Deleted.IsZero() && u.AsOf.Equal(p.Unsettled) {
				return p.endSessions(ctx, u.Subject, &e)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Report.add(e)
	p.Unsettled = time.Time{}
	return nil
}
