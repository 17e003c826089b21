package sqlreplica

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// rowOf makes somebody new and returns their row.
func rowOf(t *testing.T, s *Store, n int) int64 {
	t.Helper()
	return apply(t, s, person(n, 0, "a")).User.ID
}

// TestS755_MergedIsToldInTheTransaction: the application's own rows move with the merge or
// it does not happen, the outbox has it, and unlinking is the reverse.
func TestS755_MergedIsToldInTheTransaction(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		refuse := errors.New("not now")
		var fault error
		var told []replica.Merged
		s, _ := e.store(t, Config{Outbox: &Outbox{}, OnChange: func(ctx context.Context, tx *sql.Tx, c replica.Change) error {
			if c.Merged == nil {
				return nil
			}
			told = append(told, *c.Merged)
			_, err := tx.ExecContext(ctx, fmt.Sprintf("UPDATE orders SET owner = %d WHERE owner = %d", c.Merged.Into, c.Merged.From))
			return errors.Join(err, fault)
		}})
		if _, err := s.db.ExecContext(t.Context(), "CREATE TABLE orders (owner BIGINT NOT NULL)"); err != nil {
			t.Fatal(err)
		}
		a, b, c := rowOf(t, s, 1), rowOf(t, s, 2), rowOf(t, s, 3)
		if _, err := s.db.ExecContext(t.Context(), fmt.Sprintf("INSERT INTO orders VALUES (%d), (%d)", a, b)); err != nil {
			t.Fatal(err)
		}
		owned := func(id int64) (n int) {
			t.Helper()
			if err := s.db.QueryRowContext(t.Context(), fmt.Sprintf("SELECT count(*) FROM orders WHERE owner = %d", id)).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}

		fault = refuse
		if _, err := s.Merge(t.Context(), a, b, "me"); !errors.Is(err, refuse) || errors.Is(err, replica.ErrUnavailable) {
			t.Errorf("a merge that the application refuses: %v", err)
		}
		if u, err := s.User(t.Context(), a); err != nil || u.Person() != a || owned(a) != 1 {
			t.Errorf("after it: %+v, %v, %d orders", u, err, owned(a))
		}
		fault, told = nil, nil
		before := inOutbox(t, s)
		change, err := s.Merge(t.Context(), a, b, "me")
		if err != nil || change.User.Person() != b || !change.Has("linked_to") || *change.Merged != (replica.Merged{From: a, Into: b}) {
			t.Fatalf("merge: %+v, %v", change, err)
		}
		if owned(a) != 0 || owned(b) != 2 || len(told) != 1 || inOutbox(t, s) != before+1 {
			t.Errorf("%d and %d orders, told %v, %d entries more", owned(a), owned(b), told, inOutbox(t, s)-before)
		}
		if again, err := s.Merge(t.Context(), a, b, "me"); err != nil || !again.Empty() || len(told) != 1 || inOutbox(t, s) != before+1 {
			t.Errorf("a second time: %+v, %v", again, err)
		}

		// b, whom a is, turns out to be c: both are.
		if _, err := s.Merge(t.Context(), a, c, "me"); err != nil {
			t.Fatal(err)
		}
		all, err := s.Identities(t.Context(), c)
		if err != nil || len(all) != 3 || all[0].ID != c || all[1].Person() != c || all[2].Person() != c || owned(c) != 2 {
			t.Errorf("identities: %+v, %v, %d orders", all, err, owned(c))
		}
		// What the pool says is of the identity, and leaves the link as it is.
		if change := apply(t, s, person(1, 1, "b")); change.User.Person() != c || !change.User.InGroup("b") {
			t.Errorf("a statement of an identity that is linked: %+v", change.User)
		}
		changes, err := s.ApplyBatch(t.Context(), []replica.Snapshot{person(1, 2, "a"), person(2, 2, "b")})
		if err != nil || changes[0].User.Person() != c || changes[1].User.Person() != c {
			t.Errorf("a batch: %+v, %v", changes, err)
		}

		back, err := s.Unlink(t.Context(), a)
		if err != nil || back.User.Person() != a || !slices.Contains(replica.NewRecord(back).Events, replica.EventUnlinked) {
			t.Errorf("unlink: %+v, %v", back, err)
		}
		if back, err := s.Unlink(t.Context(), a); err != nil || !back.Empty() {
			t.Errorf("unlink of nobody: %+v, %v", back, err)
		}
		for _, ids := range [][2]int64{{a, 999999}, {999999, a}} {
			if _, err := s.Merge(t.Context(), ids[0], ids[1], "me"); !errors.Is(err, replica.ErrNotFound) {
				t.Errorf("merge of %v: %v", ids, err)
			}
		}
		if _, err := s.Unlink(t.Context(), 999999); !errors.Is(err, replica.ErrNotFound) {
			t.Errorf("unlink of a row that is not there: %v", err)
		}
		// The row that they were known by is gone: they are whom they are.
		if _, err := s.db.ExecContext(t.Context(), fmt.Sprintf("DELETE FROM codegrant_users WHERE id = %d", c)); err != nil {
			t.Fatal(err)
		}
		if u, err := s.User(t.Context(), b); err != nil || u.Person() != b {
			t.Errorf("after the person's row is gone: %+v, %v", u, err)
		}
	})
}

// TestS756_NobodyIsHalfLinked: operators merge and unlink the same people at once, are cut
// off, and the pool goes on stating them. At every moment each person is known by an
// identity that is linked to no other.
func TestS756_NobodyIsHalfLinked(t *testing.T) {
	const people, operators, each = 7, 4, 40
	eachEngine(t, func(t *testing.T, e testEngine) {
		s, _ := e.store(t, Config{Outbox: &Outbox{}})
		var ids []int64
		for n := range people {
			ids = append(ids, rowOf(t, s, n))
		}
		look := func() {
			t.Helper()
			var dangling int
			err := s.db.QueryRowContext(t.Context(), "SELECT count(*) FROM codegrant_users u JOIN codegrant_users p ON p.id = u.linked_to WHERE p.linked_to IS NOT NULL").Scan(&dangling)
			if err != nil || dangling != 0 {
				t.Fatalf("%d identities are linked to one that is linked itself, %v", dangling, err)
			}
		}
		ctx, stop := context.WithCancel(t.Context())
		var looking, all sync.WaitGroup
		looking.Go(func() {
			for ctx.Err() == nil {
				look()
				time.Sleep(time.Millisecond)
			}
		})
		for operator := range operators {
			all.Go(func() {
				random := rand.New(rand.NewPCG(uint64(operator), 756))
				for n := range each {
					ctx, cut := context.WithCancel(t.Context())
					if random.IntN(4) == 0 {
						time.AfterFunc(time.Duration(random.IntN(2000))*time.Microsecond, cut)
					}
					a, b := ids[random.IntN(people)], ids[random.IntN(people)]
					var err error
					switch random.IntN(4) {
					case 0:
						_, err = s.Unlink(ctx, a)
					case 1:
						_, err = s.Apply(ctx, person(random.IntN(people), n, "a"))
					default:
						_, err = s.Merge(ctx, a, b, fmt.Sprint("operator ", operator))
					}
					if err != nil && ctx.Err() == nil {
						t.Errorf("operator %d: %v", operator, err)
					}
					cut()
				}
			})
		}
		all.Wait()
		stop()
		looking.Wait()
		look()

		// Everybody becomes one, whoever begins where.
		for operator := range operators {
			all.Go(func() {
				for n := range people {
					if _, err := s.Merge(t.Context(), ids[(n+operator)%people], ids[(n*2+operator)%people], "all"); err != nil {
						t.Errorf("operator %d: %v", operator, err)
					}
				}
				for n := range people {
					if _, err := s.Merge(t.Context(), ids[n], ids[0], "all"); err != nil {
						t.Errorf("operator %d: %v", operator, err)
					}
				}
			})
		}
		all.Wait()
		look()
		found := make(map[int64]bool)
		for _, id := range ids {
			u, err := s.User(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			found[u.Person()] = true
		}
		if len(found) != 1 {
			t.Errorf("people at the end: %v", found)
		}
	})
}

// TestS757_DjangoLetsNobodyInAsSomebodyElse: the account of an identity that is linked is
// off in Django, and nothing that the pool says turns it on; here its person signs in.
func TestS757_DjangoLetsNobodyInAsSomebodyElse(t *testing.T) {
	eachDjango(t, func(t *testing.T, s *Store) {
		db := s.db
		active := func(id int64) (is bool) {
			t.Helper()
			if err := db.QueryRowContext(t.Context(), fmt.Sprintf("SELECT is_active FROM auth_user WHERE id = %d", id)).Scan(&is); err != nil {
				t.Fatal(err)
			}
			return is
		}
		a, b := rowOf(t, s, 1), rowOf(t, s, 2)
		if _, err := s.Merge(t.Context(), a, b, "me"); err != nil {
			t.Fatal(err)
		}
		if active(a) || !active(b) {
			t.Errorf("active: %t and %t", active(a), active(b))
		}
		off, on := false, true
		state := func(n, second int, enabled *bool) replica.Change {
			t.Helper()
			p := person(n, second, "a")
			p.Enabled, p.SignIn = enabled, enabled == &on
			return apply(t, s, p)
		}
		if c := state(1, 1, &on); !c.User.Enabled || c.User.Person() != b || active(a) {
			t.Errorf("a sign-in: %+v, active %t", c.User, active(a))
		}
		if c := state(1, 2, &off); c.User.Enabled || active(a) || !active(b) {
			t.Errorf("disabled: %+v", c.User)
		}
		if c := state(1, 3, &on); !c.User.Enabled || active(a) {
			t.Errorf("enabled: %+v, active %t", c.User, active(a))
		}
		state(1, 4, &off)
		if _, err := db.ExecContext(t.Context(), fmt.Sprintf("UPDATE auth_user SET is_active = FALSE WHERE id = %d", b)); err != nil {
			t.Fatal(err)
		}
		enabled := person(1, 5, "a")
		enabled.Enabled = &on
		if c := apply(t, s, enabled); c.User.Enabled || active(a) {
			t.Errorf("enabled by the pool, while the application has the person off: %+v, active %t", c.User, active(a))
		}
		if u, err := s.User(t.Context(), a); err != nil || u.Enabled {
			t.Errorf("the application has turned the person off: %+v, %v", u, err)
		}
		if _, err := s.Unlink(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		if u, err := s.User(t.Context(), a); err != nil || !u.Enabled || !active(a) || u.Person() != a {
			t.Errorf("unlinked: %+v, %v, active %t", u, err, active(a))
		}
		// Turned off by the application: nobody links it, and a merge does not turn it on.
		if _, err := db.ExecContext(t.Context(), fmt.Sprintf("UPDATE auth_user SET is_active = CASE WHEN id = %d THEN FALSE ELSE TRUE END", a)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Link(t.Context(), a, b, "me"); !errors.Is(err, replica.ErrConflict) {
			t.Errorf("link of an account that is off: %v", err)
		}
		if _, err := s.Merge(t.Context(), a, b, "me"); err != nil {
			t.Fatal(err)
		}
		signIn := person(1, 6, "b")
		signIn.SignIn = true
		if c := apply(t, s, signIn); c.User.Enabled || mustUser(t, s, a).Enabled || !mustUser(t, s, b).Enabled || mustUser(t, s, a).InGroup("b") {
			t.Errorf("merged, and turned off before: %+v", mustUser(t, s, a))
		}
		if _, err := s.Unlink(t.Context(), a); err != nil || active(a) {
			t.Errorf("unlinked, and turned off before: %v, active %t", err, active(a))
		}
		if _, err := db.ExecContext(t.Context(), fmt.Sprintf("UPDATE auth_user SET is_active = TRUE WHERE id = %d", a)); err != nil {
			t.Fatal(err)
		}
		// Turned off by the pool while it was linked: off, until the pool turns it on.
		if _, err := s.Merge(t.Context(), a, b, "me"); err != nil {
			t.Fatal(err)
		}
		state(1, 6, &off)
		if _, err := s.Unlink(t.Context(), a); err != nil || active(a) {
			t.Errorf("unlinked while the pool has them disabled: %v, active %t", err, active(a))
		}
		if c := state(1, 7, &on); !c.User.Enabled || !active(a) {
			t.Errorf("enabled again: %+v, active %t", c.User, active(a))
		}
	})
}

// TestMergeManyDuplicates: ten thousand take minutes (CODEGRANT_TEST_DUPLICATES, a hundred
// by default).
func TestMergeManyDuplicates(t *testing.T) {
	many := 100
	if text := os.Getenv("CODEGRANT_TEST_DUPLICATES"); text != "" {
		var err error
		if many, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	eachEngine(t, func(t *testing.T, e testEngine) {
		s, _ := e.store(t, Config{Outbox: &Outbox{}})
		var batch []replica.Snapshot
		for n := range 2 * many {
			p := person(n, 0, "a")
			p.Email = fmt.Sprintf("user-%d@example.com", n/2)
			batch = append(batch, p)
		}
		for some := range slices.Chunk(batch, 1000) {
			if _, err := s.ApplyBatch(t.Context(), some); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		found, err := s.Duplicates(t.Context(), testIssuer)
		if err != nil || len(found) != many {
			t.Fatalf("%d duplicates, %v", len(found), err)
		}
		looked := time.Since(began)
		for _, d := range found {
			if _, err := s.Merge(t.Context(), d.People[1].ID, d.People[0].ID, "me"); err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("%d duplicates found in %s and merged in %s", many, looked.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
		if found, err := s.Duplicates(t.Context()); err != nil || len(found) != 0 {
			t.Errorf("%d duplicates at the end, %v", len(found), err)
		}
	})
}

// TestLinks: links have a time and an author, and those of before are left out.
func TestLinks(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		now := stated
		s, _ := e.store(t, Config{Now: func() time.Time { return now }})
		var ids []int64
		for n := range 4 {
			ids = append(ids, apply(t, s, person(n, 0, "a")).User.ID)
		}
		for _, id := range ids[1:] {
			now = now.Add(time.Minute)
			if _, err := s.Merge(t.Context(), id, ids[0], fmt.Sprint("me, ", id)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Unlink(t.Context(), ids[3]); err != nil {
			t.Fatal(err)
		}
		for since, want := range map[time.Duration][]int64{0: ids[1:3], time.Minute: ids[1:3], time.Minute + time.Second: ids[2:3], time.Hour: nil} {
			all, err := s.Links(t.Context(), stated.Add(since))
			if err != nil || len(all) != len(want) {
				t.Fatalf("since %s: %+v, %v", since, all, err)
			}
			for i, l := range all {
				if l.Identity.ID != want[i] || l.Identity.LinkedTo != ids[0] || l.Identity.Subject == "" || l.By != fmt.Sprint("me, ", want[i]) ||
					!l.At.Equal(stated.Add(time.Duration(want[i]-ids[0])*time.Minute)) {
					t.Errorf("since %s: %+v", since, l)
				}
			}
		}
	})
}
