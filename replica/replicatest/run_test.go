package replicatest_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/replicatest"
	"github.com/codegrant/codegrant/replica/sqlreplica"
)

// broken are stores with one fault each, and a case of the suite that must see it.
var broken = map[string]struct {
	caughtBy string
	breaks   func(*faultyStore)
}{
	"takes subjects in any case": {"equality/subjects", func(s *faultyStore) {
		s.apply = func(snapshot *replica.Snapshot) { snapshot.Subject = strings.ToLower(snapshot.Subject) }
	}},
	"trims names of groups": {"equality/groups", func(s *faultyStore) {
		s.apply = func(snapshot *replica.Snapshot) {
			for i := range snapshot.Groups {
				snapshot.Groups[i].Name = strings.TrimSpace(snapshot.Groups[i].Name)
			}
		}
	}},
	"lets older statements win": {"order/older_never_overwrites_newer", func(s *faultyStore) {
		late := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		s.apply = func(snapshot *replica.Snapshot) {
			late = late.Add(time.Second)
			snapshot.At = late
		}
	}},
	"forgets what was said again": {"order/older_never_overwrites_what_was_said_again_since", func(s *faultyStore) {
		first := make(map[string]time.Time) // by what was said
		s.apply = func(snapshot *replica.Snapshot) {
			said := *snapshot
			said.At = time.Time{}
			text, _ := json.Marshal(said)
			if at, ok := first[string(text)]; ok {
				snapshot.At = at
			}
			first[string(text)] = snapshot.At
		}
	}},
	"cuts what is too long": {"apply/everything_at_its_limit", func(s *faultyStore) {
		s.apply = func(snapshot *replica.Snapshot) { snapshot.Name = snapshot.Name[:min(len(snapshot.Name), 1000)] }
	}},
	"drops the time zone": {"apply/times_name_instants", func(s *faultyStore) {
		s.apply = func(snapshot *replica.Snapshot) {
			y, m, d := snapshot.At.Date()
			snapshot.At = time.Date(y, m, d, snapshot.At.Hour(), snapshot.At.Minute(), snapshot.At.Second(), snapshot.At.Nanosecond(), time.UTC)
		}
	}},
	"writes what is unchanged": {"apply/unchanged_writes_nothing", func(s *faultyStore) {
		s.apply = func(snapshot *replica.Snapshot) { snapshot.SignIn = true }
	}},
	"forgets who is disabled": {"apply/a_disabled_user_stays_disabled", func(s *faultyStore) {
		s.apply = func(snapshot *replica.Snapshot) { snapshot.Enabled = nil }
	}},
	"adds groups only": {"groups/mirror_adds_and_removes", func(s *faultyStore) { s.options.Policy = replica.AddOnly }},
	"swallows errors of the hook": {"hook/an_error_undoes_the_change", func(s *faultyStore) {
		if inner := s.options.OnChange; inner != nil {
			s.options.OnChange = func(ctx context.Context, c replica.Change) error { _ = inner(ctx, c); return nil }
		}
	}},
	"treats a search as a pattern": {"list/search_takes_every_character", func(s *faultyStore) {
		s.users = func(q *replica.UserQuery) { q.Search = strings.TrimRight(q.Search, "%_") }
	}},
	"forgets the cursor": {"list/pages", func(s *faultyStore) {
		s.users = func(q *replica.UserQuery) { q.After = "" }
	}},
	"applies a batch in any order": {"batch/the_same_as_one_by_one", func(s *faultyStore) {
		s.batch = func(snapshots []replica.Snapshot) { slices.Reverse(snapshots) }
	}},
	"forgets whom a pass saw": {"sweep/sees_whom_a_pass_saw_in_any_way", func(s *faultyStore) {
		s.batch = func(snapshots []replica.Snapshot) {
			for i := range snapshots {
				snapshots[i].Pass = ""
			}
		}
	}},
	"writes whoever a pass saw": {"batch/unchanged_writes_nothing", func(s *faultyStore) {
		s.batch = func(snapshots []replica.Snapshot) {
			for i := range snapshots {
				snapshots[i].SignIn = true
			}
		}
	}},
	"applies half of a batch": {"batch/changes_are_whole", func(s *faultyStore) {
		s.batch = func(snapshots []replica.Snapshot) {
			for i := range snapshots[len(snapshots)/2:] {
				snapshots[i] = snapshots[0]
			}
		}
	}},
	"sweeps whatever the share": {"sweep/refuses_beyond_a_share", func(s *faultyStore) {
		s.sweep = func(o *replica.SweepOptions) { o.MaxShare = 1 }
	}},
	"sweeps who was stated since": {"sweep/spares_people_who_were_stated_since", func(s *faultyStore) {
		s.sweep = func(o *replica.SweepOptions) { o.Began = o.Began.Add(time.Hour) }
	}},
	"sweeps nobody": {"sweep/marks_whom_the_pass_did_not_see", func(s *faultyStore) {
		s.sweep = func(o *replica.SweepOptions) { o.Began = o.Began.Add(-24 * time.Hour) }
	}},
	"takes a lost context for nobody": {"context/ended_before", func(s *faultyStore) { s.notFoundWhenDone = true }},
}

// faultyStore is a store that keeps the contract, behind the fault.
type faultyStore struct {
	replica.BatchStore
	options          replicatest.Options
	apply            func(*replica.Snapshot)
	batch            func([]replica.Snapshot)
	sweep            func(*replica.SweepOptions)
	users            func(*replica.UserQuery)
	notFoundWhenDone bool
}

func (s *faultyStore) Apply(ctx context.Context, snapshot replica.Snapshot) (replica.Change, error) {
	if s.apply != nil {
		snapshot.Groups = append([]replica.GroupRef(nil), snapshot.Groups...)
		s.apply(&snapshot)
	}
	return s.BatchStore.Apply(ctx, snapshot)
}

func (s *faultyStore) ApplyBatch(ctx context.Context, snapshots []replica.Snapshot) ([]replica.Change, error) {
	if s.batch != nil {
		snapshots = slices.Clone(snapshots)
		s.batch(snapshots)
	}
	return s.BatchStore.ApplyBatch(ctx, snapshots)
}

func (s *faultyStore) Sweep(ctx context.Context, issuer, pass string, o replica.SweepOptions) (replica.SweepResult, error) {
	if s.sweep != nil {
		s.sweep(&o)
	}
	return s.BatchStore.Sweep(ctx, issuer, pass, o)
}

func (s *faultyStore) Users(ctx context.Context, q replica.UserQuery) (replica.UserPage, error) {
	if s.users != nil {
		s.users(&q)
	}
	return s.BatchStore.Users(ctx, q)
}

func (s *faultyStore) User(ctx context.Context, id int64) (replica.User, error) {
	if s.notFoundWhenDone && ctx.Err() != nil {
		return replica.User{}, replica.ErrNotFound
	}
	return s.BatchStore.User(ctx, id)
}

// TestFaultyStore is what TestSuiteSeesFaults runs in another process.
func TestFaultyStore(t *testing.T) {
	fault, ok := broken[os.Getenv("CODEGRANT_TEST_FAULT")]
	if !ok {
		return
	}
	replicatest.Run(t, replicatest.Harness{New: func(t *testing.T, o replicatest.Options) replica.Store {
		s := &faultyStore{options: o}
		fault.breaks(s)
		db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "r.db")+"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=synchronous(off)")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		config := sqlreplica.Config{Dialect: sqlreplica.SQLite, Policy: s.options.Policy, Now: o.Now}
		if hook := s.options.OnChange; hook != nil {
			config.OnChange = func(ctx context.Context, _ *sql.Tx, c replica.Change) error { return hook(ctx, c) }
		}
		inner, err := sqlreplica.New(db, config)
		if err != nil {
			t.Fatal(err)
		}
		if err := inner.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.BatchStore = inner
		return s
	}})
}

// TestSuiteSeesFaults: a suite that passes everything proves nothing.
func TestSuiteSeesFaults(t *testing.T) {
	for name, fault := range broken {
		t.Run(name, func(t *testing.T) {
			process := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestFaultyStore$/"+fault.caughtBy, "-test.v")
			process.Env = append(os.Environ(), "CODEGRANT_TEST_FAULT="+name)
			output, err := process.CombinedOutput()
			if err == nil || !strings.Contains(string(output), "why this matters:") {
				t.Errorf("the suite passes a store that %s: %v\n%s", name, err, output)
			}
		})
	}
}
