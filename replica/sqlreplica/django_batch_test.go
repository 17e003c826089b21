package sqlreplica

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// TestDjangoSweep: whom the pool no longer has cannot sign in to any backend of the
// project, and is in none of the groups that the pool gave.
func TestDjangoSweep(t *testing.T) {
	eachDjango(t, func(t *testing.T, s *Store) {
		id := apply(t, s, person(1, 0, "from pool")).User.ID
		s.join(t, id, "given in django")
		sweep := func(hours int) {
			t.Helper()
			result, err := s.Sweep(t.Context(), testIssuer, "pass", replica.SweepOptions{Began: stated.Add(time.Duration(hours) * time.Hour), MaxShare: 1})
			if err != nil || len(result.Changes) != 1 || !slices.Equal(result.Changes[0].GroupsRemoved, []string{"from pool"}) {
				t.Fatalf("Sweep = %+v, %v", result, err)
			}
		}
		expect := func(what string, active bool, groups ...string) {
			t.Helper()
			if a := s.account(t, id); a.active != active || !slices.Equal(a.groups, groups) {
				t.Errorf("%s: is_active %v, groups %q; want %v, %q", what, a.active, a.groups, active, groups)
			}
		}
		sweep(1)
		expect("swept", false, "given in django")
		apply(t, s, person(1, 2*3600, "from pool"))
		expect("back", true, "from pool", "given in django")

		s.exec(t, s.engine.sql("UPDATE auth_user SET is_active = ").bind(false).sql(" WHERE id = ").bind(id))
		sweep(3)
		apply(t, s, person(1, 4*3600, "from pool"))
		expect("turned off in Django, swept and back", false, "from pool", "given in django")
	})
}

// TestDjangoBatch: newcomers of a batch get accounts, or the ones that they have,
// and one who cannot have either keeps nobody else.
func TestDjangoBatch(t *testing.T) {
	eachDjango(t, func(t *testing.T, s *Store) {
		had := s.createAccount(t, "three", "User-3@example.com", "in django", "both")
		s.createAccount(t, "a", "user-5@example.com")
		s.createAccount(t, "b", "USER-5@example.com")
		var all []replica.Snapshot
		for i := range 10 {
			all = append(all, person(i, 0, "both", fmt.Sprint("g", i%3)))
		}
		all[7].Email = "USER-6@example.com" // as the one before, who comes first
		changes, err := s.ApplyBatch(t.Context(), all)
		var batch *replica.BatchError
		if !errors.As(err, &batch) || !errors.Is(err, replica.ErrConflict) || len(batch.Refused) != 2 || batch.Refused[0].Index != 5 || batch.Refused[1].Index != 7 ||
			!strings.Contains(batch.Refused[0].Err.Error(), "leave it to one of them") || !strings.Contains(batch.Refused[1].Err.Error(), `is linked to subject "subject-6"`) {
			t.Fatalf("ApplyBatch = %v, want the users 5 and 7 refused", err)
		}
		for i, c := range changes {
			if refused := i == 5 || i == 7; refused != c.Empty() || !refused && c.Adopted != (i == 3) {
				t.Errorf("user %d: empty %v, adopted %v", i, c.Empty(), c.Adopted)
			}
		}
		if changes[3].User.ID != had || membershipsOf(mustUser(t, s, had)) != "both(p) g0(p) in django(l)" {
			t.Errorf("user %d in %q", changes[3].User.ID, membershipsOf(mustUser(t, s, had)))
		}
		if a := s.account(t, changes[8].User.ID); a.username != "user-8@example.com" || !slices.Equal(a.groups, []string{"both", "g2"}) {
			t.Errorf("account = %+v", a)
		}

		for i := range all {
			all[i].At = all[i].At.Add(time.Hour)
			all[i].Groups = all[i].Groups[:1]
		}
		changes, err = s.ApplyBatch(t.Context(), slices.Delete(all, 5, 8))
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range changes {
			if a := s.account(t, c.User.ID); len(c.GroupsRemoved) != 1 || a.groups[0] != "both" || slices.Contains(a.groups, c.GroupsRemoved[0]) {
				t.Errorf("user %d: removed %q, Django has %q", i, c.GroupsRemoved, a.groups)
			}
		}
	})
}
