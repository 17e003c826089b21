package sqlreplica

import (
	"context"
	"database/sql"
	"time"
)

// MembershipsSince returns since when a user is in each of their groups, by the group's ID,
// as this replica has written it. A membership that is older than its records, or that Django
// has made, is missing.
func (s *Store) MembershipsSince(ctx context.Context, userID int64) (map[int64]time.Time, error) {
	since := make(map[int64]time.Time)
	q := s.engine.sql("SELECT m.group_id, " + s.engine.readTime("m.since") + " FROM codegrant_memberships m WHERE m.since IS NOT NULL AND m.user_id = ").bind(userID)
	err := each(ctx, s.db, q, "since when somebody is in a group", func(rows *sql.Rows) error {
		var group int64
		var at time.Time
		if err := rows.Scan(&group, timeColumn{&at}); err != nil {
			return err
		}
		since[group] = at
		return nil
	})
	if err != nil {
		return nil, s.fail(ctx, "find since when somebody is in their groups", err)
	}
	return since, nil
}
