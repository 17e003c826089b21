package sqlreplica

import (
	"context"
	"database/sql"
	"strings"

	"github.com/codegrant/codegrant/replica"
)

// tables are where users, groups and memberships are: in tables of our own, or in
// Django's with ours beside them. Either way codegrant_users is there, with the
// columns that every look-up uses.
type tables interface {
	// view says how to read.
	view() *view

	// admits says whether a newcomer may come in at all.
	admits(newcomer replica.Snapshot) error

	// adopt returns, for each newcomer, the account that was there before and that
	// they are to be linked to, or nil.
	adopt(ctx context.Context, tx *sql.Tx, newcomers []replica.User) ([]*row, error)

	// writeMany does what Store.write does, for the users of a portion.
	writeMany(ctx context.Context, tx *sql.Tx, plans []*plan, groups map[string]replica.Group) error

	insertUser(ctx context.Context, tx *sql.Tx, u row) (id int64, err error)
	linkUser(ctx context.Context, tx *sql.Tx, before *row, u row) error
	updateUser(ctx context.Context, tx *sql.Tx, before *row, u row) error

	// eraseUsers removes all that is kept of users whose rows are held.
	eraseUsers(ctx context.Context, tx *sql.Tx, ids []int64) error

	// groupByName adds a selection of the ID of one group to a statement.
	groupByName(s *statement, issuer, name string)
	findGroups(ctx context.Context, q querier, issuer string, names []any) ([]replica.Group, error)
	insertGroup(ctx context.Context, tx *sql.Tx, g replica.Group) (id int64, err error)
	updateGroup(ctx context.Context, tx *sql.Tx, g replica.Group) error

	addMemberships(ctx context.Context, tx *sql.Tx, userID int64, ms []replica.Membership) error
	setMembership(ctx context.Context, tx *sql.Tx, userID int64, m replica.Membership) error
	removeMemberships(ctx context.Context, tx *sql.Tx, userID int64, groupIDs []any) error
}

// view is the SQL that differs between the tables, over the names u (the user), m
// (what is ours of a membership) and g (what is ours of a group).
type view struct {
	migrations string // folder
	required   string // a table that must be there before ours can be made; empty: none

	userJoins   string // what else a user is made of
	inactive    string // two columns of row
	memberJoins string // from u to the memberships, m and g
	pool, local string // two columns of a membership
	unclaimed   string // and a third: we have nothing on record about it

	groups                          string // groups, without users
	groupID, groupName, groupOrigin string
	owned, ownedEnd                 string // with an issuer between them: the groups to list

	members string // the table of user_id and group_id
}

var ownView = view{
	migrations:  "own",
	inactive:    "FALSE, FALSE",
	memberJoins: "LEFT JOIN codegrant_memberships m ON m.user_id = u.id LEFT JOIN codegrant_groups g ON g.id = m.group_id",
	pool:        "m.from_pool", local: "m.from_local", unclaimed: "FALSE",
	groups:  "codegrant_groups g",
	groupID: "g.id", groupName: "g.name", groupOrigin: "g.origin",
	owned:   "g.issuer = ",
	members: "codegrant_memberships",
}

// ownTables are ours alone.
type ownTables struct{ *Store }

func (ownTables) view() *view { return &ownView }

func (ownTables) admits(replica.Snapshot) error { return nil }

func (ownTables) adopt(_ context.Context, _ *sql.Tx, newcomers []replica.User) ([]*row, error) {
	return make([]*row, len(newcomers)), nil
}

func (ownTables) linkUser(context.Context, *sql.Tx, *row, row) error { return nil }

func (o ownTables) insertUser(ctx context.Context, tx *sql.Tx, u row) (int64, error) {
	values, err := userValues(u)
	if err != nil {
		return 0, err
	}
	return o.insert(ctx, tx, o.engine.sql("INSERT INTO codegrant_users ("+strings.Join(userColumns, ", ")+") VALUES (").bind(values...).sql(")"))
}

func (o ownTables) updateUser(ctx context.Context, tx *sql.Tx, _ *row, u row) error {
	values, err := userValues(u)
	if err != nil {
		return err
	}
	return o.engine.sql("UPDATE codegrant_users SET ").assign(userColumns, values).sql(" WHERE id = ").bind(u.ID).exec(ctx, tx)
}

func (ownTables) groupByName(s *statement, issuer, name string) {
	s.sql("SELECT id FROM codegrant_groups WHERE issuer = ").bind(issuer).sql(" AND name = ").bind(name)
}

func (o ownTables) findGroups(ctx context.Context, q querier, issuer string, names []any) ([]replica.Group, error) {
	return o.readGroups(ctx, q, issuer, o.engine.sql(" WHERE g.issuer = ").bind(issuer).sql(" AND g.name IN (").bind(names...).sql(")"))
}

func (o ownTables) insertGroup(ctx context.Context, tx *sql.Tx, g replica.Group) (int64, error) {
	return o.insert(ctx, tx, o.engine.sql("INSERT INTO codegrant_groups (issuer, name, origin, precedence, created_at, updated_at, as_of) VALUES (").
		bind(g.Issuer, g.Name, string(g.Origin), g.Precedence, g.Created, g.Updated, g.AsOf).sql(")"))
}

func (o ownTables) updateGroup(ctx context.Context, tx *sql.Tx, g replica.Group) error {
	// A later precedence that was stated meanwhile stays.
	return o.engine.sql("UPDATE codegrant_groups SET origin = ").bind(string(g.Origin)).sql(", precedence = ").bind(g.Precedence).
		sql(", as_of = ").bind(g.AsOf).sql(", updated_at = ").bind(g.Updated).sql(" WHERE id = ").bind(g.ID).
		sql(" AND (as_of IS NULL OR as_of <= ").bind(g.AsOf).sql(")").exec(ctx, tx)
}

func (o ownTables) addMemberships(ctx context.Context, tx *sql.Tx, userID int64, ms []replica.Membership) error {
	insert := o.engine.sql("INSERT INTO codegrant_memberships (user_id, group_id, from_pool, from_local) VALUES ")
	for i, m := range ms {
		if i > 0 {
			insert.sql(", ")
		}
		insert.sql("(").bind(userID, m.ID, m.Pool, m.Local).sql(")")
	}
	return insert.exec(ctx, tx)
}

func (o ownTables) setMembership(ctx context.Context, tx *sql.Tx, userID int64, m replica.Membership) error {
	return o.engine.sql("UPDATE codegrant_memberships SET from_pool = ").bind(m.Pool).sql(", from_local = ").bind(m.Local).
		sql(" WHERE user_id = ").bind(userID).sql(" AND group_id = ").bind(m.ID).exec(ctx, tx)
}

func (o ownTables) removeMemberships(ctx context.Context, tx *sql.Tx, userID int64, groupIDs []any) error {
	return o.engine.sql("DELETE FROM codegrant_memberships WHERE user_id = ").bind(userID).
		sql(" AND group_id IN (").bind(groupIDs...).sql(")").exec(ctx, tx)
}
