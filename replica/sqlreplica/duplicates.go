package sqlreplica

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// Duplicate is a group of people who may be one: each has the same address, and the pool
// of each says that it is theirs.
type Duplicate struct {
	Email  string
	People []replica.User // by the identity that they are known by, the oldest first
}

// Duplicates returns those of the given issuers; of all of them where none is given. An
// address that is not verified says nothing, and neither does somebody who is deleted. It
// reads everybody who has the address of another.
func (s *Store) Duplicates(ctx context.Context, issuers ...string) ([]Duplicate, error) {
	var ids []int64
	err := s.again(ctx, func() error {
		ids = nil
		return each(ctx, s.db, s.engine.sql("SELECT u.id FROM codegrant_users u WHERE u.email_verified AND u.email <> '' AND u.deleted_at IS NULL AND EXISTS ("+
			"SELECT 1 FROM codegrant_users o WHERE o.search_email = u.search_email AND o.id <> u.id AND o.email_verified AND o.deleted_at IS NULL "+
			"AND COALESCE(o.linked_to, o.id) <> COALESCE(u.linked_to, u.id)) ORDER BY u.id"), "somebody with the address of another", func(rows *sql.Rows) error {
			var id int64
			err := rows.Scan(&id)
			ids = append(ids, id)
			return err
		})
	})
	if err != nil {
		return nil, s.fail(ctx, "look for duplicates", err)
	}
	byAddress := make(map[string]map[int64]replica.User) // the people, by the ID of each
	for some := range slices.Chunk(ids, replica.MaxPage) {
		users, err := s.readMany(ctx, in(s.engine.sql("SELECT id FROM codegrant_users WHERE "), "id", kindID, some))
		if err != nil {
			return nil, s.fail(ctx, "look for duplicates", err)
		}
		for _, u := range users {
			if !u.EmailVerified || !u.Deleted.IsZero() || len(issuers) > 0 && !slices.Contains(issuers, u.Issuer) {
				continue
			}
			address := lowered(u.Email)
			if byAddress[address] == nil {
				byAddress[address] = make(map[int64]replica.User)
			}
			if known, ok := byAddress[address][u.Person()]; !ok || known.LinkedTo != 0 {
				byAddress[address][u.Person()] = u
			}
		}
	}
	var all []Duplicate
	for _, people := range byAddress {
		if len(people) < 2 {
			continue
		}
		d := Duplicate{}
		for _, u := range people {
			d.People = append(d.People, u)
		}
		slices.SortFunc(d.People, func(a, b replica.User) int { return int(a.Person() - b.Person()) })
		d.Email = d.People[0].Email
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b Duplicate) int { return strings.Compare(lowered(a.Email), lowered(b.Email)) })
	return all, nil
}

// Link says since when an identity is one of another person, and who has said so.
type Link struct {
	Identity replica.User
	At       time.Time
	By       string
}

// Links returns the identities that were linked at a time or after it, and are still, the
// oldest link first.
func (s *Store) Links(ctx context.Context, since time.Time) ([]Link, error) {
	var all []Link
	found := s.engine.sql("SELECT id, " + s.engine.readTime("linked_at") + ", COALESCE(linked_by, '') FROM codegrant_users WHERE linked_to IS NOT NULL AND linked_at >= ").
		bind(storedTime(since)).sql(" ORDER BY linked_at, id")
	err := s.again(ctx, func() error {
		all = nil
		return each(ctx, s.db, found, "a link", func(rows *sql.Rows) error {
			var l Link
			err := rows.Scan(&l.Identity.ID, timeColumn{&l.At}, &l.By)
			all = append(all, l)
			return err
		})
	})
	identities := make(map[int64]replica.User)
	for some := range slices.Chunk(all, replica.MaxPage) {
		if err != nil {
			break
		}
		var ids []int64
		for _, l := range some {
			ids = append(ids, l.Identity.ID)
		}
		var users []replica.User
		users, err = s.readMany(ctx, in(s.engine.sql("SELECT id FROM codegrant_users WHERE "), "id", kindID, ids))
		for _, u := range users {
			identities[u.ID] = u
		}
	}
	if err != nil {
		return nil, s.fail(ctx, "list links", err)
	}
	linked := all[:0]
	for _, l := range all {
		if u, there := identities[l.Identity.ID]; there && u.LinkedTo != 0 { // or it was unlinked meanwhile
			l.Identity = u
			linked = append(linked, l)
		}
	}
	return linked, nil
}
