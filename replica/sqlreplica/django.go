package sqlreplica

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/replica"
)

// Django has the replica live in the database of a Django project, in the tables
// auth_user, auth_group and auth_user_groups as django.contrib.auth makes them
// (version 3.1 or later, with USE_TZ). The project's backends see our users and
// groups as their own, and we see theirs:
//
//   - The ID of a user is that of auth_user, and of a group that of auth_group.
//   - A person who is new is given an account as cognito_code_grant would make it:
//     the lower-cased address as username, the name as first name, and a password
//     that nobody can use. Where the address is not verified, so that somebody
//     else may own it, see [Unverified]; an account that they are given has the
//     subject as username and no address.
//   - A group that was made in Django is one of [replica.OriginLocal], and a
//     membership that was made in Django is a local one, until the pool states it.
//     From then on it is the pool's, and ends when the pool no longer states it:
//     another backend may have written it from the pool's word before us. Once the
//     pool has stated it and it is gone, nobody but the pool and a grant make it count
//     again. For memberships that the pool must not end, use [Store.GrantLocalGroup].
//   - An account that was turned off in Django (is_active) is not enabled, whatever
//     the pool says. One that the pool disables, or that a sweep finds deleted from
//     it, is turned off, and on again when the pool enables or has it again.
//   - Address, first name and time of the last login follow the pool as long as
//     nobody has changed them in Django.
//
// Values without a column in Django are in the tables codegrant_users, codegrant_groups,
// codegrant_memberships and codegrant_confirmations beside. When Django deletes a user, a
// group or a membership, the row beside it goes too.
//
// Names of groups are unique in Django, for all issuers together, and are compared
// as the collation of its tables has it: a statement that would have the store
// take two names for one, or one pool's group for another's, is a conflict.
type Django struct {
	// AdoptVerifiedEmail links a newcomer whose address is verified to the account
	// that has it, in any case of ASCII letters: once, when there is exactly one
	// and nobody is linked to it yet. Set it where Django's addresses can be
	// trusted to be their owners'. Otherwise, and by default, such a newcomer is
	// refused with [replica.ErrConflict].
	AdoptVerifiedEmail bool

	// Unverified says what becomes of a newcomer whose address the pool does not call
	// verified. Defaults to [RefuseUnverified].
	Unverified Unverified
}

// Unverified says what happens to new people with an address that is not verified.
// cognito_code_grant gives them the account with that address. It does not apply to people
// who are already linked: Codegrant knows them by the subject.
type Unverified string

const (
	// RefuseUnverified refuses them with [replica.ErrEmailNotVerified], when they sign in and
	// in a reading of the whole pool: an account beside the one that has the address, or will
	// be given it by another backend, would be a twin that nobody knows of.
	RefuseUnverified Unverified = ""

	// UnverifiedApart gives them an account of their own, with the subject as username and
	// without an address.
	UnverifiedApart Unverified = "apart"

	// InsecureUnverifiedUntilFirstLink treats their address as verified until the account
	// that has it is linked: who can write any address into their own profile takes the
	// account of somebody who has not signed in yet. It is for pools where people cannot
	// do that, such as those of one identity provider that checks addresses and does not
	// say so. It needs AdoptVerifiedEmail.
	InsecureUnverifiedUntilFirstLink Unverified = "until_first_link"
)

var djangoView = view{
	migrations: "django",
	required:   "auth_user_groups",
	userJoins:  "JOIN auth_user a ON a.id = u.id LEFT JOIN auth_user p ON p.id = u.linked_to",
	// The account of an identity that is linked is off, so that backends which know nothing of
	// that let nobody in as somebody else. That of the person counts, unless the application had
	// turned the identity's own off before.
	inactive: "NOT (COALESCE(p.is_active, a.is_active) AND (p.id IS NULL OR a.is_active OR u.deactivated OR COALESCE(u.was_active, TRUE))), u.deactivated",
	memberJoins: "LEFT JOIN auth_user_groups ug ON ug.user_id = u.id LEFT JOIN auth_group ag ON ag.id = ug.group_id" +
		" LEFT JOIN codegrant_memberships m ON m.user_id = ug.user_id AND m.group_id = ug.group_id LEFT JOIN codegrant_groups g ON g.id = ag.id" +
		" LEFT JOIN codegrant_stated x ON x.user_id = ug.user_id AND x.group_id = ug.group_id",
	// A membership that the pool stated once, and nobody states now, is unclaimed, even if it was written again.
	pool: "COALESCE(m.from_pool, FALSE)", local: "COALESCE(m.from_local, x.user_id IS NULL)", unclaimed: "m.user_id IS NULL",
	groups:  "auth_group ag LEFT JOIN codegrant_groups g ON g.id = ag.id",
	groupID: "ag.id", groupName: "ag.name", groupOrigin: "COALESCE(g.origin, 'local')",
	owned: "(g.issuer IS NULL OR g.issuer = ", ownedEnd: ")",
	members: "auth_user_groups",
}

// djangoTables are Django's, with ours beside them.
type djangoTables struct {
	*Store
	Django
}

func (djangoTables) view() *view { return &djangoView }

// maxDjangoName is the length of auth_group.name, auth_user.username and
// auth_user.first_name, in characters; maxDjangoEmail that of auth_user.email.
const (
	maxDjangoName  = 150
	maxDjangoEmail = 254
)

func (d djangoTables) groupByName(s *statement, _, name string) {
	s.sql("SELECT id FROM auth_group WHERE name = ").bind(name)
	if d.engine == engines[MySQL] { // a collation that folds finds others too
		s.sql(" AND CAST(name AS BINARY) = CAST(").bind(name).sql(" AS BINARY)")
	}
}

func (d djangoTables) findGroups(ctx context.Context, q querier, issuer string, names []any) ([]replica.Group, error) {
	for _, name := range names {
		if n := len([]rune(name.(string))); n > maxDjangoName {
			return nil, fmt.Errorf("%w group: the name has %d characters, Django's has at most %d", replica.ErrInvalid, n, maxDjangoName)
		}
	}
	groups, err := d.readGroups(ctx, q, issuer, d.engine.sql(" WHERE ag.name IN (").bind(names...).sql(")"))
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		if !slices.Contains(names, any(g.Name)) {
			return nil, errFolded(g.Name)
		}
		if g.Issuer != issuer {
			return nil, fmt.Errorf("%w: group %d, %q, belongs to the issuer %s: two pools in one Django project cannot have groups of one name",
				replica.ErrConflict, g.ID, g.Name, g.Issuer)
		}
	}
	return groups, nil
}

func (d djangoTables) insertGroup(ctx context.Context, tx *sql.Tx, g replica.Group) (id int64, err error) {
	g.ID, err = d.insert(ctx, tx, d.engine.sql("INSERT INTO auth_group (name) VALUES (").bind(g.Name).sql(")"))
	if err != nil && d.engine == engines[MySQL] && d.engine.classify(err) == faultRaced {
		// A concurrent transaction has made it, or a collation that folds takes
		// it for one that this snapshot has named already.
		var name string
		scanErr := d.engine.sql("SELECT name FROM auth_group WHERE name = ").bind(g.Name).sql(" FOR UPDATE").scan(ctx, tx, &name)
		if scanErr == nil && name != g.Name {
			return 0, errFolded(name)
		}
	}
	if err != nil {
		return 0, err
	}
	return g.ID, d.describeGroup(ctx, tx, g)
}

func errFolded(name string) error {
	return fmt.Errorf("%w: the database takes the name of group %q for another that the pool states: "+
		"rename one of them, or give auth_group.name a binary collation", replica.ErrConflict, name)
}

func (d djangoTables) updateGroup(ctx context.Context, tx *sql.Tx, g replica.Group) error {
	if g.Created.IsZero() { // Django made it
		g.Created = g.Updated
		return d.describeGroup(ctx, tx, g)
	}
	return ownTables{d.Store}.updateGroup(ctx, tx, g)
}

func (d djangoTables) describeGroup(ctx context.Context, tx *sql.Tx, g replica.Group) error {
	return d.engine.sql("INSERT INTO codegrant_groups (id, issuer, origin, precedence, created_at, updated_at, as_of) VALUES (").
		bind(g.ID, g.Issuer, string(g.Origin), g.Precedence, g.Created, g.Updated, g.AsOf).sql(")").exec(ctx, tx)
}

func (d djangoTables) addMemberships(ctx context.Context, tx *sql.Tx, userID int64, ms []replica.Membership) error {
	insert := d.engine.sql("INSERT INTO auth_user_groups (user_id, group_id) VALUES ")
	for i, m := range ms {
		if i > 0 {
			insert.sql(", ")
		}
		insert.sql("(").bind(userID, m.ID).sql(")")
	}
	if err := insert.exec(ctx, tx); err != nil {
		return err
	}
	if err := d.rememberStated(ctx, tx, userID, ms); err != nil {
		return err
	}
	return ownTables{d.Store}.addMemberships(ctx, tx, userID, ms)
}

// rememberStated notes which memberships the pool has stated, for as long as there are
// the user and the group. When one is gone, taken away by the pool or deleted in Django, a
// Python backend whose session holds an ID token from before makes it again with each
// request: what has a row here, and nothing beside it, is nobody's word.
func (d djangoTables) rememberStated(ctx context.Context, tx *sql.Tx, userID int64, ms []replica.Membership) error {
	insert, first := d.engine.sql("INSERT INTO codegrant_stated (user_id, group_id) VALUES "), true
	for _, m := range ms {
		if !m.Pool {
			continue
		}
		if !first {
			insert.sql(", ")
		}
		insert.sql("(").bind(userID, m.ID).sql(")")
		first = false
	}
	if first {
		return nil
	}
	if d.engine.returning {
		return insert.sql(" ON CONFLICT DO NOTHING").exec(ctx, tx)
	}
	return insert.sql(" ON DUPLICATE KEY UPDATE user_id = VALUES(user_id)").exec(ctx, tx)
}

func (d djangoTables) setMembership(ctx context.Context, tx *sql.Tx, userID int64, m replica.Membership) error {
	if err := d.rememberStated(ctx, tx, userID, []replica.Membership{m}); err != nil {
		return err
	}
	// Ours beside Django's may not be there yet.
	insert := d.engine.sql("INSERT INTO codegrant_memberships (user_id, group_id, from_pool, from_local) VALUES (").bind(userID, m.ID, m.Pool, m.Local).sql(")")
	if d.engine.returning {
		return insert.sql(" ON CONFLICT (user_id, group_id) DO UPDATE SET from_pool = excluded.from_pool, from_local = excluded.from_local").exec(ctx, tx)
	}
	return insert.sql(" ON DUPLICATE KEY UPDATE from_pool = VALUES(from_pool), from_local = VALUES(from_local)").exec(ctx, tx)
}

func (d djangoTables) removeMemberships(ctx context.Context, tx *sql.Tx, userID int64, groupIDs []any) error {
	// The row beside would follow by itself, except on a SQLite connection that
	// does not enforce foreign keys.
	if err := (ownTables{d.Store}).removeMemberships(ctx, tx, userID, groupIDs); err != nil {
		return err
	}
	return d.engine.sql("DELETE FROM auth_user_groups WHERE user_id = ").bind(userID).
		sql(" AND group_id IN (").bind(groupIDs...).sql(")").exec(ctx, tx)
}

// address returns the address that u can be known by in Django: one that is
// verified, is one address in any reading, and fits. Empty: none.
func address(u replica.User) string {
	local, domain, ok := strings.Cut(u.Email, "@")
	if !u.EmailVerified || !ok || local == "" || domain == "" || strings.Contains(domain, "@") ||
		strings.ContainsAny(u.Email, " ,;:<>()[]\"\\") || len([]rune(u.Email)) > maxDjangoEmail {
		return ""
	}
	return u.Email
}

// sameAddress compares addresses in any case of ASCII letters. Folding any other
// character takes the mailboxes of different people for one.
func sameAddress(a, b string) bool { return lowered(a) == lowered(b) }

func lowered(address string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, address)
}

// cut returns the first characters of s.
func cut(s string, characters int) string {
	if r := []rune(s); len(r) > characters {
		return string(r[:characters])
	}
	return s
}
