package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Status is the journal's record of the passes over one pool, by any process.
type Status struct {
	// Last is the last finished pass. Without a name: there is none yet.
	Last Report

	// LastFull is when the last finished full pass began.
	LastFull time.Time

	// Current is the open or interrupted pass. Without a name: there is none. Running says
	// that a process makes it now, and Saved when it last wrote its progress.
	Current Report
	Running bool
	Saved   time.Time

	// Fault says why the last try failed, and FaultAt when. Empty: it did not.
	Fault   string
	FaultAt time.Time

	// Recovery is the recovery of the pool that was started last. Without an ID: none is known.
	// Unsettled says that no full pass was done since, or one that removed nobody because more
	// were missing than the preview of the recovery says.
	Recovery  Recovery
	Unsettled bool

	// Scheduled says that a process makes passes regularly, and Next when the next one is due.
	// Zero: unknown, or it is running.
	Scheduled bool
	Next      time.Time
}

// Age returns how long ago the last finished pass ended. Below zero: no pass has finished.
func (s Status) Age(now time.Time) time.Duration {
	if s.Last.Finished.IsZero() {
		return -1
	}
	return max(0, now.Sub(s.Last.Finished))
}

// Looker is a [Journal] that can be read without a lease. The journals of this package
// implement it.
type Looker interface {
	// Look returns the last state of a lease, and whether a process holds it. A lease that was
	// never held has neither.
	Look(ctx context.Context, name string) (state []byte, held bool, err error)
}

// ReadStatus reads the status of the passes over the pool of an issuer. It changes nothing
// and does not block a pass.
func ReadStatus(ctx context.Context, j Looker, issuer string) (Status, error) {
	var s Status
	var p progress
	running, err := read(ctx, j, "pass "+issuer, &p)
	if err != nil {
		return Status{}, err
	}
	if p.Version != 0 && p.Version != progressVersion {
		return Status{}, fmt.Errorf("read the journal: it is of version %d, and this program reads %d: use the program that makes the passes", p.Version, progressVersion)
	}
	if s.Recovery, err = ReadRecovery(ctx, j, issuer); err != nil {
		return Status{}, err
	}
	if !s.Recovery.started() {
		s.Recovery = Recovery{}
	}
	s.Unsettled = s.Recovery.ID != "" && s.Recovery.ID != p.Settled
	var plan schedulePlan
	if s.Scheduled, err = read(ctx, j, "passes "+issuer, &plan); err != nil {
		return Status{}, err
	}
	s.LastFull, s.Saved, s.Running = p.LastFull, p.Saved, running
	if p.Report.Phase == phaseDone {
		s.Last = p.Report
	} else {
		s.Current = p.Report
		if p.Last != nil {
			s.Last = *p.Last
		}
	}
	if p.Fault != nil {
		s.Fault, s.FaultAt = p.Fault.Text, p.Fault.At
	}
	// A pass may fail before it has a row of its own to say so in.
	if f := plan.Fault; f != nil && f.At.After(s.FaultAt) && f.At.After(s.Last.Finished) {
		s.Fault, s.FaultAt = f.Text, f.At
	}
	if s.Scheduled && !running {
		s.Next = plan.Next
	}
	return s, nil
}

func read(ctx context.Context, j Looker, name string, into any) (held bool, err error) {
	state, held, err := j.Look(ctx, name)
	if err != nil || len(state) == 0 {
		return held, err
	}
	if err := json.Unmarshal(state, into); err != nil {
		return held, fmt.Errorf("read the journal: %w", err)
	}
	return held, nil
}

// schedulePlan is what whoever makes passes again and again writes between them.
type schedulePlan struct {
	Next  time.Time
	Fault *passFault `json:",omitempty"`
}

// passFault is why a pass was left.
type passFault struct {
	At   time.Time
	Text string
}

// longestFault is how much of an error the journal keeps.
const longestFault = 500

func (s *Sync) fault(err error) *passFault {
	text := err.Error()
	if len(text) > longestFault {
		text = text[:longestFault] + "…"
	}
	return &passFault{s.now(), text}
}

// plan writes when the next pass is due. Without it, only who asks for the status is
// told less.
func (s *Sync) plan(t *term, pause time.Duration, failed error) {
	plan := schedulePlan{Next: s.now().Add(pause)}
	if failed != nil && !errors.Is(failed, ErrTooManyRemovals) {
		plan.Fault = s.fault(failed)
	}
	state, err := json.Marshal(plan)
	if err == nil {
		err = t.write(state)
	}
	if err != nil && t.ctx.Err() == nil {
		s.log.Warn("cannot write when the next pass is due", "error", err)
	}
}

// Look implements [Looker].
func (j *MemoryJournal) Look(ctx context.Context, name string) ([]byte, bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	l := j.leases[name]
	if l == nil {
		return nil, false, nil
	}
	return append([]byte(nil), l.state...), l.until.After(j.now()), nil
}

var _, _ Looker = (*MemoryJournal)(nil), (*SQLJournal)(nil)
