package sqlreplica

import (
	"maps"
	"testing"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// TestMembershipsSince: a membership is since it was written, whatever is said of it later and
// by whom; one that was taken away and comes again is since then; of one from before there were
// records, nothing is known.
func TestMembershipsSince(t *testing.T) {
	eachTables(t, func(t *testing.T, s *Store, _ bool) {
		now := time.Now()
		apply(t, s, person(1, 0, "a", "b"))
		u, err := s.UserBySubject(t.Context(), testIssuer, "subject-1")
		if err != nil {
			t.Fatal(err)
		}
		since := func() map[string]time.Time {
			t.Helper()
			found, err := s.MembershipsSince(t.Context(), u.ID)
			if err != nil {
				t.Fatal(err)
			}
			current, err := s.User(t.Context(), u.ID)
			if err != nil {
				t.Fatal(err)
			}
			named := make(map[string]time.Time)
			for _, m := range current.Groups {
				if at, ok := found[m.ID]; ok {
					named[m.Name] = at
				}
			}
			if len(named) != len(found) {
				t.Errorf("groups %v, of which %v are the person's", found, named)
			}
			return named
		}
		first := since()
		for _, name := range []string{"a", "b"} {
			if d := first[name].Sub(now); d < -time.Minute || d > time.Minute {
				t.Errorf("%s is since %s, and it is %s", name, first[name], now)
			}
		}
		if len(first) != 2 {
			t.Fatalf("since %v", first)
		}
		// The application says the same of one, and the pool says it again later.
		if _, err := s.GrantLocalGroup(t.Context(), u.ID, "a"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.ApplyBatch(t.Context(), []replica.Snapshot{person(1, 2, "a", "b")}); err != nil {
			t.Fatal(err)
		}
		if got := since(); !maps.Equal(got, first) {
			t.Errorf("since %v, and was since %v", got, first)
		}
		apply(t, s, person(1, 3, "a"))
		if got := since(); len(got) != 1 || !got["a"].Equal(first["a"]) {
			t.Errorf("without b: %v", got)
		}
		if _, err := s.ApplyBatch(t.Context(), []replica.Snapshot{person(1, 4, "a", "b"), person(2, 4, "b")}); err != nil {
			t.Fatal(err)
		}
		if got := since(); !got["a"].Equal(first["a"]) || !got["b"].After(first["b"]) {
			t.Errorf("b came again: %v, and was %v", got, first)
		}
		if _, err := s.db.ExecContext(t.Context(), "UPDATE codegrant_memberships SET since = NULL"); err != nil {
			t.Fatal(err)
		}
		apply(t, s, person(1, 5, "a", "b"))
		if got := since(); len(got) != 0 {
			t.Errorf("of before there were records: %v", got)
		}
		if none, err := s.MembershipsSince(t.Context(), 987654); err != nil || len(none) > 0 {
			t.Errorf("of nobody: %v, %v", none, err)
		}
	})
}
