package sqlreplica

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/replica"
)

// write makes a change within a transaction that holds the user's row, and fills
// in what only the database knows.
func (s *Store) write(ctx context.Context, tx *sql.Tx, change *replica.Change) error {
	u := &change.User
	var before []replica.Membership
	if change.Before != nil {
		before = change.Before.Groups
	}
	// The slice is shared with what was decided.
	u.Groups = slices.Clone(u.Groups)

	if change.Created {
		id, err := s.insertUser(ctx, tx, *u)
		if err != nil {
			return err
		}
		u.ID = id
	} else if err := s.updateUser(ctx, tx, *u); err != nil {
		return err
	}
	if err := s.writeGroups(ctx, tx, u, before); err != nil {
		return err
	}
	return s.writeMemberships(ctx, tx, u.ID, before, u.Groups)
}

var userColumns = []string{
	"issuer", "subject", "username", "email", "email_verified", "name", "given_name", "family_name",
	"phone_number", "phone_number_verified", "locale", "custom", "enabled", "status",
	"first_sign_in", "last_sign_in", "created_at", "updated_at", "as_of", "groups_as_of",
	"search_username", "search_email", "search_name", "search_family_name",
}

// userValues are what goes into userColumns.
func userValues(u replica.User) ([]any, error) {
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
		u.PhoneNumber, u.PhoneNumberVerified, u.Locale, string(object), u.Enabled, u.Status,
		u.FirstSignIn, u.LastSignIn, u.Created, u.Updated, u.AsOf, u.GroupsAsOf,
		keys.Username, keys.Email, keys.Name, keys.FamilyName,
	}, nil
}

func (s *Store) insertUser(ctx context.Context, tx *sql.Tx, u replica.User) (int64, error) {
	values, err := userValues(u)
	if err != nil {
		return 0, err
	}
	return s.insert(ctx, tx, s.engine.sql("INSERT INTO codegrant_users ("+strings.Join(userColumns, ", ")+") VALUES (").bind(values...).sql(")"))
}

func (s *Store) updateUser(ctx context.Context, tx *sql.Tx, u replica.User) error {
	values, err := userValues(u)
	if err != nil {
		return err
	}
	update := s.engine.sql("UPDATE codegrant_users SET ")
	for i, column := range userColumns {
		if i > 0 {
			update.sql(", ")
		}
		update.sql(column + " = ").bind(values[i])
	}
	return update.sql(" WHERE id = ").bind(u.ID).exec(ctx, tx)
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

// writeGroups finds or creates the groups of u that are not resolved, in the
// order of their names, so that two transactions which share some meet in the
// same order; and updates those whose definition is new.
func (s *Store) writeGroups(ctx context.Context, tx *sql.Tx, u *replica.User, before []replica.Membership) error {
	stored := make(map[string]replica.Group)
	var names []any
	for _, m := range u.Groups {
		if m.ID == 0 {
			names = append(names, m.Name)
		}
	}
	if len(names) > 0 {
		found, err := s.readGroups(ctx, tx, s.engine.sql(" WHERE g.issuer = ").bind(u.Issuer).sql(" AND g.name IN (").bind(names...).sql(")"))
		if err != nil {
			return err
		}
		for _, g := range found {
			stored[g.Name] = g
		}
	}
	for _, m := range before {
		stored[m.Name] = m.Group
	}
	for i := range u.Groups {
		group := &u.Groups[i].Group
		old, exists := stored[group.Name]
		if !exists {
			group.Created, group.Updated = u.Updated, u.Updated
			id, err := s.insert(ctx, tx, s.engine.sql("INSERT INTO codegrant_groups (issuer, name, origin, precedence, created_at, updated_at, as_of) VALUES (").
				bind(group.Issuer, group.Name, string(group.Origin), group.Precedence, group.Created, group.Updated, group.AsOf).sql(")"))
			if err != nil {
				return err
			}
			group.ID = id
			continue
		}
		merged, changed := replica.MergeGroup(old, *group)
		if changed {
			merged.Updated = u.Updated
			// Who stated a later precedence meanwhile is right.
			err := s.engine.sql("UPDATE codegrant_groups SET origin = ").bind(string(merged.Origin)).sql(", precedence = ").bind(merged.Precedence).
				sql(", as_of = ").bind(merged.AsOf).sql(", updated_at = ").bind(merged.Updated).sql(" WHERE id = ").bind(merged.ID).
				sql(" AND (as_of IS NULL OR as_of <= ").bind(merged.AsOf).sql(")").exec(ctx, tx)
			if err != nil {
				return err
			}
		}
		*group = merged
	}
	return nil
}

// writeMemberships makes the rows of one user equal to after. Nobody else writes
// them meanwhile: the user's row is held.
func (s *Store) writeMemberships(ctx context.Context, tx *sql.Tx, userID int64, before, after []replica.Membership) error {
	was := make(map[int64]replica.Membership, len(before))
	for _, m := range before {
		was[m.ID] = m
	}
	insert := s.engine.sql("INSERT INTO codegrant_memberships (user_id, group_id, from_pool, from_local) VALUES ")
	for _, m := range after {
		old, exists := was[m.ID]
		delete(was, m.ID)
		switch {
		case !exists:
			if len(insert.args) > 0 {
				insert.sql(", ")
			}
			insert.sql("(").bind(userID, m.ID, m.Pool, m.Local).sql(")")
		case old.Pool != m.Pool || old.Local != m.Local:
			err := s.engine.sql("UPDATE codegrant_memberships SET from_pool = ").bind(m.Pool).sql(", from_local = ").bind(m.Local).
				sql(" WHERE user_id = ").bind(userID).sql(" AND group_id = ").bind(m.ID).exec(ctx, tx)
			if err != nil {
				return err
			}
		}
	}
	if len(insert.args) > 0 {
		if err := insert.exec(ctx, tx); err != nil {
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
	return s.engine.sql("DELETE FROM codegrant_memberships WHERE user_id = ").bind(userID).
		sql(" AND group_id IN (").bind(gone...).sql(")").exec(ctx, tx)
}
