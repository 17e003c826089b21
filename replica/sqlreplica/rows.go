package sqlreplica

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant/replica"
)

const usersAndConfirmations = "codegrant_users u LEFT JOIN codegrant_confirmations c ON c.user_id = u.id "

func (s *Store) userColumns() string {
	t := s.engine.readTime
	return "u.id, u.linked_to, u.issuer, u.subject, u.username, u.email, u.email_verified, u.name, u.given_name, u.family_name, " +
		"u.phone_number, u.phone_number_verified, u.locale, u.custom, u.enabled, u.status, " +
		t("u.deleted_at") + ", " + t("u.first_sign_in") + ", " + t("u.last_sign_in") + ", " + t("u.created_at") + ", " + t("u.updated_at") + ", " +
		s.headColumns() + ", " + s.tables.view().inactive + ", " + cmp.Or(s.engine.version, "''")
}

// headColumns say what is known of a user from when, and from which passes.
func (s *Store) headColumns() string {
	t := s.engine.readTime
	return t("u.as_of") + ", " + t("u.groups_as_of") + ", u.pass, " + t("c.as_of") + ", " + t("c.groups_as_of") + ", c.pass"
}

func (s *Store) groupColumns() string {
	t, v := s.engine.readTime, s.tables.view()
	return v.groupID + ", g.issuer, " + v.groupName + ", " + v.groupOrigin + ", g.precedence, " +
		t("g.created_at") + ", " + t("g.updated_at") + ", " + t("g.as_of")
}

// userScan reads one row of users.
type userScan struct {
	row
	custom                        string
	confirmedAsOf, confirmedGroup time.Time
	confirmed                     sql.NullString
	linkedTo                      sql.NullInt64
}

func (u *userScan) columns() []any {
	return slices.Concat([]any{
		&u.ID, &u.linkedTo, &u.Issuer, &u.Subject, &u.Username, &u.Email, &u.EmailVerified, &u.Name, &u.GivenName, &u.FamilyName,
		&u.PhoneNumber, &u.PhoneNumberVerified, &u.Locale, &u.custom, &u.Enabled, &u.Status,
		timeColumn{&u.Deleted}, timeColumn{&u.FirstSignIn}, timeColumn{&u.LastSignIn}, timeColumn{&u.Created}, timeColumn{&u.Updated},
	}, u.head(), []any{&u.inactive, &u.deactivated, &u.version})
}

func (u *userScan) head() []any {
	return []any{timeColumn{&u.AsOf}, timeColumn{&u.GroupsAsOf}, &u.pass, timeColumn{&u.confirmedAsOf}, timeColumn{&u.confirmedGroup}, &u.confirmed}
}

// done returns the row that was read.
func (u *userScan) done() (row, error) {
	if u.custom != "" {
		if err := json.Unmarshal([]byte(u.custom), &u.Custom); err != nil {
			return row{}, contentError{fmt.Errorf("read custom attributes of user %d: %w", u.ID, err)}
		}
	}
	if len(u.Custom) == 0 {
		u.Custom = nil
	}
	u.AsOf, u.GroupsAsOf = later(u.AsOf, u.confirmedAsOf), later(u.GroupsAsOf, u.confirmedGroup)
	u.confirmedBy, u.LinkedTo = u.confirmed.String, u.linkedTo.Int64
	return u.row, nil
}

// membershipScan reads what a membership is apart from its group.
type membershipScan struct{ pool, local, unclaimed sql.NullBool }

func (m *membershipScan) columns() []any { return []any{&m.pool, &m.local, &m.unclaimed} }

func (v *view) membershipColumns() string { return v.pool + ", " + v.local + ", " + v.unclaimed }

// join adds a membership to the row.
func (r *row) join(group replica.Group, m membershipScan) {
	r.Groups = append(r.Groups, replica.Membership{Group: group, Pool: m.pool.Bool, Local: m.local.Bool})
	if m.unclaimed.Bool {
		r.unclaim(group.Name)
	}
}

// each reads the rows of a statement.
func each(ctx context.Context, q querier, s *statement, what string, scan func(*sql.Rows) error) error {
	rows, err := s.query(ctx, q)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return contentError{fmt.Errorf("read %s: %w", what, err)}
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

// readRows returns the users whose IDs are selected, with their groups, by ID. One
// statement sees one moment.
func (s *Store) readRows(ctx context.Context, q querier, ids *statement) ([]row, error) {
	v := s.tables.view()
	all := s.engine.sql("SELECT " + s.userColumns() + ", " + v.membershipColumns() + ", " + s.groupColumns() + " FROM (")
	all.sql(ids.text.String())
	all.args = ids.args
	all.sql(") page JOIN codegrant_users u ON u.id = page.id LEFT JOIN codegrant_confirmations c ON c.user_id = u.id " + v.userJoins + " " + v.memberJoins + " ORDER BY u.id")
	var users []row
	err := each(ctx, q, all, "a user", func(rows *sql.Rows) error {
		var u userScan
		var m membershipScan
		var g nullGroup
		if err := rows.Scan(slices.Concat(u.columns(), m.columns(), g.columns())...); err != nil {
			return err
		}
		if n := len(users); n == 0 || users[n-1].ID != u.ID {
			r, err := u.done()
			if err != nil {
				return err
			}
			users = append(users, r)
		}
		if g.id.Valid {
			users[len(users)-1].join(g.group(u.Issuer), m)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range users {
		sortGroups(users[i].Groups)
	}
	return users, nil
}

// readHeld returns users of an issuer as readRows does, in statements that return
// nothing twice. Only within a transaction that holds the rows is that of one
// moment.
func (s *Store) readHeld(ctx context.Context, tx *sql.Tx, issuer string, ids []int64) ([]row, error) {
	v := s.tables.view()
	var users []row
	places := make(map[int64]int, len(ids))
	people := s.engine.sql("SELECT " + s.userColumns() + " FROM " + usersAndConfirmations + v.userJoins + " WHERE ")
	err := each(ctx, tx, in(people, "u.id", kindID, ids).sql(" ORDER BY u.id"), "a user", func(rows *sql.Rows) error {
		var u userScan
		if err := rows.Scan(u.columns()...); err != nil {
			return err
		}
		r, err := u.done()
		places[r.ID] = len(users)
		users = append(users, r)
		return err
	})
	if err != nil {
		return nil, err
	}

	type membership struct {
		user, group int64
		membershipScan
	}
	var found []membership
	groups := make(map[int64]replica.Group)
	memberships := s.engine.sql("SELECT u.id, " + v.groupID + ", " + v.membershipColumns() + " FROM codegrant_users u " + v.memberJoins + " WHERE ")
	err = each(ctx, tx, in(memberships, "u.id", kindID, ids).sql(" AND "+v.groupID+" IS NOT NULL"), "a membership", func(rows *sql.Rows) error {
		var m membership
		err := rows.Scan(append([]any{&m.user, &m.group}, m.columns()...)...)
		found = append(found, m)
		groups[m.group] = replica.Group{}
		return err
	})
	if err != nil || len(found) == 0 {
		return users, err
	}
	for wanted := range slices.Chunk(slices.Sorted(maps.Keys(groups)), maxRows) {
		stored, err := s.readGroups(ctx, tx, issuer, in(s.engine.sql(" WHERE "), v.groupID, kindID, wanted))
		if err != nil {
			return nil, err
		}
		for _, g := range stored {
			groups[g.ID] = g
		}
	}
	for _, m := range found {
		if place, ok := places[m.user]; ok && groups[m.group].ID != 0 {
			users[place].join(groups[m.group], m.membershipScan)
		}
	}
	for i := range users {
		sortGroups(users[i].Groups)
	}
	return users, nil
}

// readHeads returns those of the people who are known, by subject, with nothing but
// their IDs, and from when and which passes is what is known of them.
func (s *Store) readHeads(ctx context.Context, issuer string, subjects []string) (map[string]*row, error) {
	heads := make(map[string]*row, len(subjects))
	q := s.engine.sql("SELECT u.id, u.subject, " + s.headColumns() + " FROM " + usersAndConfirmations + "WHERE u.issuer = ").bind(issuer).sql(" AND ")
	err := each(ctx, s.db, in(q, "u.subject", kindText, subjects), "a user", func(rows *sql.Rows) error {
		var u userScan
		if err := rows.Scan(append([]any{&u.ID, &u.Subject}, u.head()...)...); err != nil {
			return err
		}
		r, err := u.done()
		heads[r.Subject] = &r
		return err
	})
	return heads, err
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// sortGroups sorts by bytes, which no collation is asked for.
func sortGroups(groups []replica.Membership) {
	slices.SortFunc(groups, func(a, b replica.Membership) int { return strings.Compare(a.Name, b.Name) })
}
