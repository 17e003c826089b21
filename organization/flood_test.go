package organization_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant/organization"
)

// TestS725_AtTheSameMoment: however many organizations write to one address at once, it gets no
// more, and one person sends no more. What is held for that is gone after a day.
func TestS725_AtTheSameMoment(t *testing.T) {
	eachEngine(t, func(t *testing.T, r *rig) {
		ann, annID := r.person(t, "ann")
		var all []organization.Organization
		for range 30 {
			o := r.create(t, "Acme")
			r.set(t, o, ann, "admin")
			all = append(all, o)
		}
		s, err := organization.New(organization.Config{DB: r.db, Dialect: r.dialect, Now: func() time.Time { return r.now }})
		if err != nil {
			t.Fatal(err)
		}
		as := organization.As(s, annID)
		r.db.SetMaxOpenConns(30)
		var sent atomic.Int64
		var wg sync.WaitGroup
		begin := make(chan struct{})
		for _, o := range all {
			wg.Go(func() {
				<-begin
				_, _, err := as.Invite(t.Context(), o.ID, "carol@example.com", "member", "a test")
				if err == nil {
					sent.Add(1)
				} else if !errors.Is(err, organization.ErrTooOften) {
					t.Error(err)
				}
			})
		}
		close(begin)
		wg.Wait()
		if n := sent.Load(); n != organization.MaxSentToAddress {
			t.Errorf("%d invitations to one address, want %d", n, organization.MaxSentToAddress)
		}
		r.now = r.now.Add(25 * time.Hour)
		if _, _, err := s.Invite(t.Context(), all[0].ID, "dora@example.com", "member", "a test"); err != nil {
			t.Fatal(err)
		}
		left := 0
		if err := r.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM codegrant_organization_sent WHERE organization_id = ''").Scan(&left); err != nil || left != 1 {
			t.Errorf("%d rows are held, want that of the last address: %v", left, err)
		}
	})
}
