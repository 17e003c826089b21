package sessiontest

import (
	"fmt"
	"time"

	"github.com/codegrant/codegrant/session"
)

var personCases = []testCase{
	{"mark stale", "a mark raises the version, so that a refresh in progress cannot remove it", markStale},
	{"delete by subject", "all sessions of one person end, and of nobody else", deleteBySubject},
	{"many sessions of one person", "all means all, however many there are", manySessions},
}

func markStale(s *suite) {
	want := s.create(s.record("a"))
	s.create(s.recordOf(bob, "b"))
	elsewhere := s.record("c")
	elsewhere.Pool = "another pool"
	s.create(elsewhere)
	held := s.get("a")
	n, err := s.Store.MarkStale(s.Context(), pool, alice)
	s.wantCount("MarkStale", n, err, 1)
	_, err = s.Store.CompareAndSwap(s.Context(), held)
	s.wantError("CompareAndSwap of before the mark", err, session.ErrConflict)
	want.Stale, want.Version = true, 2
	s.wantEqual(s.get("a"), want)
	if s.get("b").Stale || s.get("c").Stale {
		s.Errorf("somebody else's session is marked")
	}
	n, err = s.Store.MarkStale(s.Context(), pool, alice)
	s.wantCount("MarkStale of a marked session", n, err, 1)
	want.Version = 3
	s.wantEqual(s.get("a"), want)
	want.Stale = false
	want = s.swap(want)
	s.wantEqual(s.get("a"), want)
	n, err = s.Store.MarkStale(s.Context(), pool, "nobody")
	s.wantCount("MarkStale of nobody", n, err, 0)
}

func deleteBySubject(s *suite) {
	s.create(s.recordOf(alice, "0"), s.recordOf(bob, "1"), s.recordOf(alice, "2"), s.recordOf(alice+"2", "3"), s.recordOf("", "5"))
	elsewhere := s.record("4")
	elsewhere.Pool = "another pool"
	s.create(elsewhere)
	n, err := s.Store.DeleteBySubject(s.Context(), pool, alice)
	s.wantCount("DeleteBySubject", n, err, 2)
	n, err = s.Store.DeleteBySubject(s.Context(), pool, alice)
	s.wantCount("DeleteBySubject again", n, err, 0)
	s.gone("0", "2")
	for _, id := range []string{"1", "3", "4", "5"} {
		s.get(id)
	}
	// Empty is a name, not everybody.
	n, err = s.Store.DeleteBySubject(s.Context(), "", "")
	s.wantCount("DeleteBySubject of no pool", n, err, 0)
	n, err = s.Store.DeleteBySubject(s.Context(), pool, "")
	s.wantCount("DeleteBySubject of no subject", n, err, 1)
	s.get("1")
}

func manySessions(s *suite) {
	const many = 250
	for i := range many {
		s.create(s.record(fmt.Sprint("session ", i)))
	}
	s.Advance(time.Minute)
	n, err := s.Store.MarkStale(s.Context(), pool, alice)
	s.wantCount("MarkStale", n, err, many)
	n, err = s.Store.DeleteBySubject(s.Context(), pool, alice)
	s.wantCount("DeleteBySubject", n, err, many)
	if page, err := s.Store.List(s.Context(), session.Query{}); err != nil || len(page) != 0 {
		s.Errorf("List = %d records, %v, want none", len(page), err)
	}
}
