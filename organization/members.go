package organization

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/codegrant/codegrant"
)

// Member is a person in an organization.
type Member struct {
	Person int64 // row of the replica that the person is known by
	Role   string
	Since  time.Time
	By     string // who made them one
}

// Membership is an organization as one of its members sees it.
type Membership struct {
	Organization
	Role   string
	Chosen bool // for the session
}

// counts is the condition for the row m, of the identity u, that says which role a person
// has: of several identities in an organization, the one that they are known by counts, and
// else the oldest.
const counts = `(u.linked_to IS NULL OR NOT EXISTS (
	SELECT 1 FROM codegrant_organization_members k WHERE k.organization_id = m.organization_id AND k.user_id = u.linked_to
) AND NOT EXISTS (
	SELECT 1 FROM codegrant_users v JOIN codegrant_organization_members k ON k.user_id = v.id
	WHERE v.linked_to = u.linked_to AND k.organization_id = m.organization_id AND k.user_id < m.user_id
))`

// Members returns those of an organization in the order in which they were added to the
// replica, those after one, 100 at most.
func (s *Store) Members(ctx context.Context, organization string, after int64) (all []Member, err error) {
	err = s.each(ctx, s.db, func(rows *sql.Rows) error {
		var m Member
		var since int64
		err := rows.Scan(&m.Person, &m.Role, &since, &m.By)
		m.Since = time.UnixMilli(since).UTC()
		all = append(all, m)
		return err
	}, fmt.Sprintf(`SELECT COALESCE(u.linked_to, u.id) AS person, m.role, m.since, m.added_by
FROM codegrant_organization_members m JOIN codegrant_users u ON u.id = m.user_id
WHERE m.organization_id = ? AND COALESCE(u.linked_to, u.id) > ? AND %s ORDER BY person LIMIT %d`, counts, page), organization, after)
	return all, fail("list members", err)
}

// memberships are those of one person, whom the issuer and subject of any identity name. Of
// several rows for one organization the first counts.
const memberships = `SELECT ` + organizationColumns + `, m.role, COALESCE(c.organization_id, ''), 0 AS other, m.user_id AS row_id
FROM codegrant_users p JOIN codegrant_organization_members m ON m.user_id = COALESCE(p.linked_to, p.id)
JOIN codegrant_organizations o ON o.id = m.organization_id
LEFT JOIN codegrant_organization_choices c ON c.session = ?
WHERE p.issuer = ? AND p.subject = ?
UNION ALL
SELECT ` + organizationColumns + `, m.role, COALESCE(c.organization_id, ''), 1 AS other, m.user_id AS row_id
FROM codegrant_users p JOIN codegrant_users i ON i.linked_to = COALESCE(p.linked_to, p.id) JOIN codegrant_organization_members m ON m.user_id = i.id
JOIN codegrant_organizations o ON o.id = m.organization_id
LEFT JOIN codegrant_organization_choices c ON c.session = ?
WHERE p.issuer = ? AND p.subject = ?
ORDER BY other, row_id`

// Of returns the organizations that a person is in, and which of them is chosen for the
// session, if the identity has one.
func (s *Store) Of(ctx context.Context, id *codegrant.Identity) ([]Membership, error) {
	all, _, err := s.of(ctx, id)
	return all, err
}

// of says, too, which one the person acts for: nil is none. Where the session has a choice,
// that alone counts, also one that they are not in any more.
func (s *Store) of(ctx context.Context, id *codegrant.Identity) (all []Membership, acts *Membership, err error) {
	if id == nil || id.Machine || id.Subject == "" {
		return nil, nil, nil
	}
	chosen := ""
	session := sessionOf(id)
	known := make(map[string]bool)
	err = s.each(ctx, s.db, func(rows *sql.Rows) error {
		var m Membership
		var other, row int64
		if err := m.scan(rows, &m.Role, &chosen, &other, &row); err != nil {
			return err
		}
		m.Chosen = m.ID == chosen
		if !known[m.ID] && len(all) < MaxMemberships {
			known[m.ID] = true
			all = append(all, m)
		}
		return nil
	}, memberships, session, id.Issuer, id.Subject, session, id.Issuer, id.Subject)
	for i, m := range all {
		if m.Chosen || chosen == "" && len(all) == 1 {
			acts = &all[i]
		}
	}
	return all, acts, fail("look up the organizations of a person", err)
}

// sessionIDOf is a variable for tests, which have no session of the root package.
var sessionIDOf = (*codegrant.Identity).SessionID

// sessionOf names a session of one person; empty where there is none.
func sessionOf(id *codegrant.Identity) string {
	if sessionIDOf(id) == "" {
		return ""
	}
	return sessionNamed(id, sessionIDOf(id))
}

func sessionNamed(id *codegrant.Identity, session string) string {
	return hashed(id.Issuer + "\x00" + id.Subject + "\x00" + session)
}

func personOf(id *codegrant.Identity) string { return hashed(id.Issuer + "\x00" + id.Subject) }

func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Active returns the organization that a person acts for. This is the one that they chose
// in the session. Without a choice, it is the only one that they are in, or else nil. A
// person who has left the chosen one acts for none until they choose again. Active is the
// value of [codegrant.Config].Organization.
func (s *Store) Active(ctx context.Context, id *codegrant.Identity) (*codegrant.Organization, error) {
	_, m, err := s.of(ctx, id)
	if err != nil || m == nil {
		return nil, err
	}
	return &codegrant.Organization{ID: m.ID, Name: m.Name, Role: m.Role}, nil
}

// A session goes on for as long as it is used, browsers forget it after 400 days, and nobody
// has more of them than that.
const (
	forgottenAfter = 400 * 24 * time.Hour
	maxChoices     = 200
)

// Choose makes an organization the active one of the session of an identity. [ErrNotFound]
// says that the person is not in it, or has no session.
func (s *Store) Choose(ctx context.Context, id *codegrant.Identity, organization string) (Membership, error) {
	const what = "choose an organization"
	all, err := s.Of(ctx, id)
	if err != nil {
		return Membership{}, err
	}
	session := ""
	if id != nil {
		session = sessionOf(id)
	}
	for _, m := range all {
		if m.ID != organization || session == "" {
			continue
		}
		m.Chosen = true
		return m, fail(what, s.choose(ctx, session, personOf(id), organization))
	}
	return Membership{}, ErrNotFound
}

// Keep gives the session of an identity the choice of another session of the same person, which
// it has taken the place of. It is the value of [codegrant.Config].KeepOrganization.
func (s *Store) Keep(ctx context.Context, id *codegrant.Identity, was string) error {
	session := sessionOf(id)
	if session == "" || was == "" {
		return nil
	}
	chosen := ""
	err := s.each(ctx, s.db, func(row *sql.Rows) error { return row.Scan(&chosen) },
		"SELECT organization_id FROM codegrant_organization_choices WHERE session = ?", sessionNamed(id, was))
	if err == nil && chosen != "" {
		err = s.choose(ctx, session, personOf(id), chosen)
	}
	return fail("keep the organization of a session", err)
}

// choose writes by single statements, each of one row: two requests may come at once, and
// MySQL has transactions of several rows wait for one another.
func (s *Store) choose(ctx context.Context, session, person, organization string) error {
	now := s.Now()
	if _, err := s.exec(ctx, s.db, "INSERT INTO codegrant_organization_choices (session, person, organization_id, chosen) VALUES (?, ?, ?, ?)"+s.engine.chosenAnew,
		session, person, organization, now.UnixMilli()); err != nil {
		return err
	}
	type choice struct {
		session string
		chosen  int64
	}
	var old []choice
	n, oldest := 0, now.Add(-forgottenAfter).UnixMilli()
	err := s.each(ctx, s.db, func(rows *sql.Rows) error {
		var c choice
		err := rows.Scan(&c.session, &c.chosen)
		if n++; n > maxChoices || c.chosen <= oldest {
			old = append(old, c)
		}
		return err
	}, "SELECT session, chosen FROM codegrant_organization_choices WHERE person = ? ORDER BY chosen DESC", person)
	for _, c := range old {
		if err == nil {
			_, err = s.exec(ctx, s.db, "DELETE FROM codegrant_organization_choices WHERE session = ? AND chosen = ?", c.session, c.chosen)
		}
	}
	return err
}

// rows are those of one person in an organization: of every identity of theirs.
type rows struct {
	person int64 // the identity that they are known by
	role   string
	all    []int64
}

// rowsOf looks a person up, by any identity of theirs.
func (s *Store) rowsOf(ctx context.Context, tx *sql.Tx, organization string, user int64) (r rows, err error) {
	err = s.each(ctx, tx, func(row *sql.Rows) error { return row.Scan(&r.person) },
		"SELECT COALESCE(linked_to, id) FROM codegrant_users WHERE id = ?", user)
	if err != nil {
		return r, err
	}
	if r.person == 0 {
		return r, ErrNotFound
	}
	err = s.each(ctx, tx, func(row *sql.Rows) error {
		var id int64
		var role string
		err := row.Scan(&id, &role)
		if len(r.all) == 0 || id == r.person {
			r.role = role
		}
		r.all = append(r.all, id)
		return err
	}, `SELECT m.user_id, m.role FROM codegrant_organization_members m JOIN codegrant_users u ON u.id = m.user_id
WHERE m.organization_id = ? AND (u.id = ? OR u.linked_to = ?) ORDER BY m.user_id`, organization, r.person, r.person)
	return r, err
}

// manages refuses whoever acts, where somebody does, and does not manage an organization.
func (s *Store) manages(ctx context.Context, tx *sql.Tx, organization string) error {
	if s.acting == nil {
		return nil
	}
	user, err := s.userOf(ctx, tx, s.acting)
	if err != nil {
		return err
	}
	r, err := s.rowsOf(ctx, tx, organization, user)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if r.role != s.Manager() {
		return errManages
	}
	return nil
}

// userOf is the row of an identity; 0 is none.
func (s *Store) userOf(ctx context.Context, tx *sql.Tx, id *codegrant.Identity) (user int64, err error) {
	err = s.each(ctx, tx, func(row *sql.Rows) error { return row.Scan(&user) },
		"SELECT id FROM codegrant_users WHERE issuer = ? AND subject = ?", id.Issuer, id.Subject)
	return user, err
}

// clear removes a person's rows.
func (s *Store) clear(ctx context.Context, tx *sql.Tx, organization string, r rows) error {
	for _, id := range r.all {
		if _, err := s.exec(ctx, tx, "DELETE FROM codegrant_organization_members WHERE organization_id = ? AND user_id = ?", organization, id); err != nil {
			return err
		}
	}
	return nil
}

// mayLose reports [ErrLastManager] where nobody else than a person manages. Whoever cannot
// sign in, by any identity of theirs, does not.
func (s *Store) mayLose(ctx context.Context, tx *sql.Tx, organization string, r rows) error {
	if r.role != s.Manager() {
		return nil
	}
	others := 0
	err := s.each(ctx, tx, func(row *sql.Rows) error { return row.Scan(&others) },
		`SELECT COUNT(*) FROM codegrant_organization_members m JOIN codegrant_users u ON u.id = m.user_id
WHERE m.organization_id = ? AND m.role = ? AND COALESCE(u.linked_to, u.id) <> ? AND `+counts+` AND EXISTS (
	SELECT 1 FROM codegrant_users w WHERE (w.id = COALESCE(u.linked_to, u.id) OR w.linked_to = COALESCE(u.linked_to, u.id)) AND w.enabled AND w.deleted_at IS NULL
)`, organization, s.Manager(), r.person)
	if err == nil && others == 0 {
		err = ErrLastManager
	}
	return err
}

// Set makes a person, whom a row of the replica names, a member in a role, or gives a member
// another role. by is who has said so.
func (s *Store) Set(ctx context.Context, organization string, user int64, role, by string) error {
	if err := s.role(role); err != nil {
		return err
	}
	return fail("set a member", s.in(ctx, organization, func(tx *sql.Tx, o Organization) error {
		return s.set(ctx, tx, o, user, role, by)
	}))
}

// Change gives a member another role. It adds nobody: the error is [ErrNotFound] if the person
// is not a member.
func (s *Store) Change(ctx context.Context, organization string, user int64, role, by string) error {
	if err := s.role(role); err != nil {
		return err
	}
	return fail("change a member's role", s.in(ctx, organization, func(tx *sql.Tx, o Organization) error {
		r, err := s.rowsOf(ctx, tx, organization, user)
		if err != nil {
			return err
		}
		if len(r.all) == 0 {
			return ErrNotFound
		}
		return s.set(ctx, tx, o, user, role, by)
	}))
}

func (s *Store) set(ctx context.Context, tx *sql.Tx, o Organization, user int64, role, by string) error {
	r, err := s.rowsOf(ctx, tx, o.ID, user)
	if err != nil || r.role == role {
		return err
	}
	change := Change{Kind: MemberAdded, Organization: o, Person: r.person, Role: role, By: by}
	if r.role != "" {
		change.Kind = MemberChanged
		if err := s.mayLose(ctx, tx, o.ID, r); err != nil {
			return err
		}
	} else if err := s.roomFor(ctx, tx, o.ID, r.person); err != nil {
		return err
	}
	if err := s.clear(ctx, tx, o.ID, r); err != nil {
		return err
	}
	if _, err := s.exec(ctx, tx, "INSERT INTO codegrant_organization_members (organization_id, user_id, role, since, added_by) VALUES (?, ?, ?, ?, ?)",
		o.ID, r.person, role, s.millis(), by); err != nil {
		return err
	}
	if err := s.tell(ctx, tx, change); err != nil {
		return err
	}
	if r.role == "" || slices.Index(s.Roles, role) < slices.Index(s.Roles, r.role) {
		return nil // more than before
	}
	return s.revokeOf(ctx, tx, o, r, by)
}

// revokeOf takes back what could give somebody a role that they have lost: the invitations to
// their verified addresses, and, where they managed, those that they made.
func (s *Store) revokeOf(ctx context.Context, tx *sql.Tx, o Organization, r rows, by string) error {
	addresses, names := make(map[string]bool), make(map[string]bool)
	err := s.each(ctx, tx, func(row *sql.Rows) error {
		var email, username, subject string
		var verified bool
		err := row.Scan(&email, &verified, &username, &subject)
		if address, wrong := addressed(email); wrong == nil && verified {
			addresses[address] = true
		}
		if r.role == s.Manager() {
			names[username], names[subject] = username != "", subject != "" // see by
		}
		return err
	}, "SELECT COALESCE(email, ''), email_verified, COALESCE(username, ''), COALESCE(subject, '') FROM codegrant_users WHERE id = ? OR linked_to = ?", r.person, r.person)
	if err != nil {
		return err
	}
	all, err := s.invitations(ctx, tx, "i.organization_id = ?", o.ID)
	for _, i := range all {
		if err == nil && (addresses[i.Email] || names[i.By]) {
			err = s.revoke(ctx, tx, o, i, by)
		}
	}
	return err
}

// roomFor refuses one member or membership too many.
func (s *Store) roomFor(ctx context.Context, tx *sql.Tx, organization string, person int64) error {
	for _, bound := range []struct {
		condition string
		of        any
		most      int
	}{{"organization_id", organization, MaxMembers}, {"user_id", person, MaxMemberships}} {
		n := 0
		if err := s.each(ctx, tx, func(row *sql.Rows) error { return row.Scan(&n) },
			"SELECT COUNT(*) FROM codegrant_organization_members WHERE "+bound.condition+" = ?", bound.of); err != nil {
			return err
		}
		if n >= bound.most {
			return ErrTooMany
		}
	}
	return nil
}

// Remove removes a person from an organization. With their next request, they do not act
// for it any more. The invitations to their verified addresses are taken back, and so are those
// that they made as a manager. The error is [ErrNotFound] if the person is not a member.
func (s *Store) Remove(ctx context.Context, organization string, user int64, by string) error {
	return fail("remove a member", s.in(ctx, organization, func(tx *sql.Tx, o Organization) error {
		r, err := s.rowsOf(ctx, tx, organization, user)
		if err != nil {
			return err
		}
		if len(r.all) == 0 {
			return ErrNotFound
		}
		if err := s.mayLose(ctx, tx, organization, r); err != nil {
			return err
		}
		if err := s.clear(ctx, tx, organization, r); err != nil {
			return err
		}
		if err := s.tell(ctx, tx, Change{Kind: MemberRemoved, Organization: o, Person: r.person, Role: r.role, By: by}); err != nil {
			return err
		}
		return s.revokeOf(ctx, tx, o, r, by)
	}))
}
