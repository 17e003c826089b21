package sqlreplica

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// TestMain is also the process that the tests here kill.
func TestMain(m *testing.M) {
	if scene := os.Getenv("CODEGRANT_TEST_KILLED"); scene != "" {
		waitToBeKilled(scene)
	}
	status := m.Run()
	clearShelf()
	os.Exit(status)
}

// killable are what a process can be in the middle of, on a store that prepareKill
// has made. Each makes several changes.
var killable = map[string]func(context.Context, *Store) error{
	"apply": func(ctx context.Context, s *Store) error {
		_, err := s.Apply(ctx, person(2, 0, "a", "new"))
		return err
	},
	"batch": func(ctx context.Context, s *Store) error {
		_, err := s.ApplyBatch(ctx, passOfPools())
		return err
	},
	"sweep": func(ctx context.Context, s *Store) error {
		for pool := range 3 {
			_, err := s.Sweep(ctx, fmt.Sprint(testIssuer, pool), "pass", replica.SweepOptions{Began: stated.Add(time.Hour), MaxShare: 1})
			if err != nil {
				return err
			}
		}
		return nil
	},
	"links": linkEverything,
}

// passOfPools is a batch of three transactions: a pool has its own.
func passOfPools() []replica.Snapshot {
	var all []replica.Snapshot
	for pool := range 3 {
		for i := range 4 {
			p := person(i, 10, "a", fmt.Sprint("g", i))
			p.Issuer, p.Pass, p.Name = fmt.Sprint(testIssuer, pool), "seen", "Changed"
			all = append(all, p)
		}
	}
	return all
}

func prepareKill(t *testing.T, s *Store, scene string) {
	t.Helper()
	if scene == "links" {
		linkedPeople(t, s)
		return
	}
	apply(t, s, person(1, 0, "a"))
	for pool := range 3 {
		for i := range 2 {
			p := person(i, 0, "a", "b")
			p.Issuer = fmt.Sprint(testIssuer, pool)
			apply(t, s, p)
		}
	}
}

// waitToBeKilled is a process that stops at a change, which it is told the number
// of, in the middle of a transaction.
func waitToBeKilled(scene string) {
	parts := strings.SplitN(scene, " ", 4)
	engine, _ := strconv.Atoi(parts[0])
	last, _ := strconv.Atoi(parts[2])
	e := testEngines[engine]
	db, err := sql.Open(e.driver, parts[3])
	if err != nil {
		panic(err)
	}
	changes := 0
	s, err := New(db, Config{Dialect: e.dialect, Outbox: &Outbox{}, OnChange: func(context.Context, *sql.Tx, replica.Change) error {
		if changes++; changes == last {
			os.Stdout.WriteString("in the middle\n")
			select {} // the parent ends it
		}
		return nil
	}})
	if err != nil {
		panic(err)
	}
	if err := killable[parts[1]](context.Background(), s); err != nil {
		panic(err)
	}
	os.Exit(0)
}

// TestS162_Killed kills a process, without a chance to clean up, between its writes
// and its commit, at every change that it makes. Transactions are whole, the entries
// of the outbox included, nothing that it held keeps others waiting, and the same call again comes to the same end
// as one that nobody has killed.
func TestS162_Killed(t *testing.T) {
	for i, e := range testEngines {
		for name, call := range killable {
			t.Run(e.name+"/"+name, func(t *testing.T) {
				whole, _ := e.store(t, Config{Outbox: &Outbox{}})
				prepareKill(t, whole, name)
				if err := call(t.Context(), whole); err != nil {
					t.Fatal(err)
				}
				want := whatIsSaid(t, whole)
				moments := 0
				step := 2
				if name == "links" {
					step = 1
				}
				for last := 1; ; last += step {
					dsn := e.create(t)
					db := (&spy{}).open(t, e.driver, dsn)
					s, err := New(db, Config{Dialect: e.dialect, Outbox: &Outbox{}})
					if err != nil {
						t.Fatal(err)
					}
					if err := s.Migrate(t.Context()); err != nil {
						t.Fatal(err)
					}
					prepareKill(t, s, name)
					before := whatIsSaid(t, s)
					if !kill(t, fmt.Sprint(i, " ", name, " ", last, " ", dsn)) {
						break
					}
					moments++
					if after := whatIsSaid(t, s); last == 1 && after != before {
						t.Errorf("killed at the first change, it left\n%s\nof\n%s", after, before)
					}
					nobodyIsHalfLinked(t, s)
					if err := call(t.Context(), s); err != nil {
						t.Fatal(err)
					}
					if got := whatIsSaid(t, s); got != want {
						t.Errorf("killed at change %d and done again\n%s\nwant\n%s", last, got, want)
					}
				}
				if want := map[string]int{"apply": 1, "batch": 6, "sweep": 3, "links": 6}[name]; moments != want {
					t.Errorf("killed at %d moments, want %d", moments, want)
				}
			})
		}
	}
}

// kill runs a scene and kills it in the middle, or returns false where the scene
// ends by itself.
func kill(t *testing.T, scene string) bool {
	t.Helper()
	process := exec.CommandContext(t.Context(), os.Args[0])
	process.Env = append(os.Environ(), "CODEGRANT_TEST_KILLED="+scene)
	process.Stderr = t.Output()
	stdout, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(stdout).ReadString('\n')
	if line != "in the middle\n" {
		if err := process.Wait(); err != nil || line != "" {
			t.Fatalf("the process said %q and ended with %v", line, err)
		}
		return false
	}
	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = process.Wait()
	return true
}

// whatIsSaid writes out what is known, without IDs, which a transaction that came
// to nothing may have used up, and without the times of rows.
func whatIsSaid(t *testing.T, s *Store) string {
	t.Helper()
	return contentsOf(t, s, []string{
		"SELECT u.issuer, u.subject, u.name, u.email, u.enabled, u.as_of, u.groups_as_of, u.pass, CASE WHEN u.deleted_at IS NULL THEN 'there' ELSE 'deleted' END, p.subject, u.linked_by" +
			" FROM codegrant_users u LEFT JOIN codegrant_users p ON p.id = u.linked_to ORDER BY u.issuer, u.subject",
		"SELECT issuer, name, origin FROM codegrant_groups ORDER BY issuer, name",
		"SELECT u.issuer, u.subject, g.name, m.from_pool, m.from_local FROM codegrant_memberships m JOIN codegrant_users u ON u.id = m.user_id" +
			" JOIN codegrant_groups g ON g.id = m.group_id ORDER BY u.issuer, u.subject, g.name",
		"SELECT issuer, subject FROM codegrant_outbox ORDER BY issuer, subject, id",
		"SELECT erased_by, removed FROM codegrant_erasures ORDER BY removed",
		"SELECT u.issuer, u.subject, c.as_of, c.groups_as_of, c.pass FROM codegrant_confirmations c JOIN codegrant_users u ON u.id = c.user_id ORDER BY u.issuer, u.subject",
	})
}
