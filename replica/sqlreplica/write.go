package sqlreplica

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// write makes what is planned for one user, within a transaction that holds their
// row, and fills in what only the database knows.
func (s *Store) write(ctx context.Context, tx *sql.Tx, p *plan) (err error) {
	u, was := &p.change.User, p.was()
	u.Groups = slices.Clone(u.Groups) // it is shared with what was decided
	after := row{User: *u, pass: p.seenBy()}
	switch {
	case p.change.Empty():
		if err := s.writeGroups(ctx, tx, u, was.Groups); err != nil {
			return err
		}
		return s.confirm(ctx, tx, []*plan{p})
	case p.change.Created:
		u.ID, err = s.tables.insertUser(ctx, tx, after)
	case p.change.Adopted:
		err = s.tables.linkUser(ctx, tx, was, after)
	default:
		err = s.tables.updateUser(ctx, tx, was, after)
	}
	if err != nil {
		return err
	}
	if err := s.writeGroups(ctx, tx, u, was.Groups); err != nil {
		return err
	}
	return s.writeMemberships(ctx, tx, u.ID, was, u.Groups)
}

// userTable are the columns of codegrant_users but for the ID.
var userTable = []column{
	{"issuer", kindText}, {"subject", kindText}, {"username", kindText}, {"email", kindText}, {"email_verified", kindBool},
	{"name", kindText}, {"given_name", kindText}, {"family_name", kindText},
	{"phone_number", kindText}, {"phone_number_verified", kindBool}, {"locale", kindText}, {"custom", kindJSON},
	{"enabled", kindBool}, {"status", kindText}, {"deleted_at", kindTime}, {"first_sign_in", kindTime}, {"last_sign_in", kindTime},
	{"created_at", kindTime}, {"updated_at", kindTime}, {"as_of", kindTime}, {"groups_as_of", kindTime},
	{"search_username", kindText}, {"search_email", kindText}, {"search_name", kindText}, {"search_family_name", kindText},
	{"pass", kindText},
}

var userColumns = names(userTable)

// storedTime is t as it is kept, so that what was written and what is read back are
// equal.
func storedTime(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// confirm puts on record that users were stated to be as they are.
func (s *Store) confirm(ctx context.Context, tx *sql.Tx, plans []*plan) error {
	rows := make([][]any, len(plans))
	for i, p := range plans {
		rows[i] = p.confirmation()
	}
	return s.engine.upsert(ctx, tx, "codegrant_confirmations", 1, confirmationTable, rows)
}

var confirmationTable = []column{{"user_id", kindID}, {"as_of", kindTime}, {"groups_as_of", kindTime}, {"pass", kindText}}

// confirmation is what goes into confirmationTable.
func (p *plan) confirmation() []any {
	u := p.change.User
	return []any{u.ID, u.AsOf, u.GroupsAsOf, p.seenBy()}
}

// userValues are what goes into userColumns.
func userValues(u row) ([]any, error) {
	custom := u.Custom
	if custom == nil {
		custom = map[string]string{}
	}
	object, err := json.Marshal(custom)
	if err != nil {
		return nil, err
	}
	keys := u.SearchKeys()
	return []any{
		u.Issuer, u.Subject, u.Username, u.Email, u.EmailVerified, u.Name, u.GivenName, u.FamilyName,
		u.PhoneNumber, u.PhoneNumberVerified, u.Locale, string(object), u.Enabled, u.Status, u.Deleted,
		u.FirstSignIn, u.LastSignIn, u.Created, u.Updated, u.AsOf, u.GroupsAsOf,
		keys.Username, keys.Email, keys.Name, keys.FamilyName, u.pass,
	}, nil
}

// insert adds a row and returns its ID, or errAgain where a concurrent
// transaction has added it. The engines that can are asked in a way that is no
// error to them, for their logs' sake.
func (s *Store) insert(ctx context.Context, tx *sql.Tx, insert *statement) (id int64, err error) {
	if s.engine.returning {
		err = insert.sql(" ON CONFLICT DO NOTHING RETURNING id").scan(ctx, tx, &id)
		if errors.Is(err, sql.ErrNoRows) {
			return 0, errAgain
		}
		return id, err
	}
	result, err := tx.ExecContext(ctx, insert.text.String(), insert.args...)
	if err != nil {
		return 0, err
	}
	return result.LastInsertId()
}

// storedGroups returns the groups of u that are stored, by name, given those that
// were read with the memberships before.
func (s *Store) storedGroups(ctx context.Context, q querier, u replica.User, before []replica.Membership) (map[string]replica.Group, error) {
	stored := make(map[string]replica.Group)
	for _, m := range before {
		stored[m.Name] = m.Group
	}
	var names []any
	for _, m := range u.Groups {
		if m.ID == 0 {
			names = append(names, m.Name)
		}
	}
	if len(names) == 0 {
		return stored, nil
	}
	found, err := s.tables.findGroups(ctx, q, u.Issuer, names)
	for _, g := range found {
		stored[g.Name] = g
	}
	return stored, err
}

// writeGroups finds or creates the groups of u that are not resolved, in the
// order of their names, so that two transactions which share some meet in the
// same order; and updates those whose definition is new.
func (s *Store) writeGroups(ctx context.Context, tx *sql.Tx, u *replica.User, before []replica.Membership) error {
	stored, err := s.storedGroups(ctx, tx, *u, before)
	if err != nil {
		return err
	}
	for i := range u.Groups {
		group := &u.Groups[i].Group
		old, exists := stored[group.Name]
		if !exists {
			group.Created, group.Updated = u.Updated, u.Updated
			id, err := s.tables.insertGroup(ctx, tx, *group)
			if err != nil {
				return err
			}
			group.ID = id
			continue
		}
		merged, changed := replica.MergeGroup(old, *group)
		if changed {
			merged.Updated = u.Updated
		}
		if changed || !merged.AsOf.Equal(old.AsOf) {
			if err := s.tables.updateGroup(ctx, tx, merged); err != nil {
				return err
			}
		}
		*group = merged
	}
	return nil
}

// writeMemberships makes the rows of one user equal to after. No store writes
// them meanwhile: the user's row is held.
func (s *Store) writeMemberships(ctx context.Context, tx *sql.Tx, userID int64, before *row, after []replica.Membership) error {
	was := make(map[int64]replica.Membership, len(before.Groups))
	for _, m := range before.Groups {
		was[m.ID] = m
	}
	var added []replica.Membership
	for _, m := range after {
		old, exists := was[m.ID]
		delete(was, m.ID)
		switch {
		case !exists:
			added = append(added, m)
		case old.Pool != m.Pool || old.Local != m.Local || before.granted != "" && m.Name == before.granted:
			if err := s.tables.setMembership(ctx, tx, userID, m); err != nil {
				return err
			}
		}
	}
	if len(added) > 0 {
		if err := s.tables.addMemberships(ctx, tx, userID, added); err != nil {
			return err
		}
	}
	if len(was) == 0 {
		return nil
	}
	var gone []any
	for id := range was {
		gone = append(gone, id)
	}
	return s.tables.removeMemberships(ctx, tx, userID, gone)
}
