package organization

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/replica"
)

// Invitation waits to be accepted.
type Invitation struct {
	ID           string
	Organization string // its id
	Email        string
	Role         string
	By           string // who invited
	Created      time.Time
	Expires      time.Time
	Sent         int // how often a token was made for it
}

// addressed is an e-mail address as it is kept and compared. Mail servers that tell capital
// letters from small ones are history, and pools do not.
func addressed(text string) (string, error) {
	text = strings.TrimSpace(text)
	a, err := mail.ParseAddress(text)
	if err != nil || a.Name != "" || a.Address != text || len(text) > 254 || strings.ContainsAny(text, "\"<>()[],;:\\ \t\r\n\x00") || !utf8.ValidString(text) {
		return "", ErrAddress
	}
	return lower(text), nil
}

// lower is for letters of ASCII alone: some others have a small letter that is one of these.
func lower(text string) string {
	return strings.Map(func(c rune) rune {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		return c
	}, text)
}

// Invite invites an address in a role, and returns the token. Send the token only to that
// address: the table has just a hash of it. If the address was invited before, the earlier
// token is no longer valid, and the time begins again. The error is [ErrMember] if the user pool
// has verified that the address is a member's.
func (s *Store) Invite(ctx context.Context, organization, email, role, by string) (i Invitation, token string, err error) {
	if email, err = addressed(email); err != nil {
		return i, "", err
	}
	if err := s.role(role); err != nil {
		return i, "", err
	}
	err = s.in(ctx, organization, func(tx *sql.Tx, o Organization) error {
		all, err := s.invitations(ctx, tx, "i.organization_id = ? AND i.email = ?", organization, email)
		if err != nil {
			return err
		}
		i = Invitation{ID: "inv_" + strings.ToLower(rand.Text()), Organization: organization, Email: email, Role: role, By: by}
		if len(all) > 0 {
			i.ID, i.Sent = all[0].ID, all[0].Sent
		} else if err := s.roomForInvitation(ctx, tx, organization); err != nil {
			return err
		}
		token, err = s.put(ctx, tx, &i, o)
		return err
	})
	if err != nil {
		return Invitation{}, "", fail("invite", err)
	}
	_ = s.forget(ctx) // the invitation is made, and the next one tries again
	return i, token, nil
}

// Resend makes another token for an invitation that waits: see [Store.Invite].
func (s *Store) Resend(ctx context.Context, organization, id, by string) (i Invitation, token string, err error) {
	err = s.in(ctx, organization, func(tx *sql.Tx, o Organization) error {
		if !isID(id) {
			return ErrNotFound
		}
		all, err := s.invitations(ctx, tx, "i.organization_id = ? AND i.id = ?", organization, id)
		if err != nil {
			return err
		}
		if len(all) == 0 {
			return ErrNotFound
		}
		i = all[0]
		i.By = by
		token, err = s.put(ctx, tx, &i, o)
		return err
	})
	if err != nil {
		return Invitation{}, "", fail("invite again", err)
	}
	_ = s.forget(ctx) // the invitation is made, and the next one tries again
	return i, token, nil
}

// put writes an invitation with a new token.
func (s *Store) put(ctx context.Context, tx *sql.Tx, i *Invitation, o Organization) (token string, err error) {
	if err := s.isNew(ctx, tx, i.Organization, i.Email); err != nil {
		return "", err
	}
	if err := s.maySend(ctx, tx, i.Organization, i.Email); err != nil {
		return "", err
	}
	token = rand.Text()
	now := s.Now().UTC().Truncate(time.Millisecond)
	i.Created, i.Expires = now, now.Add(s.Valid)
	i.Sent++
	if _, err := s.exec(ctx, tx, "DELETE FROM codegrant_organization_invitations WHERE id = ?", i.ID); err != nil {
		return "", err
	}
	if _, err := s.exec(ctx, tx, "INSERT INTO codegrant_organization_invitations (id, organization_id, email, role, token, created, expires, sent, invited_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		i.ID, i.Organization, i.Email, i.Role, hashed(token), i.Created.UnixMilli(), i.Expires.UnixMilli(), i.Sent, i.By); err != nil {
		return "", err
	}
	return token, s.tell(ctx, tx, Change{Kind: InvitationCreated, Organization: o, Role: i.Role, Email: i.Email, Invitation: i.ID, By: i.By})
}

// isNew reports [ErrMember] where an address is a member's, by any identity of theirs that has it
// verified. One that is not verified says nothing: anybody can enter any address.
func (s *Store) isNew(ctx context.Context, tx *sql.Tx, organization, email string) error {
	var with []int64
	err := s.each(ctx, tx, func(row *sql.Rows) error {
		var id int64
		var has string
		err := row.Scan(&id, &has)
		if address, wrong := addressed(has); wrong == nil && address == email {
			with = append(with, id)
		}
		return err
	}, "SELECT id, email FROM codegrant_users WHERE search_email = ? AND email_verified AND deleted_at IS NULL", replica.SearchKey(email))
	for _, id := range with {
		if err != nil {
			return err
		}
		var r rows
		if r, err = s.rowsOf(ctx, tx, organization, id); err == nil && len(r.all) > 0 {
			return ErrMember
		}
	}
	return err
}

func (s *Store) roomForInvitation(ctx context.Context, tx *sql.Tx, organization string) error {
	if _, err := s.exec(ctx, tx, "DELETE FROM codegrant_organization_invitations WHERE organization_id = ? AND expires <= ?", organization, s.millis()); err != nil {
		return err
	}
	n := 0
	err := s.each(ctx, tx, func(row *sql.Rows) error { return row.Scan(&n) },
		"SELECT COUNT(*) FROM codegrant_organization_invitations WHERE organization_id = ?", organization)
	if err == nil && n >= MaxInvitations {
		err = ErrTooMany
	}
	return err
}

func (s *Store) invitations(ctx context.Context, on asker, condition string, args ...any) (all []Invitation, err error) {
	err = s.each(ctx, on, func(rows *sql.Rows) error {
		var i Invitation
		var created, expires int64
		err := rows.Scan(&i.ID, &i.Organization, &i.Email, &i.Role, &i.By, &created, &expires, &i.Sent)
		i.Created, i.Expires = time.UnixMilli(created).UTC(), time.UnixMilli(expires).UTC()
		all = append(all, i)
		return err
	}, "SELECT i.id, i.organization_id, i.email, i.role, i.invited_by, i.created, i.expires, i.sent FROM codegrant_organization_invitations i WHERE "+
		condition+fmt.Sprintf(" ORDER BY i.email LIMIT %d", MaxInvitations), args...)
	return all, err
}

// Invitations lists those of an organization, also those that have expired and can be sent
// again.
func (s *Store) Invitations(ctx context.Context, organization string) ([]Invitation, error) {
	all, err := s.invitations(ctx, s.db, "i.organization_id = ?", organization)
	return all, fail("list invitations", err)
}

// Revoke takes an invitation back: its token is worth nothing any more.
func (s *Store) Revoke(ctx context.Context, organization, id, by string) error {
	return fail("take an invitation back", s.in(ctx, organization, func(tx *sql.Tx, o Organization) error {
		if !isID(id) {
			return ErrNotFound
		}
		all, err := s.invitations(ctx, tx, "i.organization_id = ? AND i.id = ?", organization, id)
		if err != nil {
			return err
		}
		if len(all) == 0 {
			return ErrNotFound
		}
		return s.revoke(ctx, tx, o, all[0], by)
	}))
}

func (s *Store) revoke(ctx context.Context, tx *sql.Tx, o Organization, i Invitation, by string) error {
	if _, err := s.exec(ctx, tx, "DELETE FROM codegrant_organization_invitations WHERE id = ?", i.ID); err != nil {
		return err
	}
	return s.tell(ctx, tx, Change{Kind: InvitationRevoked, Organization: o, Role: i.Role, Email: i.Email, Invitation: i.ID, By: by})
}

// Invited says which invitation a token is of. One that was used or taken back, or has
// expired, is [ErrInvitation], and so is a token that never was one.
func (s *Store) Invited(ctx context.Context, token string) (Invitation, Organization, error) {
	i, err := s.invited(ctx, s.db, token)
	if err != nil {
		return Invitation{}, Organization{}, fail("look up an invitation", err)
	}
	o, err := s.get(ctx, s.db, i.Organization)
	if errors.Is(err, ErrNotFound) {
		err = ErrInvitation
	}
	return i, o, fail("look up an invitation", err)
}

func (s *Store) invited(ctx context.Context, on asker, token string) (Invitation, error) {
	if token == "" || len(token) > 64 {
		return Invitation{}, ErrInvitation
	}
	all, err := s.invitations(ctx, on, "i.token = ?", hashed(token))
	switch {
	case err != nil:
		return Invitation{}, err
	case len(all) == 0 || !s.Now().Before(all[0].Expires):
		return Invitation{}, ErrInvitation
	}
	return all[0], nil
}

// Accept makes a person a member as an invitation says, once. They have to have the address
// that was invited, verified by the pool: otherwise it is [ErrOtherAddress], and the
// invitation stays open. A person who is already a member keeps their role.
func (s *Store) Accept(ctx context.Context, id *codegrant.Identity, token string) (Organization, error) {
	const what = "accept an invitation"
	if id == nil || id.Machine || id.Actor != nil {
		return Organization{}, ErrOtherAddress
	}
	first, err := s.invited(ctx, s.db, token)
	if err != nil {
		return Organization{}, fail(what, err)
	}
	var joined Organization
	err = s.in(ctx, first.Organization, func(tx *sql.Tx, o Organization) error {
		i, err := s.invited(ctx, tx, token) // as it is now that nobody else can change it
		if err != nil {
			return err
		}
		if !id.EmailVerified || lower(id.Email) != i.Email {
			return ErrOtherAddress
		}
		user, err := s.userOf(ctx, tx, id)
		if err != nil {
			return err
		}
		r, err := s.rowsOf(ctx, tx, o.ID, user)
		if err != nil {
			return err
		}
		if n, err := s.exec(ctx, tx, "DELETE FROM codegrant_organization_invitations WHERE id = ? AND token = ?", i.ID, hashed(token)); err != nil {
			return err
		} else if n != 1 {
			return ErrInvitation
		}
		if len(r.all) == 0 {
			if err := s.set(ctx, tx, o, r.person, i.Role, i.By); err != nil {
				return err
			}
			r.role = i.Role
		}
		joined = o
		return s.tell(ctx, tx, Change{Kind: InvitationAccepted, Organization: o, Person: r.person, Role: r.role, Email: i.Email, Invitation: i.ID, By: i.By})
	})
	if errors.Is(err, ErrNotFound) && joined.ID == "" {
		if _, gone := s.get(ctx, s.db, first.Organization); errors.Is(gone, ErrNotFound) {
			err = ErrInvitation
		}
	}
	return joined, fail(what, err)
}
