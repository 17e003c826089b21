package sessiontest

import (
	"bytes"
	"strings"
	"time"

	"github.com/codegrant/codegrant/internal/quotas"
	"github.com/codegrant/codegrant/session"
)

var recordCases = []testCase{
	{"create and get", "a stored record comes back unchanged, apart from the version, which counts from 1", createAndGet},
	{"missing", "a session that is not there is ErrNotFound, and nothing is made by asking", missing},
	{"exists", "a second record of an ID must not take the first one's place: somebody is signed in by it", exists},
	{"expired", "an expired session is missing to every method, and its ID is free", expired},
	{"delete", "deleting is idempotent, ends one session and frees its ID", deleteTwice},
	{"delete expired", "expired records go, at most as many as asked for; live ones stay", deleteExpired},
	{"instants", "times are instants, whatever their zone, to the microsecond", instants},
	{"large content", "a person in many groups has large tokens", largeContent},
	{"no content", "a record without content is a record", noContent},
	{"longest names", "long values that the contract allows are stored completely", longestNames},
	{"content is a copy", "changes of the caller's bytes do not reach the store", contentIsACopy},
}

func createAndGet(s *suite) {
	r := s.record("a")
	r.Stale, r.LeaseUntil, r.Version = true, s.Now().Add(time.Minute), 7
	want := s.create(r)
	s.wantEqual(s.get("a"), want)

	want = s.create(s.record("b"))
	s.wantEqual(s.get("b"), want)
}

func missing(s *suite) {
	s.gone("a", "")
	_, err := s.Store.CompareAndSwap(s.Context(), s.record("a"))
	s.wantError("CompareAndSwap", err, session.ErrNotFound)
	unborn := s.record("a")
	unborn.Version = 1
	_, err = s.Store.CompareAndSwap(s.Context(), unborn)
	s.wantError("CompareAndSwap of version 1", err, session.ErrNotFound)
	s.gone("a")
	s.create(s.record("a"))
	s.get("a") // a look before must not stand in the way
}

func exists(s *suite) {
	want := s.create(s.record("a"))
	s.wantError("Create", s.Store.Create(s.Context(), s.recordOf(bob, "a")), session.ErrExists)
	s.wantEqual(s.get("a"), want)
	n, err := s.Store.DeleteBySubject(s.Context(), pool, bob)
	s.wantCount("DeleteBySubject of a refused subject", n, err, 0)
	s.get("a")
}

func expired(s *suite) {
	r := s.create(s.record("a"))
	s.Advance(time.Hour - time.Second)
	s.get("a")
	s.Advance(time.Second)
	s.gone("a")
	r.Expires = s.Now().Add(time.Hour)
	_, err := s.Store.CompareAndSwap(s.Context(), r)
	s.wantError("CompareAndSwap", err, session.ErrNotFound)
	n, err := s.Store.MarkStale(s.Context(), pool, alice)
	s.wantCount("MarkStale", n, err, 0)
	n, err = s.Store.DeleteBySubject(s.Context(), pool, alice)
	s.wantCount("DeleteBySubject", n, err, 0)
	s.must("Delete", s.Store.Delete(s.Context(), "a"))

	s.create(s.recordOf(alice, "b"))
	s.Advance(time.Hour)
	want := s.create(s.recordOf(bob, "b"))
	s.wantEqual(s.get("b"), want)
}

func deleteTwice(s *suite) {
	s.create(s.record("a"), s.record("b"))
	s.get("a")
	s.must("Delete", s.Store.Delete(s.Context(), "a"))
	s.must("Delete of a removed session", s.Store.Delete(s.Context(), "a"))
	s.gone("a")
	s.get("b")
	want := s.create(s.recordOf(bob, "a"))
	s.wantEqual(s.get("a"), want)
	s.must("Delete", s.Store.Delete(s.Context(), "a"))
	n, err := s.Store.DeleteBySubject(s.Context(), pool, bob)
	s.wantCount("DeleteBySubject", n, err, 0)
}

func deleteExpired(s *suite) {
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		s.create(s.record(id))
	}
	s.Advance(30 * time.Minute)
	s.create(s.record("live"))
	n, err := s.Store.DeleteExpired(s.Context(), 100)
	s.wantCount("DeleteExpired, when none is", n, err, 0)
	s.Advance(30 * time.Minute)
	for _, none := range []int{0, -1} {
		n, err := s.Store.DeleteExpired(s.Context(), none)
		s.wantCount("DeleteExpired of none", n, err, 0)
	}
	total := 0
	for range 3 {
		n, err := s.Store.DeleteExpired(s.Context(), 3)
		s.must("DeleteExpired", err)
		if n > 3 {
			s.Errorf("DeleteExpired(3) = %d", n)
		}
		total += n
	}
	if total != 5 && total != 0 { // 0: a store that expires records by itself
		s.Errorf("%d of 5 expired records were deleted", total)
	}
	s.get("live")
}

func instants(s *suite) {
	r := s.record("a")
	east, west := time.FixedZone("east", 13*3600), time.FixedZone("west", -11*3600-1800)
	r.Created, r.LastSeen, r.Expires = r.Created.In(east), r.LastSeen.In(west).Add(123456*time.Microsecond), r.Expires.In(east)
	r.LeaseUntil = s.Now().UTC().Add(time.Microsecond)
	want := s.create(r)
	s.wantEqual(s.get("a"), want)

	want.LeaseUntil, want.LastSeen, want.Expires = time.Time{}, want.LastSeen.In(east), want.Expires.In(west)
	s.swap(want)
	want.Version = 2
	s.wantEqual(s.get("a"), want)
}

func largeContent(s *suite) {
	r := s.record("a")
	r.Sealed = bytes.Repeat([]byte{0, 0xff, '\'', '\\'}, 16<<10)
	want := s.create(r)
	s.wantEqual(s.get("a"), want)
	// Two tokens with all that a pool can put into them.
	want.Sealed = bytes.Repeat([]byte{'\n', 0x80, 0, '"'}, quotas.AnswerBytes/4)
	s.swap(want)
	want.Version = 2
	s.wantEqual(s.get("a"), want)
}

func noContent(s *suite) {
	r := s.record("a")
	r.Sealed = nil
	want := s.create(r)
	s.wantEqual(s.get("a"), want)
	s.swap(want)
	want.Version = 2
	s.wantEqual(s.get("a"), want)
}

func longestNames(s *suite) {
	id, subject := strings.Repeat("i", 255), strings.Repeat("s", 255)
	r := s.recordOf(subject, id)
	r.Pool = strings.Repeat("p", 512)
	want := s.create(r)
	s.wantEqual(s.get(id), want)
	n, err := s.Store.MarkStale(s.Context(), r.Pool, subject)
	s.wantCount("MarkStale", n, err, 1)
	n, err = s.Store.DeleteBySubject(s.Context(), r.Pool, subject)
	s.wantCount("DeleteBySubject", n, err, 1)
}

func contentIsACopy(s *suite) {
	r := s.record("a")
	r.Sealed = []byte("before")
	s.create(r)
	r.Sealed[0] = 'X'
	got := s.get("a")
	if string(got.Sealed) != "before" {
		s.Errorf("Create kept the caller's slice")
	}
	_ = append(got.Sealed, "more"...)
	if again := s.get("a"); string(again.Sealed) != "before" {
		s.Errorf("appending reached the store: %s", again.Sealed)
	}
	got.Sealed = []byte("after!")
	s.swap(got)
	got.Sealed[0] = 'X'
	if again := s.get("a"); string(again.Sealed) != "after!" {
		s.Errorf("CompareAndSwap kept the caller's slice")
	}
}
