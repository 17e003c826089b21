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
	MaxSentToAddress      = 5   // to one address, by all organisations together
	MaxSentByPerson       = 100 // by one person
	MaxSentByOrganization = 500
)

// ErrTooOften says that somebody has sent, or an address has got, enough invitations today.
var ErrTooOften = errors.New("too many invitations were sent in the last 24 hours")

const aDay = 24 * time.Hour

// maySend counts an invitation that is about to be sent, and refuses one too many. It counts
// the invitations that were sent, not those that wait: nobody makes room by taking one back.
// The transaction holds the organisation, so that its bound is exact; two organisations that
// write to one address at the same moment may send one more.
func (s *Store) maySend(ctx context.Context, tx *sql.Tx, organization, email string) error {
	since := s.Now().Add(-aDay).UnixMilli()
	inviter := ""
	if s.acting != nil {
		inviter = personOf(s.acting)
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
