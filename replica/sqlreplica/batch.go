package sqlreplica

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/replica"
)

var _ replica.BatchStore = (*Store)(nil)

// The most that one transaction of a batch takes in: it holds the rows of these
// users for as long as it lasts, and engines limit the size of a statement.
const (
	maxUsers   = 1000
	maxGroups  = 20000 // memberships that are stated
	maxContent = 4 << 20
)

// task is one snapshot of a batch.
type task struct {
	index    int
	snapshot replica.Snapshot
}

// ApplyBatch implements [replica.BatchStore]: one read for up to a thousand users
// who are as stated, and otherwise one transaction with a few statements more.
func (s *Store) ApplyBatch(ctx context.Context, snapshots []replica.Snapshot) ([]replica.Change, error) {
	changes := make([]replica.Change, len(snapshots))
	var refused replica.BatchError
	refuse := func(t task, err error) {
		refused.Refused = append(refused.Refused, replica.Refusal{Index: t.index, Subject: t.snapshot.Subject, Err: err})
	}
	var tasks []task
	for i, snapshot := range snapshots {
		if err := snapshot.Validate(); err != nil {
			refuse(task{i, snapshot}, err)
			continue
		}
		tasks = append(tasks, task{i, snapshot})
	}
	for portion := range portions(tasks) {
		var plans, lost []*plan
		err := s.again(ctx, func() (err error) {
			plans, err = s.applyOnce(ctx, portion)
			if s.isLost(err) {
				lost = plans
			}
			return err
		})
		switch {
		case err == nil:
			for i, t := range portion {
				p := plans[i]
				if lost != nil {
					p = p.or(lost[i])
				}
				changes[t.index] = p.seen()
			}
		case refuses(err) && ctx.Err() == nil:
			// One of them is refused. Who it is shows when they come one by one.
			for _, t := range portion {
				changes[t.index], err = s.change(ctx, s.bySubject(t.snapshot.Issuer, t.snapshot.Subject), s.decide(t.snapshot))
				if refuses(err) && ctx.Err() == nil {
					refuse(t, err)
				} else if err != nil {
					return changes, s.fail(ctx, "apply batch", err)
				}
			}
		default:
			return changes, s.fail(ctx, "apply batch", err)
		}
	}
	if refused.Refused != nil {
		return changes, fmt.Errorf("apply batch of %d: %w", len(snapshots), &refused)
	}
	return changes, nil
}

// refuses reports whether err is about the user, and not about the store.
func refuses(err error) bool {
	var hook *hookError
	return err != nil && (errors.As(err, &hook) || isVerdict(err))
}

// portions cuts a batch into what goes into one transaction. A portion has users
// of one issuer, and nobody twice: what is said of somebody second is judged by
// what the first has made of them, and of two who claim one address the second by
// what the first has come by.
func portions(tasks []task) iter.Seq[[]task] {
	return func(yield func([]task) bool) {
		for len(tasks) > 0 {
			n, groups, content := 0, 0, 0
			people := make(map[string]bool)
			for ; n < len(tasks) && n < maxUsers; n++ {
				next := tasks[n].snapshot
				subject, address := "s"+next.Subject, "a"+strings.ToLower(next.Email)
				groups += len(next.Groups)
				content += contentOf(next)
				if n > 0 && (next.Issuer != tasks[0].snapshot.Issuer || people[subject] || people[address] && next.Email != "" ||
					groups > maxGroups || content > maxContent) {
					break
				}
				people[subject], people[address] = true, true
			}
			if !yield(tasks[:n:n]) {
				return
			}
			tasks = tasks[n:]
		}
	}
}

// contentOf is about how large a snapshot is in a statement.
func contentOf(s replica.Snapshot) int {
	n := 300
	for _, v := range []string{s.Issuer, s.Subject, s.Username, s.Email, s.Name, s.GivenName, s.FamilyName, s.PhoneNumber, s.Locale, s.Status} {
		n += 2 * len(v) // there are search keys, too
	}
	for name, value := range s.Custom {
		n += len(name) + len(value)
	}
	for _, g := range s.Groups {
		n += len(g.Name)
	}
	return n
}

// applyOnce returns what it has made of each, and with an error what it was about to,
// if it came so far.
func (s *Store) applyOnce(ctx context.Context, portion []task) ([]*plan, error) {
	issuer, subjects := portion[0].snapshot.Issuer, make([]string, len(portion))
	for i, t := range portion {
		subjects[i] = t.snapshot.Subject
	}
	heads, err := s.readHeads(ctx, issuer, subjects)
	if err != nil {
		return nil, err
	}
	plans, places := make([]*plan, len(portion)), make([]int, 0, len(portion))
	if !slices.ContainsFunc(portion, func(t task) bool { return t.isNews(heads[t.snapshot.Subject]) }) {
		// All of this was said before, or comes too late: it may well change nothing.
		rows, err := s.readRows(ctx, s.db, in(s.people(issuer), "subject", kindText, subjects))
		if err != nil {
			return nil, err
		}
		if plans, err = s.judge(rows, portion); err != nil {
			return nil, err
		}
		for i, p := range plans {
			if !p.nothing() {
				places = append(places, i)
			}
		}
		if len(places) == 0 {
			return plans, nil
		}
	} else {
		for i := range portion {
			places = append(places, i)
		}
	}

	var changing []task
	var known []int64
	for _, i := range places {
		changing = append(changing, portion[i])
		if head := heads[subjects[i]]; head != nil {
			known = append(known, head.ID)
		}
	}
	tx, err := s.db.BeginTx(ctx, s.engine.change)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() // after Commit it does nothing; after a panic of OnChange it matters
	rows, err := s.hold(ctx, tx, issuer, known)
	if err != nil {
		return nil, err
	}
	if len(rows) < len(known) {
		return nil, errAgain // somebody was deleted in between
	}
	groups := groupsOf(rows)
	held, err := s.judge(rows, changing)
	if err != nil {
		return nil, err
	}
	if err := s.adoptMany(ctx, tx, held, changing); err != nil {
		return nil, err
	}
	for i, p := range held {
		plans[places[i]] = p
	}
	return plans, s.finish(ctx, tx, held, groups)
}

// isNews reports whether a snapshot has something to put on record, given what is
// known about its person, nil for nobody.
func (t task) isNews(known *row) bool {
	if known == nil {
		return true
	}
	at, pass := storedTime(t.snapshot.At), t.snapshot.Pass
	return at.After(known.AsOf) || t.snapshot.GroupsKnown && at.After(known.GroupsAsOf) ||
		pass != "" && pass != known.pass && pass != known.confirmedBy
}

// people begins a selection of the IDs of users of an issuer.
func (s *Store) people(issuer string) *statement {
	return s.engine.sql("SELECT id FROM codegrant_users WHERE issuer = ").bind(issuer).sql(" AND ")
}

// hold takes hold of the rows of users until the transaction ends, and reads them.
func (s *Store) hold(ctx context.Context, tx *sql.Tx, issuer string, ids []int64) ([]row, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	if err := in(s.engine.sql(s.engine.lock), "id", kindID, ids).hold(ctx, tx); err != nil {
		return nil, err
	}
	return s.readHeld(ctx, tx, issuer, ids)
}

// judge plans what becomes of the people of a portion, who are in rows if they are
// known, one after the other: what one statement says of a group is known to those
// after it, so that a precedence which is new is new once.
func (s *Store) judge(rows []row, portion []task) ([]*plan, error) {
	bySubject := make(map[string]*row, len(rows))
	for i := range rows {
		bySubject[rows[i].Subject] = &rows[i]
	}
	groups := make(map[string]replica.Group) // as the statements so far leave them; without ID where no member is among these people
	plans := make([]*plan, len(portion))
	for i, t := range portion {
		stored := bySubject[t.snapshot.Subject]
		if stored != nil {
			for j, m := range stored.Groups {
				g, ok := groups[m.Name]
				if ok && g.ID == 0 {
					g, _ = replica.MergeGroup(m.Group, g)
					groups[m.Name] = g
				}
				if ok {
					stored.Groups[j].Group = g
				}
			}
		}
		p, err := s.decide(t.snapshot)(stored)
		if err != nil {
			return nil, err
		}
		for _, m := range p.change.User.Groups {
			if g, ok := groups[m.Name]; ok {
				groups[m.Name], _ = replica.MergeGroup(g, m.Group)
			} else {
				groups[m.Name] = m.Group
			}
		}
		plans[i] = p
	}
	return plans, nil
}

// groupsOf are the groups of users as they are stored, by name.
func groupsOf(rows []row) map[string]replica.Group {
	groups := make(map[string]replica.Group)
	for _, r := range rows {
		for _, m := range r.Groups {
			groups[m.Name] = m.Group
		}
	}
	return groups
}

// adoptMany plans anew for those newcomers who have an account already.
func (s *Store) adoptMany(ctx context.Context, tx *sql.Tx, plans []*plan, tasks []task) error {
	var newcomers []replica.User
	var places []int
	for i, p := range plans {
		if p.before == nil {
			newcomers, places = append(newcomers, p.change.User), append(places, i)
		}
	}
	if len(newcomers) == 0 {
		return nil
	}
	accounts, err := s.tables.adopt(ctx, tx, newcomers)
	if err != nil {
		return err
	}
	for i, account := range accounts {
		if account == nil {
			continue
		}
		adopted, err := s.decide(tasks[places[i]].snapshot)(account)
		if err != nil {
			return err
		}
		adopted.change.Adopted = !adopted.refused
		plans[places[i]] = adopted
	}
	return nil
}

// finish makes what is planned, within a transaction that holds the rows, has the
// application join it, and commits. The groups are those of all who are known.
func (s *Store) finish(ctx context.Context, tx *sql.Tx, plans []*plan, groups map[string]replica.Group) error {
	plans = slices.DeleteFunc(slices.Clone(plans), (*plan).nothing)
	if err := s.tables.writeMany(ctx, tx, plans, groups); err != nil {
		return err
	}
	if err := s.record(ctx, tx, plans...); err != nil {
		return err
	}
	for _, p := range plans {
		if err := s.tell(ctx, tx, p); err != nil {
			return err
		}
	}
	return tx.Commit()
}
