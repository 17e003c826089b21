package sqlreplica

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/codegrant/codegrant/replica"
)

// User implements [replica.Store].
func (s *Store) User(ctx context.Context, id int64) (replica.User, error) {
	u, err := s.readOne(ctx, s.byID(id))
	if err != nil {
		return replica.User{}, s.fail(ctx, fmt.Sprintf("find user %d", id), err)
	}
	return u, nil
}

// UserBySubject implements [replica.Store].
func (s *Store) UserBySubject(ctx context.Context, issuer, subject string) (replica.User, error) {
	const operation = "find user by subject"
	if !storable(issuer, subject) {
		return replica.User{}, s.fail(ctx, operation, replica.ErrNotFound)
	}
	u, err := s.readOne(ctx, s.bySubject(issuer, subject))
	if err == nil {
		err = expect(u, issuer, subject)
	}
	if err != nil {
		return replica.User{}, s.fail(ctx, operation, err)
	}
	return u, nil
}

// UserByUsername implements [replica.Store].
func (s *Store) UserByUsername(ctx context.Context, issuer, username string) (replica.User, error) {
	const operation = "find user by username"
	if username == "" || !storable(issuer, username) {
		return replica.User{}, s.fail(ctx, operation, replica.ErrNotFound)
	}
	u, err := s.readOne(ctx, s.byText("search_username", "username", issuer, username).
		sql(" ORDER BY CASE WHEN c.as_of > u.as_of THEN c.as_of ELSE u.as_of END DESC, u.id DESC LIMIT 1"))
	if err != nil {
		return replica.User{}, s.fail(ctx, operation, err)
	}
	return u, nil
}

// UsersByEmail implements [replica.Store].
func (s *Store) UsersByEmail(ctx context.Context, issuer, email string) ([]replica.User, error) {
	if email == "" || !storable(issuer, email) {
		return nil, nil
	}
	users, err := s.readMany(ctx, s.byText("search_email", "email", issuer, email).sql(" ORDER BY u.id LIMIT ").bind(replica.MaxPage))
	if err != nil {
		return nil, s.fail(ctx, "find users by e-mail", err)
	}
	return users, nil
}

// expect holds a row to be the one that was asked for: an engine that compares
// otherwise than by bytes must not hand one person's row out as another's.
func expect(u replica.User, issuer, subject string) error {
	if u.Issuer != issuer || u.Subject != subject {
		return contentError{errors.New("the database returned another user's row: are the collations of the tables as they were created?")}
	}
	return nil
}

// byID selects the ID of the user who has it.
func (s *Store) byID(id int64) *statement {
	return s.engine.sql("SELECT id FROM codegrant_users WHERE id = ").bind(id)
}

// bySubject selects the ID of one person.
func (s *Store) bySubject(issuer, subject string) *statement {
	return s.engine.sql("SELECT id FROM codegrant_users WHERE issuer = ").bind(issuer).sql(" AND subject = ").bind(subject)
}

// byText selects the IDs of users who are not deleted by an attribute, by way of the index on its search key.
func (s *Store) byText(key, column, issuer, value string) *statement {
	return s.engine.sql("SELECT u.id FROM codegrant_users u LEFT JOIN codegrant_confirmations c ON c.user_id = u.id WHERE u." + key + " = ").
		bind(replica.SearchKey(value)).sql(" AND u." + column + " = ").bind(value).sql(" AND u.issuer = ").bind(issuer).
		sql(" AND u.deleted_at IS NULL")
}

// Users implements [replica.Store].
func (s *Store) Users(ctx context.Context, q replica.UserQuery) (replica.UserPage, error) {
	if q.Issuer == "" {
		return replica.UserPage{}, fmt.Errorf("list users: %w query: the issuer is missing", replica.ErrInvalid)
	}
	after, err := replica.ParseCursor(q.After)
	if err != nil {
		return replica.UserPage{}, fmt.Errorf("list users: %w", err)
	}
	low, high, ok := replica.SearchRange(q.Search)
	if !ok || !storable(q.Issuer, q.Group) {
		return replica.UserPage{}, nil
	}
	size := replica.PageSize(q.Limit)

	users, err := s.readMany(ctx, s.pageOfUsers(q, low, high, after, size+1))
	if err != nil {
		return replica.UserPage{}, s.fail(ctx, "list users", err)
	}
	page := replica.UserPage{Users: users}
	if len(users) > size {
		page.Users = users[:size:size]
		page.Next = replica.Cursor(users[size-1].ID)
	}
	return page, nil
}

// pageOfUsers selects the IDs of one page. CROSS JOIN is an inner join to every
// engine, and has SQLite begin with the left side: with what an index finds, and
// not with everybody.
func (s *Store) pageOfUsers(q replica.UserQuery, low, high string, after int64, limit int) *statement {
	v, ids, id := s.tables.view(), s.engine.sql("SELECT "), "u.id"
	switch {
	case low != "":
		id = "found.id"
		ids.sql("found.id FROM (")
		for i, key := range []string{"search_username", "search_email", "search_name", "search_family_name"} {
			if i > 0 {
				ids.sql(" UNION ")
			}
			ids.sql("SELECT id FROM codegrant_users WHERE " + key + " >= ").bind(low).sql(" AND " + key + " < ").bind(high)
		}
		ids.sql(") found CROSS JOIN codegrant_users u")
		if q.Group != "" {
			ids.sql(" CROSS JOIN " + v.members + " joined")
		}
	case q.Group != "":
		id = "joined.user_id"
		ids.sql("joined.user_id AS id FROM " + v.members + " joined CROSS JOIN codegrant_users u")
	default:
		ids.sql("u.id FROM codegrant_users u")
	}
	ids.sql(" WHERE u.issuer = ").bind(q.Issuer)
	if !q.Deleted {
		ids.sql(" AND u.deleted_at IS NULL")
	}
	if low != "" {
		// As a comparison of the ID alone, this would have SQLite read everybody
		// after the cursor in place of whom the search keys find.
		ids.sql(" AND found.id - ").bind(after).sql(" > 0")
	} else {
		ids.sql(" AND " + id + " > ").bind(after)
	}
	if low != "" {
		ids.sql(" AND u.id = found.id")
	}
	if q.Group != "" {
		ids.sql(" AND joined.user_id = u.id AND joined.group_id = (")
		s.tables.groupByName(ids, q.Issuer, q.Group)
		ids.sql(")")
	}
	return ids.sql(" ORDER BY " + id + " LIMIT ").bind(limit)
}

// Groups implements [replica.Store].
func (s *Store) Groups(ctx context.Context, q replica.GroupQuery) (replica.GroupPage, error) {
	if q.Issuer == "" {
		return replica.GroupPage{}, fmt.Errorf("list groups: %w query: the issuer is missing", replica.ErrInvalid)
	}
	after, err := replica.ParseCursor(q.After)
	if err != nil {
		return replica.GroupPage{}, fmt.Errorf("list groups: %w", err)
	}
	if !storable(q.Issuer) {
		return replica.GroupPage{}, nil
	}
	size := replica.PageSize(q.Limit)
	var groups []replica.Group
	err = s.again(ctx, func() (err error) {
		v := s.tables.view()
		groups, err = s.readGroups(ctx, s.db, q.Issuer, s.engine.sql(" WHERE "+v.owned).bind(q.Issuer).sql(v.ownedEnd+" AND "+v.groupID+" > ").
			bind(after).sql(" ORDER BY "+v.groupID+" LIMIT ").bind(size+1))
		return err
	})
	if err != nil {
		return replica.GroupPage{}, s.fail(ctx, "list groups", err)
	}
	page := replica.GroupPage{Groups: groups}
	if len(groups) > size {
		page.Groups = groups[:size:size]
		page.Next = replica.Cursor(groups[size-1].ID)
	}
	return page, nil
}

// storable reports whether a column can hold the values. One that cannot need not
// be looked for, and would be an error to the engine.
func storable(values ...string) bool {
	for _, v := range values {
		if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
			return false
		}
	}
	return true
}

// readOne returns the one user whose ID is selected.
func (s *Store) readOne(ctx context.Context, ids *statement) (replica.User, error) {
	users, err := s.readMany(ctx, ids)
	if err != nil {
		return replica.User{}, err
	}
	if len(users) == 0 {
		return replica.User{}, replica.ErrNotFound
	}
	return users[0], nil
}

// readMany returns the users whose IDs are selected.
func (s *Store) readMany(ctx context.Context, ids *statement) (users []replica.User, err error) {
	err = s.again(ctx, func() error {
		rows, err := s.readRows(ctx, s.db, ids)
		users = make([]replica.User, 0, len(rows))
		for _, r := range rows {
			users = append(users, r.user())
		}
		return err
	})
	return users, err
}

// readGroups returns the groups that the rest of a statement selects. Those that
// no issuer has stated yet are given this one.
func (s *Store) readGroups(ctx context.Context, q querier, issuer string, rest *statement) ([]replica.Group, error) {
	all := s.engine.sql("SELECT " + s.groupColumns() + " FROM " + s.tables.view().groups)
	all.sql(rest.text.String())
	all.args = rest.args
	var groups []replica.Group
	err := each(ctx, q, all, "a group", func(rows *sql.Rows) error {
		var g nullGroup
		err := rows.Scan(g.columns()...)
		groups = append(groups, g.group(issuer))
		return err
	})
	return groups, err
}

// nullGroup is a group that an outer join may not have found.
type nullGroup struct {
	id                   sql.NullInt64
	issuer, name, origin sql.NullString
	precedence           sql.NullInt64
	created, updated     time.Time
	asOf                 time.Time
}

func (g *nullGroup) columns() []any {
	return []any{&g.id, &g.issuer, &g.name, &g.origin, &g.precedence, timeColumn{&g.created}, timeColumn{&g.updated}, timeColumn{&g.asOf}}
}

// group returns the group, of the given issuer where no other is known.
func (g *nullGroup) group(issuer string) replica.Group {
	if g.issuer.Valid {
		issuer = g.issuer.String
	}
	group := replica.Group{
		ID: g.id.Int64, Issuer: issuer, Name: g.name.String, Origin: replica.Origin(g.origin.String),
		Created: g.created, Updated: g.updated, AsOf: g.asOf,
	}
	if g.precedence.Valid {
		precedence := int(g.precedence.Int64)
		group.Precedence = &precedence
	}
	return group
}

// timeColumn reads a time in any form that the drivers hand out. NULL is the zero
// time.
type timeColumn struct{ t *time.Time }

func (c timeColumn) Scan(value any) error {
	switch value := value.(type) {
	case nil:
		*c.t = time.Time{}
		return nil
	case time.Time:
		*c.t = value.UTC()
		return nil
	case []byte:
		return c.parse(string(value))
	case string:
		return c.parse(value)
	}
	return fmt.Errorf("a time is a %T", value)
}

func (c timeColumn) parse(value string) (err error) {
	*c.t, err = time.Parse(timeLayout, value)
	return err
}
