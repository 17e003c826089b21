package organization

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"strings"
	"time"
)

// These are the limits for invitations that managers send in 24 hours. Invitations of
// operators count only for the address, and are never refused.
const (
	MaxSentToAddress      = 5   // to one address, by all organizations together
	MaxSentByPerson       = 100 // by one person
	MaxSentByOrganization = 500
)

// ErrTooOften says that somebody has sent, or an address has got, enough invitations today.
var ErrTooOften = errors.New("too many invitations were sent in the last 24 hours")

const aDay = 24 * time.Hour

// maySend counts an invitation that is about to be sent, and refuses one too many. It counts
// the invitations that were sent, not those that wait: nobody makes room by taking one back.
// The transaction holds the organization, and then the address and whoever invites, always in
// this order, so that the bounds are exact.
func (s *Store) maySend(ctx context.Context, tx *sql.Tx, organization, email string) error {
	since := s.Now().Add(-aDay).UnixMilli()
	inviter := ""
	if err := s.hold(ctx, tx, holdsAddress+hashed(email)); err != nil {
		return err
	}
	if s.acting != nil {
		inviter = personOf(s.acting)
		if err := s.hold(ctx, tx, holdsInviter+inviter); err != nil {
			return err
		}
		for _, bound := range []struct {
			column, of string
			most       int
		}{{"address", hashed(email), MaxSentToAddress}, {"inviter", inviter, MaxSentByPerson}, {"organization_id", organization, MaxSentByOrganization}} {
			n := 0
			if err := s.each(ctx, tx, func(row *sql.Rows) error { return row.Scan(&n) },
				"SELECT COUNT(*) FROM codegrant_organization_sent WHERE "+bound.column+" = ? AND sent > ?", bound.of, since); err != nil {
				return err
			}
			if n >= bound.most {
				return ErrTooOften
			}
		}
	}
	if _, err := s.exec(ctx, tx, "DELETE FROM codegrant_organization_sent WHERE organization_id = ? AND sent <= ?", organization, since); err != nil {
		return err
	}
	_, err := s.exec(ctx, tx, "INSERT INTO codegrant_organization_sent (id, organization_id, inviter, address, sent) VALUES (?, ?, ?, ?, ?)",
		strings.ToLower(rand.Text()), organization, inviter, hashed(email), s.millis())
	return err
}

// The ids of rows that are there to be held: they are of no organization, and count for nothing.
const (
	holdsAddress = "address "
	holdsInviter = "inviter "
)

// hold has other transactions that want the same row wait until this one has ended.
func (s *Store) hold(ctx context.Context, tx *sql.Tx, id string) error {
	_, err := s.exec(ctx, tx, "INSERT INTO codegrant_organization_sent (id, organization_id, inviter, address, sent) VALUES (?, '', '', '', ?)"+s.engine.sentAnew, id, s.millis())
	return err
}

// forget removes rows that nobody has held for a day, each by itself: a transaction holds some
// while it waits for another.
func (s *Store) forget(ctx context.Context) error {
	since := s.Now().Add(-aDay).UnixMilli()
	var old []string
	err := s.each(ctx, s.db, func(row *sql.Rows) error {
		var id string
		err := row.Scan(&id)
		old = append(old, id)
		return err
	}, "SELECT id FROM codegrant_organization_sent WHERE organization_id = '' AND sent <= ? LIMIT 20", since)
	for _, id := range old {
		if err == nil {
			_, err = s.exec(ctx, s.db, "DELETE FROM codegrant_organization_sent WHERE id = ? AND sent <= ?", id, since)
		}
	}
	return err
}
