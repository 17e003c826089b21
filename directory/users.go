package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/codegrant/codegrant/replica"
)

// maxBatch is how many users the replica is told of at once.
const maxBatch = 1000

// readAhead is how many pages wait for the replica.
const readAhead = 16

// leaf is one page of one part of the listing.
type leaf struct {
	walk int // its index
	page UserPage
}

// readUsers reads all users and tells the replica of them. Pages are read ahead of
// what the replica takes.
func (p *pass) readUsers(ctx context.Context) error {
	if len(p.Walks) == 0 {
		p.Walks = []walk{{}}
		if p.BySubject {
			if err := p.split(ctx); err != nil {
				return err
			}
		}
	}
	var parts []int
	for i, w := range p.Walks {
		if !w.Done {
			parts = append(parts, i)
		}
	}
	reading, stop := context.WithCancel(ctx)
	leaves := make(chan leaf, readAhead)
	starts := make([]UserQuery, len(p.Walks))
	for i, w := range p.Walks {
		starts[i] = UserQuery{Prefix: w.Prefix, After: w.After}
	}
	var wg sync.WaitGroup
	defer func() {
		stop()
		wg.Wait()
	}()
	var failed error // of the reading; set before leaves is closed
	wg.Go(func() {
		defer close(leaves)
		failed = parallel(reading, p.Concurrency, parts, func(ctx context.Context, part int) error {
			return p.walk(ctx, part, starts[part], leaves)
		})
	})
	for {
		first, ok := <-leaves
		if !ok {
			// The pages before this one were handed over, and are not read again.
			return failed
		}
		batch, size := []leaf{first}, len(first.page.Users)
	gather:
		for size < maxBatch-pageSize {
			select {
			case next, ok := <-leaves:
				if !ok {
					break gather
				}
				batch, size = append(batch, next), size+len(next.page.Users)
			default:
				break gather
			}
		}
		if err := p.apply(ctx, batch); err != nil {
			return err
		}
	}
}

// walk reads one part of the listing, page by page.
func (p *pass) walk(ctx context.Context, part int, q UserQuery, leaves chan<- leaf) error {
	for {
		page, err := p.Source.Users(ctx, q)
		if err != nil {
			return err
		}
		select {
		case leaves <- leaf{part, page}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if q.After = page.Next; q.After == "" {
			return nil
		}
	}
}

// split makes a walk of each digit that a subject can begin with, where there is
// more than one page to read.
func (p *pass) split(ctx context.Context) error {
	page, err := p.Source.Users(ctx, UserQuery{})
	if err != nil || page.Next == "" {
		return err
	}
	p.Walks = nil
	for _, digit := range "0123456789abcdef" {
		p.Walks = append(p.Walks, walk{Prefix: string(digit)})
	}
	return nil
}

// apply tells the replica of some pages, sees to the consequences, and then counts
// the pages as read.
func (p *pass) apply(ctx context.Context, batch []leaf) error {
	if err := p.steady(ctx, false); err != nil {
		return err
	}
	var users []User
	for _, l := range batch {
		users = append(users, l.page.Users...)
	}
	if err := p.tell(ctx, users); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Report.Users += len(users)
	for _, l := range batch {
		p.Walks[l.walk].cursor = cursor{After: l.page.Next, Done: l.page.Next == ""}
	}
	return nil
}

// tell tells the replica of users, and sees to the consequences.
func (p *pass) tell(ctx context.Context, users []User) error {
	subjects := make([]string, len(users))
	for i, u := range users {
		subjects[i] = u.Subject()
	}
	var groups map[string][]string
	if p.grouped && len(users) > 0 {
		var err error
		if groups, err = p.Journal.GroupsOf(ctx, p.Report.Pass, subjects); err != nil {
			return fmt.Errorf("read which groups users are in: %w", err)
		}
	}
	snapshots := make([]replica.Snapshot, len(users))
	for i, u := range users {
		snapshots[i] = p.snapshot(u)
		snapshots[i].Pass = p.Report.Pass
		if p.grouped {
			p.stateGroups(&snapshots[i], groups[subjects[i]])
		}
	}
	// From here on the replica may know more than the sessions do.
	p.mu.Lock()
	p.Pending = subjects
	p.mu.Unlock()
	if err := p.save(); err != nil {
		return err
	}
	changes, refused, err := p.applyAll(ctx, snapshots)
	effects, settled := p.consequences(ctx, changes)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Report.Refused += refused
	p.Report.add(effects)
	if err := errors.Join(err, settled); err != nil {
		return err
	}
	p.Pending = nil
	return nil
}

// stateGroups has a snapshot state the memberships that the pass has read.
func (p *pass) stateGroups(s *replica.Snapshot, names []string) {
	s.GroupsKnown, s.GroupsAt = true, p.Report.Began
	for _, name := range names {
		if g, ok := p.groups[name]; ok { // and is not gone since
			s.Groups = append(s.Groups, replica.GroupRef{Name: name, Precedence: g.Precedence})
		}
	}
}

// applyAll tells the replica of snapshots. Those that it refuses keep nobody else:
// of them it is told what it takes. It returns what has changed, also when it
// fails, and how many were refused.
func (s *Sync) applyAll(ctx context.Context, snapshots []replica.Snapshot) ([]replica.Change, int, error) {
	if len(snapshots) == 0 {
		return nil, 0, nil
	}
	reduced := 0
	for i, snapshot := range snapshots {
		var err error
		if snapshots[i], err = snapshot.Fit(); err != nil {
			s.log.Warn("user cannot be taken over whole", slog.String("subject", snapshot.Subject), slog.Any("error", err))
			reduced++
		}
	}
	changes, err := s.Replica.ApplyBatch(ctx, snapshots)
	var refusals *replica.BatchError
	if !errors.As(err, &refusals) {
		return changes, reduced, err
	}
	for _, r := range refusals.Refused {
		s.log.Warn("user cannot be taken over", slog.String("subject", r.Subject), slog.Any("error", r.Err))
		if r.Index < 0 || r.Index >= len(snapshots) {
			continue
		}
		if err := s.met(ctx, snapshots[r.Index]); err != nil {
			return changes, reduced + len(refusals.Refused), err
		}
	}
	return changes, reduced + len(refusals.Refused), nil
}

// met puts on record that the pool has a user of whom the replica takes nothing
// else, if it knows them: they must not be removed for that.
func (s *Sync) met(ctx context.Context, snapshot replica.Snapshot) error {
	_, err := s.Replica.UserBySubject(ctx, snapshot.Issuer, snapshot.Subject)
	if errors.Is(err, replica.ErrNotFound) {
		return nil
	}
	if err == nil {
		_, err = s.Replica.ApplyBatch(ctx, []replica.Snapshot{{
			Issuer: snapshot.Issuer, Subject: snapshot.Subject, At: snapshot.At, Pass: snapshot.Pass,
		}})
	}
	var refusals *replica.BatchError
	if errors.As(err, &refusals) {
		return nil
	}
	return err
}
