package sqlreplica

import (
	"context"
	"database/sql"
	"errors"

	"github.com/codegrant/codegrant/replica"
)

// swaps reports whether changes of one person are made by swap. What joins a change,
// or gives newcomers an account that was there before, needs a transaction.
func (s *Store) swaps() bool {
	_, own := s.tables.(ownTables)
	return own && s.engine.version != "" && s.onChange == nil
}

// swap makes what is planned for one user in a statement of its own, and fills in
// what only the database knows. It reports false, and has written nothing, where
// somebody else was first or there is more to write than such a statement does: a
// group.
func (s *Store) swap(ctx context.Context, p *plan) (bool, error) {
	was, after := p.was(), *p
	u := &after.change.User
	groups, stand, err := s.standing(ctx, *u, was.Groups)
	if err != nil || !stand {
		return false, err
	}
	u.Groups = groups
	q := s.engine.sql("WITH ")
	if p.before != nil {
		// The function holds the row and then looks: it sees what others have done
		// until now, where the rest of the statement sees what was when it began.
		q.sql("held AS MATERIALIZED (SELECT codegrant_hold(").bind(u.ID).sql("::bigint, ").bind(was.version).sql("::text) AS unchanged), ")
	}
	q.sql("changed AS (")
	switch values, err := userValues(row{User: *u, pass: p.seenBy()}); {
	case err != nil:
		return false, err
	case p.change.Empty():
		q.insertInto("codegrant_confirmations", confirmationTable, [][]any{p.confirmation()}).sql(", held WHERE held.unchanged").
			overwrite(1, confirmationTable).sql(" RETURNING user_id AS id")
	case p.change.Created:
		q.insertInto("codegrant_users", userTable, [][]any{values}).sql(" ON CONFLICT DO NOTHING RETURNING id")
	default:
		q.sql("UPDATE codegrant_users SET ").assign(userColumns, values).sql(" FROM held WHERE held.unchanged AND id = ").bind(u.ID).sql(" RETURNING id")
	}
	q.sql(")")

	written, gone := difference(was.Groups, groups)
	if len(written) > 0 {
		rows := make([][]any, len(written))
		for i, m := range written {
			rows[i] = []any{m.ID, m.Pool, m.Local}
		}
		q.sql(", written AS (INSERT INTO codegrant_memberships (user_id, group_id, from_pool, from_local) "+
			"SELECT changed.id, r.group_id, r.from_pool, r.from_local FROM changed, ").
			arrays(membershipTable[1:], rows).overwrite(2, membershipTable).sql(")")
	}
	if len(gone) > 0 {
		in(q.sql(", gone AS (DELETE FROM codegrant_memberships m USING changed WHERE m.user_id = changed.id AND "), "m.group_id", kindID, gone).sql(")")
	}
	told, err := s.entry(after.seen())
	if err != nil {
		return false, err
	}
	if told != nil {
		q.sql(", told AS (INSERT INTO codegrant_outbox (created_at, issuer, subject, record) "+
			"SELECT r.created_at, r.issuer, r.subject, jsonb_set(r.record::jsonb, '{user,id}', to_jsonb(changed.id)) FROM changed, ").
			arrays(outboxTable, [][]any{told}).sql(" RETURNING id, issuer, subject)")
	}
	past, err := s.past(&after)
	if err != nil {
		return false, err
	}
	if past != nil {
		q.sql(", past AS (INSERT INTO codegrant_history (user_id, until, record) SELECT changed.id, r.until, r.record::jsonb FROM changed, ").
			arrays(historyTable[1:], [][]any{past[1:]}).sql(")")
	}
	q.sql(" SELECT id, ")
	if told != nil && !s.outbox.Silent {
		q.sql("(SELECT ").notify(s.outbox.Channel).sql("::text FROM told)")
	} else {
		q.sql("NULL")
	}
	var notified sql.NullString
	err = q.sql(" FROM changed").scan(ctx, s.db, &u.ID, &notified)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	*p = after
	return true, nil
}

// standing returns the memberships of u with their groups as they are stored, and
// whether all of these are there and as they are to be.
func (s *Store) standing(ctx context.Context, u replica.User, before []replica.Membership) ([]replica.Membership, bool, error) {
	stored, err := s.storedGroups(ctx, s.db, u, before)
	if err != nil {
		return nil, false, err
	}
	groups := make([]replica.Membership, len(u.Groups))
	for i, m := range u.Groups {
		old, exists := stored[m.Name]
		merged, changed := replica.MergeGroup(old, m.Group)
		if !exists || changed || !merged.AsOf.Equal(old.AsOf) {
			return nil, false, nil
		}
		m.Group = merged
		groups[i] = m
	}
	return groups, true, nil
}
