package syncing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/internal/sqldialect"
)

// told is how the passes over a pool are, as programs get it.
type told struct {
	Pool      string     `json:"pool"`
	Last      *passed    `json:"last"` // nil: none was done yet
	Age       float64    `json:"age_seconds,omitempty"`
	LastFull  time.Time  `json:"last_full,omitzero"`
	Running   bool       `json:"running"`
	Phase     string     `json:"phase,omitempty"` // of the pass that is under way, or was left
	Scheduled bool       `json:"scheduled"`
	Next      time.Time  `json:"next,omitzero"`
	Recovery  *recovered `json:"recovery,omitempty"` // of the pool, the last one that is known
	Fault     string     `json:"fault,omitempty"`
	FaultAt   time.Time  `json:"fault_at,omitzero"`
}

// recovered is a point-in-time recovery of the pool.
type recovered struct {
	ID      string    `json:"id"`
	Status  string    `json:"status"`
	To      time.Time `json:"to,omitzero"`
	Deletes *int      `json:"deletes,omitempty"` // by its preview
	Settled bool      `json:"settled"`           // a full pass was done since
	running bool
}

var (
	errNoTables = errors.New("there are no tables of codegrant sync yet: run codegrant migrate")
	errNoPass   = errors.New("there was no pass yet; make one with codegrant sync --full")
	errLeft     = errors.New("the last pass failed")
	errWithheld = errors.New("the last pass removed nobody: too many people were missing")
)

// status says how the passes are, out of the database.
func (c Command) status(ctx context.Context, out *terminal.Streams) error {
	s, err := c.Load(parts.UsesSync)
	if err != nil {
		return err
	}
	chosen, err := c.Choose(s)
	if err != nil {
		return err
	}
	opened, err := parts.LookAtStores(s)
	if err != nil {
		return err
	}
	defer opened.Close()
	if opened.Users == nil {
		return parts.ErrNoReplica
	}
	journal, err := directory.NewSQLJournal(opened.DB.DB, opened.DB.Dialect)
	if err != nil {
		return err
	}
	switch there, err := sqldialect.HasTable(ctx, opened.DB, opened.DB.Dialect, "codegrant_passes"); {
	case err != nil:
		return fmt.Errorf("list what is in the database: %w", err)
	case !there:
		return errNoTables
	}
	all, faults := []told{}, []error{}
	for _, pool := range onePerIssuer(chosen) {
		found, err := directory.ReadStatus(ctx, journal, pool.Issuer)
		if err != nil {
			return err
		}
		if fault := verdict(found); fault != nil {
			faults = append(faults, fmt.Errorf("pool %s: %w", pool.Name, fault))
		}
		one := tellOf(pool.Name, found, time.Now())
		all = append(all, one)
		if !c.JSON {
			one.print(out, len(chosen) > 1, time.Now())
		}
	}
	err = errors.Join(faults...)
	if c.JSON {
		err = errors.Join(err, terminal.PrintJSON(out.Stdout, all))
	}
	if errors.Is(err, errWithheld) && !errors.Is(err, errLeft) && !errors.Is(err, errNoPass) {
		return terminal.Exit(exitTooMany, err)
	}
	return err
}

// onePerIssuer drops those that are other app clients of the same pool.
func onePerIssuer(pools []settings.Pool) (some []settings.Pool) {
	seen := make(map[string]bool)
	for _, p := range pools {
		if !seen[p.Issuer] {
			some = append(some, p)
		}
		seen[p.Issuer] = true
	}
	return some
}

// verdict says what is wrong with the last pass.
func verdict(s directory.Status) error {
	switch {
	case s.Fault != "":
		return errLeft
	case s.Last.Pass == "":
		return errNoPass
	case s.Last.Withheld > 0:
		return errWithheld
	}
	return nil
}

func tellOf(pool string, s directory.Status, now time.Time) told {
	t := told{
		Pool: pool, LastFull: s.LastFull, Running: s.Running, Phase: s.Current.Phase, Scheduled: s.Scheduled, Next: s.Next,
		Fault: s.Fault, FaultAt: s.FaultAt,
	}
	if r := s.Recovery; r.ID != "" {
		t.Recovery = &recovered{r.ID, string(r.Status), r.To, r.Deletes, !s.Unsettled, r.Running()}
	}
	if s.Last.Pass != "" {
		last := newPassed(pool, s.Last)
		t.Last, t.Age = &last, s.Age(now).Seconds()
	}
	return t
}

func (t told) print(out *terminal.Streams, several bool, now time.Time) {
	name := ""
	if several {
		name = t.Pool + ": "
	}
	say := func(format string, args ...any) { fmt.Fprintf(out.Stdout, name+format+"\n", args...) }
	ago := func(at time.Time) time.Duration { return max(0, now.Sub(at)).Round(time.Second) }
	if p := t.Last; p == nil {
		say("there was no pass yet")
	} else {
		kind := "incremental"
		if p.Full {
			kind = "full"
		}
		say("last pass done %s ago (%s, %s; took %s)", ago(p.Finished), p.Finished.Format(time.RFC3339), kind, p.Finished.Sub(p.Started).Round(time.Millisecond))
		say("  %s", p.summary())
		if p.Withheld > 0 {
			say("  refused to remove %d people who are missing from the pool; see with --dry-run whether they are gone, and allow it with --max-share", p.Withheld)
		}
	}
	if r := t.Recovery; r != nil && !r.Settled {
		if r.running {
			say("the pool is being recovered to %s (%s): no pass is made until that is over", r.To.Format(time.RFC3339), r.Status)
		} else {
			say("the pool was recovered to %s (%s): the next pass is a full one", r.To.Format(time.RFC3339), r.Status)
		}
	}
	if t.Fault != "" {
		say("the last try failed %s ago: %s", ago(t.FaultAt), terminal.Printable(t.Fault))
	}
	switch {
	case t.Running:
		say("a pass is in progress: %s", cmp.Or(t.Phase, "it asks the pool whether it can begin"))
	case t.Next.IsZero() && t.Scheduled:
		say("the next pass is due")
	case t.Scheduled && t.Next.Before(now):
		say("the next pass is due since %s", ago(t.Next))
	case t.Scheduled:
		say("the next pass is due in %s", t.Next.Sub(now).Round(time.Second))
	default:
		say("no process makes passes again and again: codegrant sync --every or --follow does")
	}
}
