package directory

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"

	"github.com/codegrant/codegrant/replica"
)

// dryRun compares, and writes nothing: not even to the journal, so that it keeps
// nobody from making a pass.
func (s *Sync) dryRun(ctx context.Context, o Options) (Report, error) {
	compared := *s
	compared.Journal = NewMemoryJournal()
	p := &pass{Sync: &compared, options: o}
	p.Limit, p.Told = o.MaxShare, o.told
	if err := p.afterRecovery(ctx, s); err != nil {
		return Report{}, err
	}
	o.Full = o.Full || p.unsettled()
	if replicated, ok := s.Source.(*Replicated); ok {
		var err error
		if p.Region, _, err = replicated.begin(ctx); err != nil {
			return Report{}, err
		}
	}
	p.Report = Report{Pass: "dry-run", Full: o.Full, DryRun: true, Phase: phaseGroups, Began: s.now()}
	t, _, err := p.begin(ctx, "dry run")
	if err != nil {
		return Report{}, err
	}
	defer t.end()
	p.term = t
	report := func(c replica.Change) {
		var e effects
		e.count(c)
		p.Report.add(e)
		if o.Difference != nil && !c.Empty() {
			o.Difference(c)
		}
	}
	err = p.compare(t.ctx, report)
	return p.Report, err
}

func (p *pass) compare(ctx context.Context, report func(replica.Change)) error {
	if err := p.readGroups(ctx); err != nil {
		return err
	}
	p.Report.Phase = phaseMembers
	if err := p.readMembers(ctx); err != nil {
		return err
	}

	p.Report.Phase = phaseUsers
	seen := make(map[uint64]struct{}) // by hash: the names of a million would not be small
	seed := maphash.MakeSeed()
	for q := (UserQuery{}); ; {
		page, err := p.Source.Users(ctx, q)
		if err != nil {
			return err
		}
		for _, u := range page.Users {
			seen[maphash.String(seed, u.Subject())] = struct{}{}
			change, err := p.preview(ctx, u)
			if err != nil {
				return err
			}
			report(change)
		}
		p.Report.Users += len(page.Users)
		p.options.Progress(p.Report)
		if q.After = page.Next; q.After == "" {
			break
		}
	}

	p.Report.Phase = phaseRemovals
	known, gone := 0, 0
	err := p.eachUser(ctx, false, func(u replica.User) error {
		known++
		if _, ok := seen[maphash.String(seed, u.Subject)]; ok || !p.unseen(u) {
			return nil
		}
		change := replica.DecideGone(p.Policy, u, p.Report.Began, p.now())
		if !change.Empty() {
			gone++
			report(change)
		}
		return nil
	})
	if err != nil {
		return err
	}
	p.Report.Phase, p.Report.Finished = phaseDone, p.now()
	if allowed := p.allowed(known); gone > allowed {
		return p.tooMany(replica.SweepResult{Known: known, Unseen: gone}, allowed)
	}
	return nil
}

// preview says what the replica would make of a user.
func (p *pass) preview(ctx context.Context, u User) (replica.Change, error) {
	snapshot := p.snapshot(u)
	if p.grouped {
		groups, err := p.Journal.GroupsOf(ctx, p.Report.Pass, []string{u.Subject()})
		if err != nil {
			return replica.Change{}, err
		}
		p.stateGroups(&snapshot, groups[u.Subject()])
	}
	snapshot, err := snapshot.Fit()
	if err != nil {
		p.Report.Refused++
	}
	stored, err := p.Replica.UserBySubject(ctx, snapshot.Issuer, snapshot.Subject)
	if errors.Is(err, replica.ErrNotFound) {
		return replica.Decide(p.Policy, nil, snapshot, p.now()), nil
	}
	if err != nil {
		return replica.Change{}, fmt.Errorf("compare a user: %w", err)
	}
	return replica.Decide(p.Policy, &stored, snapshot, p.now()), nil
}
