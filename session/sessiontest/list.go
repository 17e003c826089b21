package sessiontest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/codegrant/codegrant/session"
)

var listCases = []testCase{
	{"list", "pages follow one another by ID, without content, without expired ones", listPages},
	{"list of a person", "people see their sessions, and nobody else's", listPerson},
	{"list without a limit", "a page has an end even where nobody asks for one", listDefault},
	{"list leaves out what happens once", "a console lists sessions, and a sign-in in progress is not a session", listOnce},
	{"list is current", "an ended session is not listed, and a changed session is listed as it is now", listCurrent},
}

// list returns the IDs of every page of a query, and checks what each page holds.
func (s *suite) list(q session.Query) []string {
	s.Helper()
	ids := []string{}
	for {
		page, err := s.Store.List(s.Context(), q)
		s.must("List", err)
		if len(page) > q.Limit {
			s.Fatalf("List hands out %d records, and %d were asked for", len(page), q.Limit)
		}
		for _, r := range page {
			ids = append(ids, r.ID)
			if len(r.Sealed) != 0 {
				s.Errorf("List hands out content")
			}
		}
		if len(page) < q.Limit || len(ids) > 1000 {
			return ids
		}
		q.After = page[len(page)-1].ID
	}
}

func (s *suite) wantList(q session.Query, want ...string) {
	s.Helper()
	if got := s.list(q); !slices.Equal(got, want) {
		s.Errorf("List(%+v) = %v, want %v", q, got, want)
	}
}

func listPages(s *suite) {
	if got := s.list(session.Query{Limit: 3}); len(got) != 0 {
		s.Errorf("List of nothing = %v", got)
	}
	for _, id := range []string{"c", "a", "e", "b", "d", "cc", "c-", "C", "_"} {
		r := s.record(id)
		if id == "e" {
			r.Expires = s.Now().Add(time.Minute)
		}
		s.create(r)
	}
	s.Advance(2 * time.Minute)
	for _, limit := range []int{1, 2, 3, 8, 9, 100} {
		s.wantList(session.Query{Limit: limit}, "C", "_", "a", "b", "c", "c-", "cc", "d")
	}
	s.wantList(session.Query{Limit: 2, After: "bb"}, "c", "c-", "cc", "d")
	if got := s.list(session.Query{Limit: 2, After: "d"}); len(got) != 0 {
		s.Errorf("List after the last = %v", got)
	}
}

func listPerson(s *suite) {
	elsewhere := s.recordOf(bob, "e")
	elsewhere.Pool = "another pool"
	s.create(s.record("a"), s.recordOf(bob, "b"), s.record("c"), s.recordOf(bob, "d"), elsewhere)
	for _, limit := range []int{1, 2, 100} {
		s.wantList(session.Query{Pool: pool, Subject: bob, Limit: limit}, "b", "d")
		s.wantList(session.Query{Pool: pool, Limit: limit}, "a", "b", "c", "d")
		s.wantList(session.Query{Subject: bob, Limit: limit}, "b", "d", "e")
	}
	s.wantList(session.Query{Pool: pool, Subject: bob, After: "b", Limit: 5}, "d")
	for _, nothing := range []session.Query{{Pool: "nowhere", Limit: 5}, {Pool: pool, Subject: "nobody", Limit: 5}} {
		if got := s.list(nothing); len(got) != 0 {
			s.Errorf("List(%+v) = %v", nothing, got)
		}
	}
}

func listOnce(s *suite) {
	once := s.record("a")
	once.Pool, once.Subject, once.Sealed = session.OncePool, "a", []byte{0}
	s.create(once, s.record("b"))
	s.wantList(session.Query{Limit: 5}, "b")
	s.wantList(session.Query{Subject: "a", Limit: 5})
	if err := s.Store.Create(s.Context(), once); !errors.Is(err, session.ErrExists) {
		s.Errorf("Create a second time = %v, want ErrExists", err)
	}
	s.Advance(24 * time.Hour)
	s.must("Create once it has expired", s.Store.Create(s.Context(), once))
}

func listDefault(s *suite) {
	for i := range session.DefaultLimit + 1 {
		s.create(s.record(fmt.Sprintf("%03d", i)))
	}
	for _, limit := range []int{0, -1} {
		page, err := s.Store.List(s.Context(), session.Query{Limit: limit})
		s.must("List", err)
		if len(page) != session.DefaultLimit || page[0].ID != "000" || page[len(page)-1].ID != fmt.Sprintf("%03d", session.DefaultLimit-1) {
			s.Errorf("List with limit %d = %d records", limit, len(page))
		}
	}
}

func listCurrent(s *suite) {
	s.create(s.record("a"), s.record("b"), s.record("c"))
	r := s.get("b")
	r.LastSeen, r.Expires, r.LeaseUntil, r.Stale = s.Now().Add(time.Minute), s.Now().Add(2*time.Hour), s.Now().Add(time.Second), true
	want := s.swap(r)
	want.Sealed = nil
	s.must("Delete", s.Store.Delete(s.Context(), "a"))
	s.Advance(time.Hour)
	for _, q := range []session.Query{{}, {Pool: pool}, {Pool: pool, Subject: alice}} {
		page, err := s.Store.List(s.Context(), q)
		s.must("List", err)
		if len(page) != 1 {
			s.Fatalf("List(%+v) = %+v, want one record", q, page)
		}
		s.wantEqual(page[0], want)
	}
}
