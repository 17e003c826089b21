package sqlreplica

import (
	"cmp"
	"context"
	"database/sql"
	"maps"
	"slices"

	"github.com/codegrant/codegrant/replica"
)

// writeMany implements tables, with a few statements for each kind of row.
func (o ownTables) writeMany(ctx context.Context, tx *sql.Tx, plans []*plan, groups map[string]replica.Group) error {
	var created, changed, confirmed []*plan
	for _, p := range plans {
		p.change.User.Groups = slices.Clone(p.change.User.Groups) // they are shared with what was decided
		switch {
		case p.change.Created:
			created = append(created, p)
		case p.change.Empty():
			confirmed = append(confirmed, p)
		default:
			changed = append(changed, p)
		}
	}
	if err := o.createUsers(ctx, tx, created); err != nil {
		return err
	}
	if err := o.updateUsers(ctx, tx, changed); err != nil {
		return err
	}
	if err := o.mergeGroups(ctx, tx, plans, groups); err != nil {
		return err
	}
	if err := o.writeAllMemberships(ctx, tx, plans); err != nil {
		return err
	}
	return o.confirm(ctx, tx, confirmed)
}

// createUsers adds users and learns their IDs. They go in the order of their
// subjects, so that two transactions which share some meet in the same order.
func (o ownTables) createUsers(ctx context.Context, tx *sql.Tx, plans []*plan) error {
	if len(plans) == 0 {
		return nil
	}
	plans = slices.SortedFunc(slices.Values(plans), func(a, b *plan) int { return cmp.Compare(a.change.User.Subject, b.change.User.Subject) })
	bySubject, subjects := make(map[string]*plan, len(plans)), make([]string, len(plans))
	rows := make([][]any, len(plans))
	for i, p := range plans {
		var err error
		if rows[i], err = userValues(row{User: p.change.User, pass: p.seenBy()}); err != nil {
			return err
		}
		subjects[i] = p.change.User.Subject
		bySubject[subjects[i]] = p
	}
	found := 0
	learn := func(q *statement) error {
		return each(ctx, tx, q, "a new user", func(rows *sql.Rows) error {
			var id int64
			var subject string
			err := rows.Scan(&id, &subject)
			if p := bySubject[subject]; p != nil {
				p.change.User.ID = id
				found++
			}
			return err
		})
	}
	err := o.engine.split(userTable, rows, func(rows [][]any) error {
		insert := o.engine.sql("").insertInto("codegrant_users", userTable, rows)
		if !o.engine.returning {
			return insert.exec(ctx, tx)
		}
		return learn(insert.sql(" ON CONFLICT DO NOTHING RETURNING id, subject"))
	})
	if err == nil && !o.engine.returning {
		people := o.engine.sql("SELECT id, subject FROM codegrant_users WHERE issuer = ").bind(plans[0].change.User.Issuer).sql(" AND ")
		err = learn(in(people, "subject", kindText, subjects))
	}
	if err == nil && found < len(plans) {
		err = errAgain // a concurrent transaction has added one of them
	}
	return err
}

func (o ownTables) updateUsers(ctx context.Context, tx *sql.Tx, plans []*plan) error {
	rows := make([][]any, len(plans))
	for i, p := range plans {
		values, err := userValues(row{User: p.change.User, pass: p.seenBy()})
		if err != nil {
			return err
		}
		rows[i] = append([]any{p.change.User.ID}, values...)
	}
	return o.engine.upsert(ctx, tx, "codegrant_users", 1, slices.Concat([]column{{"id", kindID}}, userTable), rows)
}

// mergeGroups brings the groups that the plans name in line with them, creates
// those that are missing, and fills them in. It goes in the order of their names,
// as writeGroups does.
func (o ownTables) mergeGroups(ctx context.Context, tx *sql.Tx, plans []*plan, stored map[string]replica.Group) error {
	if len(plans) == 0 {
		return nil
	}
	issuer := plans[0].change.User.Issuer
	missing := make(map[string]bool)
	for _, p := range plans {
		for _, m := range p.change.User.Groups {
			if _, known := stored[m.Name]; !known {
				missing[m.Name] = true
			}
		}
	}
	stored = maps.Clone(stored)
	for names := range slices.Chunk(slices.Sorted(maps.Keys(missing)), maxRows) {
		bound := make([]any, len(names))
		for i, name := range names {
			bound[i] = name
		}
		found, err := o.findGroups(ctx, tx, issuer, bound)
		if err != nil {
			return err
		}
		for _, g := range found {
			stored[g.Name] = g
		}
	}

	current, changed := make(map[string]replica.Group), make(map[string]bool)
	for _, p := range plans {
		for _, m := range p.change.User.Groups {
			before, known := current[m.Name]
			if !known {
				before, known = stored[m.Name]
			}
			if !known {
				current[m.Name] = m.Group
				continue
			}
			merged, differs := replica.MergeGroup(before, m.Group)
			current[m.Name] = merged
			changed[m.Name] = changed[m.Name] || differs
		}
	}
	now := storedTime(o.now())
	for _, name := range slices.Sorted(maps.Keys(current)) {
		group := current[name]
		old, known := stored[name]
		if changed[name] || !known {
			group.Updated = now
		}
		var err error
		switch {
		case !known:
			group.Created = group.Updated
			group.ID, err = o.insertGroup(ctx, tx, group)
		case changed[name] || !group.AsOf.Equal(old.AsOf):
			err = o.updateGroup(ctx, tx, group)
		}
		if err != nil {
			return err
		}
		current[name] = group
	}
	for _, p := range plans {
		groups := p.change.User.Groups
		for i := range groups {
			groups[i].Group = current[groups[i].Name]
		}
	}
	return nil
}

// writeAllMemberships makes the rows of all users equal to what is planned.
func (o ownTables) writeAllMemberships(ctx context.Context, tx *sql.Tx, plans []*plan) error {
	var first, written, gone [][]any
	for _, p := range plans {
		id := p.change.User.ID
		new, old := difference(p.was().Groups, p.change.User.Groups)
		for _, m := range new {
			membership := []any{id, m.ID, m.Pool, m.Local}
			if p.change.Created { // nobody else knows the ID before the transaction ends
				first = append(first, membership)
			} else {
				written = append(written, membership)
			}
		}
		for _, groupID := range old {
			gone = append(gone, []any{id, groupID})
		}
	}
	err := o.engine.split(membershipTable, first, func(rows [][]any) error {
		return o.engine.sql("").insertInto("codegrant_memberships", membershipTable, rows).exec(ctx, tx)
	})
	if err == nil {
		err = o.engine.upsert(ctx, tx, "codegrant_memberships", 2, membershipTable, written)
	}
	if err != nil {
		return err
	}
	key := membershipTable[:2]
	return o.engine.split(key, gone, func(rows [][]any) error {
		if o.engine.arrays {
			return o.engine.sql("DELETE FROM codegrant_memberships m USING ").arrays(key, rows).
				sql(" WHERE m.user_id = r.user_id AND m.group_id = r.group_id").exec(ctx, tx)
		}
		return o.engine.sql("DELETE FROM codegrant_memberships WHERE (user_id, group_id) IN ("+o.engine.listOfTuples).
			tuples(rows).sql(")").exec(ctx, tx)
	})
}

// difference returns the memberships to write, and the groups of those to remove.
func difference(before, after []replica.Membership) (written []replica.Membership, gone []int64) {
	was := make(map[int64]replica.Membership, len(before))
	for _, m := range before {
		was[m.ID] = m
	}
	for _, m := range after {
		old, exists := was[m.ID]
		delete(was, m.ID)
		if !exists || old.Pool != m.Pool || old.Local != m.Local {
			written = append(written, m)
		}
	}
	return written, slices.Sorted(maps.Keys(was))
}

var membershipTable = []column{{"user_id", kindID}, {"group_id", kindID}, {"from_pool", kindBool}, {"from_local", kindBool}}
