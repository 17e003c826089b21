package sessiontest

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/codegrant/codegrant/session"
)

// Harness is a store under test and the clock that it obeys.
type Harness struct {
	// Store is empty, and shares nothing with those of other tests.
	Store session.Store
	// Now is the store's clock. It stands still.
	Now func() time.Time
	// Advance moves that clock.
	Advance func(time.Duration)
}

// Run runs the suite, each case on a harness of its own. open registers the clean-up of
// a harness with t.Cleanup. A case that fails says why it exists.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	for _, c := range slices.Concat(recordCases, swapCases, raceCases, personCases, listCases, equalityCases, contextCases) {
		t.Run(c.name, func(t *testing.T) {
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("why this matters: %s", c.why)
				}
			})
			c.run(&suite{T: t, Harness: open(t)})
		})
	}
}

// testCase is one promise of the contract.
type testCase struct {
	name, why string
	run       func(*suite)
}

// suite is a case under way, with the vocabulary of all of them.
type suite struct {
	*testing.T
	Harness
}

const (
	pool  = "https://issuer.example/eu-west-1_Ab12Cd34E 4f5e6d7c8b9a"
	alice = "11111111-aaaa-4bbb-8ccc-000000000001"
	bob   = "11111111-aaaa-4bbb-8ccc-000000000002"
)

// record is a session of alice's that ends in an hour.
func (s *suite) record(id string) session.Record {
	now := s.Now()
	return session.Record{
		ID: id, Pool: pool, Subject: alice, Created: now, LastSeen: now, Expires: now.Add(time.Hour), Sealed: []byte("sealed " + id),
	}
}

func (s *suite) recordOf(subject, id string) session.Record {
	r := s.record(id)
	r.Subject = subject
	return r
}

func (s *suite) must(operation string, err error) {
	s.Helper()
	if err != nil {
		s.Fatalf("%s = %v", operation, err)
	}
}

// create stores records and returns the first as the store has it.
func (s *suite) create(records ...session.Record) session.Record {
	s.Helper()
	for _, r := range records {
		s.must("Create", s.Store.Create(s.Context(), r))
	}
	records[0].Version = 1
	return records[0]
}

func (s *suite) get(id string) session.Record {
	s.Helper()
	r, err := s.Store.Get(s.Context(), id)
	s.must("Get", err)
	return r
}

func (s *suite) swap(r session.Record) session.Record {
	s.Helper()
	r, err := s.Store.CompareAndSwap(s.Context(), r)
	s.must("CompareAndSwap", err)
	return r
}

func (s *suite) gone(ids ...string) {
	s.Helper()
	for _, id := range ids {
		_, err := s.Store.Get(s.Context(), id)
		s.wantError("Get("+id+")", err, session.ErrNotFound)
	}
}

// kinds are the errors that exclude one another.
var kinds = []error{session.ErrNotFound, session.ErrConflict, session.ErrExists, session.ErrFull, session.ErrUnavailable}

func (s *suite) wantError(operation string, err, want error) {
	s.Helper()
	for _, kind := range kinds {
		if errors.Is(err, kind) != (kind == want) {
			s.Errorf("%s = %v, want %v and no other kind", operation, err, want)
			return
		}
	}
}

func (s *suite) wantCount(operation string, got int, err error, want int) {
	s.Helper()
	if err != nil || got != want {
		s.Errorf("%s = %d, %v, want %d", operation, got, err, want)
	}
}

// wantEqual compares records by what stores keep: instants, by the microsecond.
func (s *suite) wantEqual(got, want session.Record) {
	s.Helper()
	same := got.ID == want.ID && got.Pool == want.Pool && got.Subject == want.Subject && got.Version == want.Version && got.Stale == want.Stale &&
		bytes.Equal(got.Sealed, want.Sealed) && got.LeaseUntil.IsZero() == want.LeaseUntil.IsZero()
	for _, times := range [][2]time.Time{{got.Created, want.Created}, {got.LastSeen, want.LastSeen}, {got.Expires, want.Expires}, {got.LeaseUntil, want.LeaseUntil}} {
		same = same && times[0].Truncate(time.Microsecond).Equal(times[1].Truncate(time.Microsecond))
	}
	if !same {
		s.Errorf("got  %+v\nwant %+v", got, want)
	}
}
