package keep

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/internal/people"
	"github.com/codegrant/codegrant/session"
)

// Listed is a sign-in of a person, as they are shown it.
type Listed struct {
	Key                        Key // names it, and is of no use to take it over
	Created, LastSeen, Expires time.Time
	Current                    bool // of the browser that asks
	Note                       Note
}

// lister is a keeper that knows the sign-ins of a person without their cookies.
type lister interface {
	list(ctx context.Context, subject string) ([]session.Record, error)
	endID(ctx context.Context, id string) error
	endAll(ctx context.Context, subject string) (n int, err error)
	markStale(ctx context.Context, subject string) error
	lives(ctx context.Context, subject, short string) (bool, error)
}

// maxListed bounds what is shown of one person, and ended at once one by one.
const maxListed = 1000

// list reads the rows of a person, the oldest first.
func (s *Stored) list(ctx context.Context, subject string) ([]session.Record, error) {
	if subject == "" {
		return nil, nil
	}
	var all []session.Record
	for q := (session.Query{Pool: s.binding, Subject: subject, Limit: 200}); ; {
		page, err := s.store.List(ctx, q)
		if err != nil {
			return nil, fault.Away("list the person's sessions", err)
		}
		all = append(all, page...)
		if len(page) < q.Limit || len(all) >= maxListed {
			break
		}
		q.After = page[len(page)-1].ID
	}
	slices.SortFunc(all, func(a, b session.Record) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

func (s *Stored) endID(ctx context.Context, id string) error {
	if err := s.store.Delete(ctx, id); err != nil {
		return fault.Away("end the session", err)
	}
	return nil
}

func (s *Stored) endAll(ctx context.Context, subject string) (n int, err error) {
	if n, err = s.store.DeleteBySubject(ctx, s.binding, subject); err != nil {
		return n, fault.Away("end the person's sessions", err)
	}
	return n, nil
}

func (s *Stored) markStale(ctx context.Context, subject string) error {
	if _, err := s.store.MarkStale(ctx, s.binding, subject); err != nil {
		return fault.Away("mark the person's sessions", err)
	}
	return nil
}

func (s *Stored) lives(ctx context.Context, subject, short string) (bool, error) {
	for q := (session.Query{Pool: s.binding, Subject: subject, Limit: session.DefaultLimit}); ; {
		page, err := s.store.List(ctx, q)
		if err != nil {
			return false, fault.Away("look for the session", err)
		}
		if slices.ContainsFunc(page, func(r session.Record) bool { return Key(r.ID).Short() == short && !r.Stale }) {
			return true, nil
		}
		if len(page) < q.Limit {
			return false, nil
		}
		q.After = page[len(page)-1].ID
	}
}

// List returns the sign-ins of h's person, the last used first, and whether these are
// all. Where browsers carry them, only h itself is known.
func (s *Sessions) List(ctx context.Context, h *Held) (all []Listed, whole bool, err error) {
	if _, ok := s.keeper.(lister); !ok {
		return []Listed{{Key: h.Key, Created: h.Record.Created, LastSeen: h.Record.LastSeen, Expires: h.Record.Expires, Current: true}}, false, nil
	}
	identities, known := s.identities(ctx, h.Subject, h.Issuer)
	all, whole, err = s.listed(ctx, identities)
	for i := range all {
		all[i].Current = all[i].Key == h.Key
	}
	return all, whole && known, err
}

// ListOf is List for somebody who does not ask. Where browsers carry the sign-ins it is
// [ErrNoList].
func (s *Sessions) ListOf(ctx context.Context, subject string) (all []Listed, whole bool, err error) {
	identities, known := s.Identities(ctx, subject)
	all, whole, err = s.listed(ctx, identities)
	return all, whole && known, err
}

func (s *Sessions) listed(ctx context.Context, identities []people.Identity) (all []Listed, whole bool, err error) {
	parts, ok := s.parts(identities)
	if !ok {
		return nil, false, ErrNoList
	}
	whole = true
	for _, p := range parts {
		records, err := p.rows.list(ctx, p.subject)
		if err != nil {
			return nil, false, err
		}
		for _, r := range records {
			key := Key(r.ID)
			all = append(all, Listed{Key: key, Created: r.Created, LastSeen: r.LastSeen, Expires: r.Expires, Note: p.notes.of(ctx, key)})
		}
		whole = whole && len(records) < maxListed
	}
	slices.SortStableFunc(all, func(a, b Listed) int { return b.LastSeen.Compare(a.LastSeen) })
	return all, whole, nil
}

// ErrNoList: sign-ins are where nobody but their browsers can end one.
var ErrNoList = errors.New("sessions are in cookies: this one cannot be ended from here")

// EndOther ends one of the sign-ins of h's person. It reports whether there was one of
// that name.
func (s *Sessions) EndOther(ctx context.Context, h *Held, key Key) (bool, error) {
	return s.EndOf(ctx, h.Subject, key, "the person ended it from another session")
}

// EndOf is EndOther for somebody who does not ask.
func (s *Sessions) EndOf(ctx context.Context, subject string, key Key, why string) (bool, error) {
	identities, _ := s.Identities(ctx, subject)
	parts, ok := s.parts(identities)
	if !ok {
		return false, ErrNoList
	}
	for _, p := range parts {
		records, err := p.rows.list(ctx, p.subject)
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(records, func(r session.Record) bool { return Key(r.ID) == key }) {
			return true, p.endRow(ctx, p.rows, p.subject, key, why)
		}
	}
	return false, nil
}

// EndOthers ends every sign-in of h's person but h, says how many, and whether the
// identities of the person were known.
func (s *Sessions) EndOthers(ctx context.Context, h *Held) (n int, whole bool, err error) {
	if _, ok := s.keeper.(lister); !ok {
		return 0, false, ErrNoList
	}
	identities, whole := s.identities(ctx, h.Subject, h.Issuer)
	parts, _ := s.parts(identities)
	for _, p := range parts {
		records, listErr := p.rows.list(ctx, p.subject)
		err = errors.Join(err, listErr)
		for _, r := range records {
			if Key(r.ID) == h.Key {
				continue
			}
			if endErr := p.endRow(ctx, p.rows, p.subject, Key(r.ID), "the person ended all others"); endErr != nil {
				err = errors.Join(err, endErr)
				continue
			}
			n++
		}
	}
	return n, whole, err
}

// EndAll ends every sign-in of identities that the store has, and says how many. Where
// browsers carry them it is none: a mark ends those.
func (s *Sessions) EndAll(ctx context.Context, identities []people.Identity) (n int, err error) {
	parts, _ := s.parts(identities)
	for _, p := range parts {
		more, endErr := p.rows.endAll(ctx, p.subject)
		n, err = n+more, errors.Join(err, endErr)
	}
	return n, err
}

// Stale has every sign-in of a person that the store has renewed as it is used next.
func (s *Sessions) Stale(ctx context.Context, subject string) error {
	rows, ok := s.keeper.(lister)
	if !ok || subject == "" {
		return nil
	}
	if s.before != nil {
		if err := s.before.Stale(ctx, subject); err != nil {
			return err
		}
	}
	return rows.markStale(ctx, subject)
}

// Lives reports whether a person has a sign-in of such a short name that is not to be
// renewed first. Where browsers carry the sign-ins it is [ErrNoList].
func (s *Sessions) Lives(ctx context.Context, subject, short string) (bool, error) {
	rows, ok := s.keeper.(lister)
	if !ok {
		return false, ErrNoList
	}
	lives, err := rows.lives(ctx, subject, short)
	if s.before != nil && err == nil && !lives {
		return s.before.Lives(ctx, subject, short)
	}
	return lives, err
}

func (s *Sessions) endRow(ctx context.Context, rows lister, subject string, key Key, why string) error {
	if err := rows.endID(context.WithoutCancel(ctx), string(key)); err != nil {
		return err
	}
	s.notes.drop(context.WithoutCancel(ctx), key)
	s.log.LogAttrs(ctx, slog.LevelInfo, "session ended", slog.String("sub", subject), slog.String("session", key.Short()), slog.String("reason", why))
	return nil
}

// Limit is how many sign-ins a person may have at once. Zero: any number.
type Limit struct {
	Max    int
	Refuse bool // the new one; else the oldest ends
}

// ahead is how far the clocks of two processes may differ before a row counts as one
// from the future.
const ahead = 2 * time.Second

// within holds a new sign-in to the limit. It looks once the row is there. All that
// begin at the same moment put the rows into the same order, so that as many as the
// limit stay: the new one may be among those that end. A row from the future is of a
// process whose clock is ahead. It was there before.
func (s *Sessions) within(ctx context.Context, made *Held) error {
	if _, ok := s.keeper.(lister); s.limit.Max <= 0 || !ok {
		return nil
	}
	// A person has as many as the limit, by whichever identities.
	identities, _ := s.identities(ctx, made.Subject, made.Issuer)
	parts, ok := s.parts(identities)
	if !ok {
		return nil
	}
	var records []session.Record
	whose := make(map[string]part)
	for _, p := range parts {
		own, err := p.rows.list(ctx, p.subject)
		if err != nil {
			return err
		}
		for _, r := range own {
			whose[r.ID] = p
		}
		records = append(records, own...)
	}
	slices.SortFunc(records, func(a, b session.Record) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	over := len(records) - s.limit.Max
	if over <= 0 {
		return nil
	}
	future := s.clock().Add(ahead)
	slices.SortStableFunc(records, func(a, b session.Record) int {
		return boolean(b.Created.After(future)) - boolean(a.Created.After(future))
	})
	gone := records[:over]
	if s.limit.Refuse {
		gone = records[s.limit.Max:] // those that began after the new one, and have their row before it
		if slices.ContainsFunc(gone, func(r session.Record) bool { return Key(r.ID) == made.Key }) {
			return fault.TooManySessions
		}
	}
	for _, r := range gone {
		p := whose[r.ID]
		if err := p.endRow(ctx, p.rows, p.subject, Key(r.ID), "the person has more sessions than they may"); err != nil {
			return err
		}
	}
	return nil
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}
