package sqlreplica

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// rowAt makes a row at another issuer.
func rowAt(t *testing.T, s *Store, issuer string, n int) int64 {
	t.Helper()
	p := person(n, 0, "a")
	p.Issuer, p.Groups = issuer, nil
	return apply(t, s, p).User.ID
}

// TestS677_NobodyLosesTheirOnlyWayIn: an identity stays with a person who could not sign in
// without it, also where two are separated at once or the other one is disabled.
func TestS677_NobodyLosesTheirOnlyWayIn(t *testing.T) {
	eachTables(t, func(t *testing.T, s *Store, _ bool) {
		const before = "https://issuer.example.com/before"
		old, a, b := rowAt(t, s, before, 0), rowOf(t, s, 1), rowOf(t, s, 2)
		for _, id := range []int64{a, b} {
			if _, err := s.Merge(t.Context(), id, old, "sign-in"); err != nil {
				t.Fatal(err)
			}
		}
		linked := func() (n int) {
			t.Helper()
			all, err := s.Identities(t.Context(), old)
			if err != nil {
				t.Fatal(err)
			}
			return len(all) - 1
		}
		for range 20 {
			var both sync.WaitGroup
			errs := make([]error, 2)
			for i, id := range []int64{a, b} {
				both.Go(func() { _, errs[i] = s.Separate(t.Context(), id) })
			}
			both.Wait()
			if n := linked(); n != 1 || (errs[0] == nil) == (errs[1] == nil) || !errors.Is(errors.Join(errs...), replica.ErrConflict) {
				t.Fatalf("%d stay linked, %v", n, errs)
			}
			for _, id := range []int64{a, b} {
				if _, err := s.Merge(t.Context(), id, old, "an operator"); err != nil {
					t.Fatal(err)
				}
			}
		}
		off := false
		p := person(2, 1, "a")
		p.Enabled, p.At = &off, time.Now().Add(time.Hour)
		apply(t, s, p)
		if _, err := s.Separate(t.Context(), a); !errors.Is(err, replica.ErrConflict) {
			t.Errorf("beside a disabled one: %v", err)
		}
		if c, err := s.Separate(t.Context(), b); err != nil || c.User.LinkedTo != 0 || c.Empty() {
			t.Errorf("the disabled one: %+v, %v", c, err)
		}
		if c, err := s.Separate(t.Context(), b); err != nil || !c.Empty() {
			t.Errorf("once more: %+v, %v", c, err)
		}
		if _, err := s.Separate(t.Context(), 1<<40); !errors.Is(err, replica.ErrNotFound) {
			t.Errorf("nobody: %v", err)
		}
	})
}

// TestS677_WhatComesAlong: rows of the pool that people moved from come with their identity,
// and nothing that somebody else could sign in with.
func TestS677_WhatComesAlong(t *testing.T) {
	eachTables(t, func(t *testing.T, s *Store, _ bool) {
		const before, elsewhere = "https://issuer.example.com/before", "https://issuer.example.com/elsewhere"
		into, old, moved := rowOf(t, s, 0), rowAt(t, s, before, 3), rowOf(t, s, 1)
		if _, err := s.Merge(t.Context(), moved, old, "sign-in"); err != nil {
			t.Fatal(err)
		}
		other := rowAt(t, s, elsewhere, 2)
		if _, err := s.Merge(t.Context(), other, old, "an operator"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Link(t.Context(), moved, into, "the person", before); !errors.Is(err, replica.ErrConflict) {
			t.Fatalf("another pool's identity came along: %v", err)
		}
		if _, err := s.Unlink(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Link(t.Context(), moved, into, "the person"); !errors.Is(err, replica.ErrConflict) {
			t.Fatalf("an identity of the old pool came along: %v", err)
		}
		c, err := s.Link(t.Context(), moved, into, "the person", before)
		if err != nil || c.User.ID != old || c.Merged == nil || *c.Merged != (replica.Merged{From: old, Into: into}) {
			t.Fatalf("%+v, %v", c, err)
		}
		for _, id := range []int64{old, moved} {
			if u, err := s.User(t.Context(), id); err != nil || u.LinkedTo != into {
				t.Errorf("row %d is linked to %d, %v", id, u.LinkedTo, err)
			}
		}
	})
}
