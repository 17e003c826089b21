package directory

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// regroup reads, for an incremental pass, the members of the groups that are new,
// have changed or are gone.
func (p *pass) regroup(ctx context.Context) error {
	if p.groups == nil {
		return nil
	}
	known := make(map[string]replica.Group)
	if err := p.eachGroup(ctx, func(g replica.Group) error {
		known[g.Name] = g
		return nil
	}); err != nil {
		return err
	}
	since := p.LastFull.Add(-modifiedMargin)
	var names []string
	for name, g := range p.groups {
		k, ok := known[name]
		changed := g.Modified.IsZero() || !g.Modified.Before(since)
		if changed || ok && g.Precedence != nil && (k.Precedence == nil || *k.Precedence != *g.Precedence) {
			names = append(names, name)
		}
	}
	for name, g := range known {
		if _, ok := p.groups[name]; !ok && g.Origin != replica.OriginLocal {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if name <= p.GroupsRead {
			continue
		}
		e, err := p.regroupAll(ctx, name, p.groups[name])
		p.mu.Lock()
		p.Report.add(e)
		p.mu.Unlock()
		if err != nil {
			return err
		}
		p.GroupsRead = name
		if err := p.save(); err != nil {
			return err
		}
	}
	return nil
}

// modifiedMargin is how far the pool's clock may be behind ours.
const modifiedMargin = 5 * time.Minute

// underGroupsLease calls f while no other process restates memberships of single
// groups: two that did so for one person would each undo what the other says.
func (s *Sync) underGroupsLease(ctx context.Context, f func(context.Context) error) error {
	var t *term
	for {
		var err error
		t, _, err = s.begin(ctx, "groups "+s.Issuer)
		if err == nil {
			break
		}
		if !errors.Is(err, ErrHeld) {
			return err
		}
		if err := sleep(ctx, leasePoll); err != nil {
			return err
		}
	}
	defer t.end()
	err := f(t.ctx)
	if cause := context.Cause(t.ctx); err != nil && cause != nil && ctx.Err() == nil {
		return cause
	}
	return err
}

const leasePoll = 50 * time.Millisecond

// regroupAll brings all memberships in one group in line with the source.
func (s *Sync) regroupAll(ctx context.Context, name string, g Group) (effects, error) {
	var e effects
	err := s.underGroupsLease(ctx, func(ctx context.Context) error {
		at := s.now()
		seed := maphash.MakeSeed()
		had := make(map[uint64]bool) // members in the replica, and whether the source has them
		if err := s.eachMember(ctx, name, func(u replica.User) error {
			had[maphash.String(seed, u.Subject)] = false
			return nil
		}); err != nil {
			return err
		}
		some := ""
		var joined []string
		err := s.readGroup(ctx, name, func(subject string) bool {
			some = subject
			h := maphash.String(seed, subject)
			if _, ok := had[h]; ok {
				had[h] = true
			} else {
				joined = append(joined, subject)
			}
			return true
		})
		if err != nil {
			return err
		}
		var left []string
		if slices.Contains(slices.Collect(maps.Values(had)), false) {
			if err := s.eachMember(ctx, name, func(u replica.User) error {
				if in, ok := had[maphash.String(seed, u.Subject)]; ok && !in {
					left = append(left, u.Subject)
				}
				return nil
			}); err != nil {
				return err
			}
		}
		if len(joined) == 0 && some != "" {
			joined = []string{some} // who is there already: the group's precedence is stated with a member
		}
		for _, move := range []struct {
			subjects []string
			in       bool
		}{{joined, true}, {left, false}} {
			for chunk := range slices.Chunk(move.subjects, maxBatch) {
				if err := s.restate(ctx, replica.GroupRef{Name: name, Precedence: g.Precedence}, chunk, move.in, at, &e); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return e, named(fmt.Sprintf("bring the members of group %.64q in line", name), err)
}

// readGroup calls f for the members of a group until it has enough. A group that
// does not exist has none.
func (s *Sync) readGroup(ctx context.Context, name string, f func(subject string) bool) error {
	for after := ""; ; {
		page, err := s.Source.Members(ctx, name, after)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, subject := range page.Subjects {
			if !f(subject) {
				return nil
			}
		}
		if after = page.Next; after == "" {
			return nil
		}
	}
}

// restate says of people who are known that they are in a group, or not, as of at,
// and otherwise where they were. Of whom more was said since, nothing is.
func (s *Sync) restate(ctx context.Context, group replica.GroupRef, subjects []string, in bool, at time.Time, e *effects) error {
	var snapshots []replica.Snapshot
	for _, subject := range subjects {
		if err := ctx.Err(); err != nil {
			return err
		}
		u, err := s.Replica.UserBySubject(ctx, s.Issuer, subject)
		if errors.Is(err, replica.ErrNotFound) {
			continue // they come with a pass, or sign in
		}
		if err != nil {
			return err
		}
		if at.Before(u.GroupsAsOf) || !u.Deleted.IsZero() {
			continue
		}
		snapshot := replica.Snapshot{
			// Nothing is said about attributes, not even that they are as they were.
			Issuer: s.Issuer, Subject: subject, At: u.AsOf,
			GroupsKnown: true, GroupsAt: at,
		}
		was := false
		for _, m := range u.Groups {
			if m.Pool && m.Name == group.Name {
				was = true
			} else if m.Pool {
				snapshot.Groups = append(snapshot.Groups, replica.GroupRef{Name: m.Name, Origin: m.Origin})
			}
		}
		if in {
			snapshot.Groups = append(snapshot.Groups, group)
		}
		if in != was {
			// The pool has changed already, so a refresh finds what is new. Once the
			// replica has changed nobody would know any more that this is to be done.
			if err := s.staleSessions(ctx, subject, e); err != nil {
				return err
			}
		}
		snapshots = append(snapshots, snapshot)
	}
	changes, _, err := s.applyAll(ctx, snapshots)
	for _, c := range changes {
		e.count(c)
	}
	return err
}

// eachGroup calls f for the groups of the replica.
func (s *Sync) eachGroup(ctx context.Context, f func(replica.Group) error) error {
	for q := (replica.GroupQuery{Issuer: s.Issuer, Limit: replica.MaxPage}); ; {
		page, err := s.Replica.Groups(ctx, q)
		if err != nil {
			return err
		}
		for _, g := range page.Groups {
			if err := f(g); err != nil {
				return err
			}
		}
		if q.After = page.Next; q.After == "" {
			return nil
		}
	}
}

// eachMember calls f for those whom the pool has made members of a group, as the
// replica has it.
func (s *Sync) eachMember(ctx context.Context, group string, f func(replica.User) error) error {
	for q := (replica.UserQuery{Issuer: s.Issuer, Group: group, Limit: replica.MaxPage}); ; {
		page, err := s.Replica.Users(ctx, q)
		if err != nil {
			return err
		}
		for _, u := range page.Users {
			if !slices.ContainsFunc(u.Groups, func(m replica.Membership) bool { return m.Name == group && m.Pool }) {
				continue
			}
			if err := f(u); err != nil {
				return err
			}
		}
		if q.After = page.Next; q.After == "" {
			return nil
		}
	}
}
