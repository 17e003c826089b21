package sessiontest

import (
	"time"

	"github.com/codegrant/codegrant/session"
)

var swapCases = []testCase{
	{"swap", "a swap replaces a record of the version that was read, and counts it up", swapReplaces},
	{"swap conflict", "a swap of another version changes nothing: the reader has to look again", swapConflict},
	{"swap after a conflict", "after a notice of a change, a read returns the new record, not an old copy", swapAfterConflict},
	{"swap keeps identity", "whose session it is does not change", swapKeepsIdentity},
	{"swap ends a session", "an end may be moved closer, and holds", swapShortens},
	{"swap never recreates", "S-083: a session that was ended stays ended, also while a request still uses it", swapNeverRecreates},
	{"swap of another session", "S-083: a swap does not reach a later session of the same ID", swapOfAnotherLife},
}

func swapReplaces(s *suite) {
	s.create(s.record("a"))
	r := s.get("a")
	r.LastSeen, r.Expires, r.LeaseUntil = s.Now().Add(time.Minute), s.Now().Add(2*time.Hour), s.Now().Add(time.Second)
	r.Stale, r.Sealed = true, []byte("new")
	got := s.swap(r)
	r.Version = 2
	s.wantEqual(got, r)
	s.wantEqual(s.get("a"), r)

	r = got
	r.Stale, r.LeaseUntil = false, time.Time{}
	got = s.swap(r)
	r.Version = 3
	s.wantEqual(got, r)
	s.wantEqual(s.get("a"), r)

	s.Advance(90 * time.Minute)
	s.get("a") // the end that was moved away holds
	n, err := s.Store.MarkStale(s.Context(), pool, alice)
	s.wantCount("MarkStale, beyond the first end", n, err, 1)
}

func swapConflict(s *suite) {
	first := s.create(s.record("a"))
	want := s.swap(first)
	for _, version := range []int64{1, 0, -1, 3} {
		r := first
		r.Version, r.Sealed, r.Expires = version, []byte("lost"), s.Now().Add(time.Minute)
		_, err := s.Store.CompareAndSwap(s.Context(), r)
		s.wantError("CompareAndSwap", err, session.ErrConflict)
	}
	s.wantEqual(s.get("a"), want)
	s.Advance(30 * time.Minute)
	s.get("a")
}

func swapAfterConflict(s *suite) {
	s.create(s.record("a"))
	seen := s.get("a")
	s.swap(seen)
	_, err := s.Store.CompareAndSwap(s.Context(), seen)
	s.wantError("CompareAndSwap", err, session.ErrConflict)
	s.swap(s.get("a"))
}

func swapKeepsIdentity(s *suite) {
	want := s.create(s.record("a"))
	r := want
	r.Subject, r.Pool, r.Created = bob, "another pool", s.Now().Add(-time.Hour)
	if _, err := s.Store.CompareAndSwap(s.Context(), r); err == nil {
		want.Version = 2
	}
	s.wantEqual(s.get("a"), want)
	n, err := s.Store.DeleteBySubject(s.Context(), "another pool", bob)
	s.wantCount("DeleteBySubject of the subject that a swap set", n, err, 0)
	n, err = s.Store.DeleteBySubject(s.Context(), pool, alice)
	s.wantCount("DeleteBySubject", n, err, 1)
}

func swapShortens(s *suite) {
	r := s.create(s.record("a"))
	r.Expires = s.Now().Add(time.Minute)
	r = s.swap(r)
	s.Advance(time.Minute - time.Second)
	s.get("a")
	s.Advance(time.Second)
	s.gone("a")
	_, err := s.Store.CompareAndSwap(s.Context(), r)
	s.wantError("CompareAndSwap", err, session.ErrNotFound)

	r = s.create(s.record("b"))
	r.Expires = s.Now()
	s.swap(r)
	s.gone("b")
}

func swapNeverRecreates(s *suite) {
	s.create(s.record("a"), s.record("b"))
	a, b := s.get("a"), s.get("b")
	s.must("Delete", s.Store.Delete(s.Context(), "a"))
	_, err := s.Store.CompareAndSwap(s.Context(), a)
	s.wantError("CompareAndSwap", err, session.ErrNotFound)
	n, err := s.Store.DeleteBySubject(s.Context(), pool, alice)
	s.wantCount("DeleteBySubject", n, err, 1)
	_, err = s.Store.CompareAndSwap(s.Context(), b)
	s.wantError("CompareAndSwap", err, session.ErrNotFound)
	s.gone("a", "b")
}

func swapOfAnotherLife(s *suite) {
	s.create(s.record("a"))
	old := s.swap(s.get("a"))
	s.must("Delete", s.Store.Delete(s.Context(), "a"))
	want := s.create(s.recordOf(bob, "a"))
	_, err := s.Store.CompareAndSwap(s.Context(), old)
	s.wantError("CompareAndSwap", err, session.ErrConflict)
	s.wantEqual(s.get("a"), want)
}
