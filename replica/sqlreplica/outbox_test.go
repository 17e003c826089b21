package sqlreplica

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/codegrant/codegrant/replica"
)

// eachOutbox runs a test on a store with an outbox, on every engine, in tables of its
// own and in Django's.
func eachOutbox(t *testing.T, config Config, f func(t *testing.T, e testEngine, s *Store, spy *spy)) {
	config.Outbox = &Outbox{}
	eachEngine(t, func(t *testing.T, e testEngine) {
		s, spy := e.store(t, config)
		f(t, e, s, spy)
	})
	t.Run("Django", func(t *testing.T) {
		eachEngine(t, func(t *testing.T, e testEngine) {
			s, spy := djangoStore(t, e, config)
			f(t, e, s, spy)
		})
	})
}

// takeAll empties the outbox, n entries at a time.
func takeAll(t *testing.T, s *Store, n int) []Entry {
	t.Helper()
	var all []Entry
	for {
		got, err := s.Outbox(t.Context(), n, func(_ context.Context, _ *sql.Tx, entries []Entry) error {
			all = append(all, entries...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got == 0 {
			return all
		}
	}
}

func inOutbox(t *testing.T, s *Store) int {
	t.Helper()
	size, err := s.OutboxSize(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return int(size.Entries)
}

// TestOutboxHoldsEveryChange: whatever changes a person leaves one entry, which says
// what OnChange is told, and what changes nothing leaves none.
func TestOutboxHoldsEveryChange(t *testing.T) {
	now := time.Date(2026, 3, 1, 13, 0, 0, 123456000, time.UTC)
	var told []replica.Record
	config := Config{Now: func() time.Time { return now }, OnChange: func(_ context.Context, _ *sql.Tx, c replica.Change) error {
		told = append(told, replica.NewRecord(c))
		return nil
	}}
	eachOutbox(t, config, func(t *testing.T, e testEngine, s *Store, _ *spy) {
		told = nil
		id := apply(t, s, person(1, 0, "a", "b")).User.ID
		rich := person(2, 0, "a")
		rich.Custom, rich.Name = map[string]string{"custom:team": "red \"<&>\" \U0001F600"}, `O'Neil \ "x"`
		no := false
		for _, step := range []func() error{
			func() error { _, err := s.Apply(t.Context(), person(1, 0, "a", "b")); return err },  // the same
			func() error { _, err := s.Apply(t.Context(), person(1, 10, "a", "b")); return err }, // the same, later
			func() error { _, err := s.Apply(t.Context(), person(1, 5, "x")); return err },       // too late
			func() error { _, err := s.Apply(t.Context(), person(1, 20, "b", "c")); return err },
			func() error {
				p := person(1, 30, "b", "c")
				p.SignIn, p.Enabled = true, &no
				_, err := s.Apply(t.Context(), p)
				return err
			},
			func() error { _, err := s.GrantLocalGroup(t.Context(), id, "local"); return err },
			func() error { _, err := s.GrantLocalGroup(t.Context(), id, "local"); return err },
			func() error { _, err := s.RevokeLocalGroup(t.Context(), id, "local"); return err },
			func() error {
				batch := []replica.Snapshot{person(1, 40, "c"), rich, person(3, 0), person(3, 0), person(3, 1, "late")}
				for i := range batch {
					batch[i].Pass = "pass-1"
				}
				_, err := s.ApplyBatch(t.Context(), batch)
				return err
			},
			func() error {
				_, err := s.Sweep(t.Context(), testIssuer, "pass-2", replica.SweepOptions{Began: stated.Add(time.Hour), MaxShare: 1})
				return err
			},
			func() error { _, err := s.Apply(t.Context(), person(1, 7200)); return err },
		} {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
		if size, err := s.OutboxSize(t.Context()); err != nil || int(size.Entries) != len(told) || !size.Oldest.Equal(now) {
			t.Errorf("OutboxSize = %+v, %v, want %d", size, err, len(told))
		}
		entries := takeAll(t, s, 1000)
		var got []replica.Record
		for i, entry := range entries {
			if !entry.At.Equal(now) || i > 0 && entry.ID <= entries[i-1].ID {
				t.Errorf("entry %d is of %v", entry.ID, entry.At)
			}
			got = append(got, entry.Record)
		}
		if len(got) != 13 || !sameRecords(got, told) {
			t.Errorf("the outbox held %d:\n%s\nOnChange was told\n%s", len(got), records(got), records(told))
		}
		if size, err := s.OutboxSize(t.Context()); err != nil || size != (OutboxSize{}) {
			t.Errorf("OutboxSize of nothing = %+v, %v", size, err)
		}
	})
}

// sameRecords compares what two lists say, of each person in order. A batch may write
// one person before another.
func sameRecords(a, b []replica.Record) bool {
	of := func(all []replica.Record) map[string][]replica.Record {
		people := make(map[string][]replica.Record)
		for _, r := range all {
			people[r.User.Subject] = append(people[r.User.Subject], r)
		}
		return people
	}
	return reflect.DeepEqual(of(a), of(b))
}

func records(all []replica.Record) string {
	var lines []string
	for _, r := range all {
		line, _ := json.Marshal(r)
		lines = append(lines, string(line))
	}
	return strings.Join(lines, "\n")
}

// TestOutboxCosts holds what the outbox costs, in statements: none where it is off or
// nothing has changed, and one for a whole transaction.
func TestOutboxCosts(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		off, offSpy := e.store(t, Config{})
		on, onSpy := e.store(t, Config{Outbox: &Outbox{}})
		cost := func(s *Store, spy *spy, f func(s *Store)) (operations []string) {
			spy.reset()
			f(s)
			for _, p := range spy.journal {
				operations = append(operations, p.operation)
			}
			return operations
		}
		many := func(seconds int) (all []replica.Snapshot) {
			for i := range 300 {
				all = append(all, person(10+i, seconds, fmt.Sprint("g", seconds)))
			}
			return all
		}
		for _, test := range []struct {
			name  string
			extra int
			f     func(s *Store)
		}{
			{"new", 1, func(s *Store) { apply(t, s, person(1, 0, "a")) }},
			{"unchanged", 0, func(s *Store) { apply(t, s, person(1, 0, "a")) }},
			{"said later", 0, func(s *Store) { apply(t, s, person(1, 1, "a")) }},
			{"changed", 1, func(s *Store) { apply(t, s, person(1, 2, "b")) }},
			{"batch", 1, func(s *Store) { _, _ = s.ApplyBatch(t.Context(), many(0)) }},
			{"batch, unchanged", 0, func(s *Store) { _, _ = s.ApplyBatch(t.Context(), many(0)) }},
			{"batch, changed", 1, func(s *Store) { _, _ = s.ApplyBatch(t.Context(), many(1)) }},
		} {
			without, with := cost(off, offSpy, test.f), cost(on, onSpy, test.f)
			if len(with) != len(without)+test.extra {
				t.Errorf("%s: with an outbox %q, without %q; want %d more", test.name, with, without, test.extra)
			}
		}
		for _, p := range offSpy.journal {
			if strings.Contains(p.query, "codegrant_outbox") {
				t.Errorf("a store without an outbox runs %s", p.query)
			}
		}
		onSpy.reset()
		if n := len(takeAll(t, on, 1000)); n != 602 {
			t.Errorf("%d entries, want 602", n)
		}
		onSpy.reset()
		takeAll(t, on, 1000)
		if onSpy.reads != 1 || onSpy.writes != 0 {
			t.Errorf("to look into an outbox that is empty took %d reads and %d writes, want one read", onSpy.reads, onSpy.writes)
		}
	})
}

// TestOutboxRollsBack: an application that refuses a change has refused its entry.
func TestOutboxRollsBack(t *testing.T) {
	refuse := errors.New("refused")
	config := Config{OnChange: func(ctx context.Context, tx *sql.Tx, c replica.Change) error {
		var n int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM codegrant_outbox").Scan(&n); err != nil || n == 0 {
			return fmt.Errorf("the transaction shows %d entries, %w", n, err)
		}
		if c.User.InGroup("refused") {
			return refuse
		}
		return nil
	}}
	eachOutbox(t, config, func(t *testing.T, e testEngine, s *Store, spy *spy) {
		apply(t, s, person(1, 0, "a"))
		if _, err := s.Apply(t.Context(), person(1, 1, "refused")); !errors.Is(err, refuse) {
			t.Errorf("Apply = %v", err)
		}
		if _, err := s.ApplyBatch(t.Context(), []replica.Snapshot{person(2, 1, "a"), person(3, 1, "refused")}); !errors.Is(err, refuse) {
			t.Errorf("ApplyBatch = %v", err)
		}
		fatal := errors.New("killed")
		spy.stopping(func(operation, query string) error {
			if operation == "exec" && strings.Contains(query, "INTO codegrant_outbox") {
				return fatal
			}
			return nil
		})
		if _, err := s.Apply(t.Context(), person(4, 1, "a")); !errors.Is(err, fatal) || !errors.Is(err, replica.ErrUnavailable) {
			t.Errorf("Apply without an entry = %v", err)
		}
		spy.stopping(nil)
		if _, err := s.UserBySubject(t.Context(), testIssuer, "subject-4"); !errors.Is(err, replica.ErrNotFound) {
			t.Errorf("a person without an entry: %v", err)
		}
		var got []string
		for _, entry := range takeAll(t, s, 1000) {
			got = append(got, entry.Record.User.Subject)
		}
		if want := []string{"subject-1", "subject-2"}; !slices.Equal(got, want) {
			t.Errorf("the outbox held %q, want %q", got, want)
		}
	})
}

// TestOutboxTakenOrKept: what the function has written is there with the removal, and
// is not without it, and neither is the removal.
func TestOutboxTakenOrKept(t *testing.T) {
	eachOutbox(t, Config{}, func(t *testing.T, e testEngine, s *Store, spy *spy) {
		if _, err := s.db.ExecContext(t.Context(), "CREATE TABLE mine (id BIGINT PRIMARY KEY, subject VARCHAR(255) NOT NULL)"); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			apply(t, s, person(i, 0))
		}
		fault := errors.New("not today")
		keep := func(fault error) func(context.Context, *sql.Tx, []Entry) error {
			return func(ctx context.Context, tx *sql.Tx, entries []Entry) error {
				for _, entry := range entries {
					if err := s.engine.sql("INSERT INTO mine (id, subject) VALUES (").bind(entry.ID, entry.Record.User.Subject).sql(")").exec(ctx, tx); err != nil {
						return err
					}
				}
				return fault
			}
		}
		if n, err := s.Outbox(t.Context(), 2, keep(fault)); n != 0 || !errors.Is(err, fault) || errors.Is(err, replica.ErrUnavailable) {
			t.Errorf("Outbox = %d, %v, want the function's error", n, err)
		}
		spy.stopping(func(operation, _ string) error {
			if operation == "commit" {
				return fault
			}
			return nil
		})
		if n, err := s.Outbox(t.Context(), 2, keep(nil)); n != 0 || !errors.Is(err, fault) || !errors.Is(err, replica.ErrUnavailable) {
			t.Errorf("Outbox without a commit = %d, %v", n, err)
		}
		spy.stopping(nil)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			_, _ = s.Outbox(t.Context(), 2, func(context.Context, *sql.Tx, []Entry) error { panic("a mistake") })
		}()
		for _, want := range []int{2, 1, 0} {
			if n, err := s.Outbox(t.Context(), 2, keep(nil)); n != want || err != nil {
				t.Errorf("Outbox = %d, %v, want %d", n, err, want)
			}
		}
		if got := contentsOf(t, s, []string{"SELECT subject FROM mine ORDER BY id"}); strings.Count(got, "subject-") != 3 {
			t.Errorf("the application has kept\n%s", got)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(fault)
		if _, err := s.Outbox(ctx, 1, keep(nil)); !errors.Is(err, replica.ErrUnavailable) || !errors.Is(err, fault) {
			t.Errorf("Outbox in a context that ended = %v", err)
		}
	})
}

// TestTablesOfAnEarlierVersion: programs say what is missing, whether or not they write to
// an outbox.
func TestTablesOfAnEarlierVersion(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		db, _ := e.open(t)
		for _, outbox := range []*Outbox{nil, {}} {
			s, err := New(db, Config{Dialect: e.dialect, Outbox: outbox})
			if err != nil {
				t.Fatal(err)
			}
			provider, err := s.steps().Provider(s.db, s.engine.dialect)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := provider.UpTo(t.Context(), 2); err != nil {
				t.Fatal(err)
			}
			for name, call := range map[string]func() error{
				"Check":      func() error { return s.Check(t.Context()) },
				"Apply":      func() error { _, err := s.Apply(t.Context(), person(1, 1, "b")); return err },
				"Merge":      func() error { _, err := s.Merge(t.Context(), 1, 2, "somebody"); return err },
				"OutboxSize": func() error { _, err := s.OutboxSize(t.Context()); return err },
				"Outbox": func() error {
					_, err := s.Outbox(t.Context(), 1, func(context.Context, *sql.Tx, []Entry) error { return nil })
					return err
				},
			} {
				err := call()
				if !errors.Is(err, ErrNotMigrated) || !errors.Is(err, replica.ErrUnavailable) || !strings.Contains(err.Error(), "call Store.Migrate first") {
					t.Errorf("%s = %v, want ErrNotMigrated that says what to do", name, err)
				}
			}
		}
		s, err := New(db, Config{Dialect: e.dialect, Outbox: &Outbox{}})
		if err == nil {
			err = s.Migrate(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		apply(t, s, person(1, 1, "b"))
		if n := inOutbox(t, s); n != 1 {
			t.Errorf("%d entries, want 1", n)
		}
	})
}

// TestOutboxNotifies: who listens hears of a change when it is committed, and of
// nothing else.
func TestOutboxNotifies(t *testing.T) {
	e := testEngines[1]
	dsn := e.create(t)
	db := (&spy{}).open(t, e.driver, dsn)
	store := func(config Config) *Store {
		config.Dialect = e.dialect
		s, err := New(db, config)
		if err == nil {
			err = s.Migrate(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	refuse := errors.New("refused")
	s := store(Config{Outbox: &Outbox{}, OnChange: func(_ context.Context, _ *sql.Tx, c replica.Change) error {
		if c.User.InGroup("refused") {
			return refuse
		}
		return nil
	}})
	elsewhere, silent := store(Config{Outbox: &Outbox{Channel: "Else where"}}), store(Config{Outbox: &Outbox{Silent: true}})

	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), `LISTEN codegrant_changes; LISTEN "Else where"`); err != nil {
		t.Fatal(err)
	}
	hear := func() (channel string, heard struct {
		ID              int64
		Issuer, Subject string
	}) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		n, err := conn.WaitForNotification(ctx)
		if err == nil {
			err = json.Unmarshal([]byte(n.Payload), &heard)
		}
		if err != nil {
			t.Fatal(err)
		}
		return n.Channel, heard
	}
	if _, err := s.Apply(t.Context(), person(9, 0, "refused")); !errors.Is(err, refuse) {
		t.Fatal(err)
	}
	apply(t, silent, person(8, 0))
	apply(t, s, person(1, 0, "a"))
	apply(t, s, person(1, 1, "a"))
	apply(t, elsewhere, person(1, 2, "b"))
	longest := person(7, 0)
	longest.Issuer, longest.Subject = strings.Repeat(`"`, replica.MaxKeyBytes), strings.Repeat(`\`, replica.MaxKeyBytes)
	if _, err := s.ApplyBatch(t.Context(), []replica.Snapshot{person(2, 0), person(3, 0), longest}); err != nil {
		t.Fatal(err)
	}
	entries := takeAll(t, s, 1000)[1:] // but for the silent one
	for i, entry := range entries {
		channel, heard := hear()
		u := entry.Record.User
		if heard.ID != entry.ID || heard.Issuer != u.Issuer || heard.Subject != u.Subject || (channel == "Else where") != (i == 1) {
			t.Errorf("heard %+v on %s of entry %d, %s", heard, channel, entry.ID, u.Subject)
		}
	}
	if len(entries) != 5 {
		t.Errorf("%d entries, want 5", len(entries))
	}
}

func TestOutboxChannelTooLong(t *testing.T) {
	_, err := New(&sql.DB{}, Config{Dialect: PostgreSQL, Outbox: &Outbox{Channel: strings.Repeat("x", 64)}})
	if err == nil || !strings.Contains(err.Error(), "Outbox: the channel has 64 bytes") {
		t.Errorf("New = %v", err)
	}
}

// TestOutboxWorkers has several workers take from an outbox while it is written to,
// some of whom fail now and then. Each change is taken once, and those of one person
// are in order and never with two at a time.
func TestOutboxWorkers(t *testing.T) {
	const people, changes, workers = 12, 15, 4
	eachEngine(t, func(t *testing.T, e testEngine) {
		s, _ := e.store(t, Config{Outbox: &Outbox{}})
		if _, err := s.db.ExecContext(t.Context(), "CREATE TABLE seen (subject VARCHAR(255) PRIMARY KEY, name VARCHAR(255) NOT NULL, n INTEGER NOT NULL)"); err != nil {
			t.Fatal(err)
		}
		for p := range people {
			if err := s.engine.sql("INSERT INTO seen VALUES (").bind(person(p, 0).Subject, "", 0).sql(")").exec(t.Context(), s.db); err != nil {
				t.Fatal(err)
			}
		}
		written := make(chan struct{})
		var wg, writers sync.WaitGroup
		for w := range 3 {
			writers.Go(func() {
				for i := range changes {
					for p := w; p < people; p += 3 {
						said := person(p, i)
						said.Name = fmt.Sprintf("Name %03d", i)
						if _, err := s.Apply(t.Context(), said); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		go func() { writers.Wait(); close(written) }()
		var busy sync.Map // by subject
		fault := errors.New("now and then")
		for w := range workers {
			wg.Go(func() {
				for round := 0; ; round++ {
					done := false
					select {
					case <-written:
						done = true
					default:
					}
					n, err := s.Outbox(t.Context(), 1+(w*7+round)%9, func(ctx context.Context, tx *sql.Tx, entries []Entry) error {
						mine := make(map[string]bool)
						for _, entry := range entries {
							u := entry.Record.User
							if _, taken := busy.LoadOrStore(u.Subject, true); taken && !mine[u.Subject] {
								t.Errorf("%s is with two workers at a time", u.Subject)
							}
							mine[u.Subject] = true
						}
						defer func() {
							for subject := range mine {
								busy.Delete(subject)
							}
						}()
						for _, entry := range entries {
							u := entry.Record.User
							seen := s.engine.sql("UPDATE seen SET n = n + 1, name = ").bind(u.Name).sql(" WHERE subject = ").bind(u.Subject).sql(" AND name < ").bind(u.Name)
							result, err := tx.ExecContext(ctx, seen.text.String(), seen.args...)
							if err != nil {
								return err
							}
							if rows, err := result.RowsAffected(); err != nil || rows != 1 {
								t.Errorf("%s, %s, comes twice, or after one that was later: %v", u.Subject, u.Name, err)
							}
						}
						if round%5 == w {
							return fault
						}
						return nil
					})
					if err != nil && !errors.Is(err, fault) {
						t.Errorf("worker %d: %v", w, err)
						return
					}
					if n == 0 && err == nil && done && inOutbox(t, s) == 0 {
						return
					}
				}
			})
		}
		wg.Wait()
		var n int
		if err := s.db.QueryRowContext(t.Context(), "SELECT sum(n) FROM seen").Scan(&n); err != nil || n != people*changes {
			t.Errorf("%d changes were taken, want %d; %v", n, people*changes, err)
		}
	})
}

// TestOutboxBusyPeople: while somebody is busy with the first change of a person, the
// others get those of other people, however many that person has, and nothing else.
func TestOutboxBusyPeople(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		if e.dialect == SQLite {
			return // everybody waits
		}
		s, _ := e.store(t, Config{Outbox: &Outbox{}})
		for i := range minWindow + 10 { // more than what is looked at first
			said := person(1, i)
			said.Name = fmt.Sprint("Name ", i)
			apply(t, s, said)
		}
		apply(t, s, person(2, 0))
		apply(t, s, person(3, 0))
		subjects := func(entries []Entry) (all []string) {
			for _, entry := range entries {
				all = append(all, entry.Record.User.Subject)
			}
			return all
		}
		n, err := s.Outbox(t.Context(), 1, func(_ context.Context, _ *sql.Tx, first []Entry) error {
			for _, want := range [][]string{{"subject-2", "subject-3"}, nil} {
				var got []string
				_, err := s.Outbox(t.Context(), 5, func(_ context.Context, _ *sql.Tx, others []Entry) error {
					got = subjects(others)
					return nil
				})
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("another worker got %q, %v, want %q", got, err, want)
				}
			}
			// Nobody who changes something waits for a worker.
			apply(t, s, person(4, 0))
			apply(t, s, person(1, 1000, "x"))
			return nil
		})
		if n != 1 || err != nil {
			t.Errorf("Outbox = %d, %v", n, err)
		}
		if n := len(takeAll(t, s, 1000)); n != minWindow+11 {
			t.Errorf("%d entries are left, want %d", n, minWindow+11)
		}

		// A table of a few rows is one that engines like to read whole, and what is
		// read on the way must not be waited for.
		for i := range 4 {
			apply(t, s, person(10+i, 0))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_, err = s.Outbox(ctx, 1, func(ctx context.Context, _ *sql.Tx, _ []Entry) error {
			n, err := s.Outbox(ctx, 100, func(context.Context, *sql.Tx, []Entry) error { return nil })
			if n != 3 {
				t.Errorf("another worker took %d of few, want 3; %v", n, err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// TestOutboxIDsAreNotInOrderOfCommit shows why nobody may remember the last id that
// they have seen: a change can appear before it.
func TestOutboxIDsAreNotInOrderOfCommit(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		if e.dialect == SQLite {
			return // there is one writer at a time
		}
		hold, release := make(chan struct{}), make(chan struct{})
		s, _ := e.store(t, Config{Outbox: &Outbox{}, OnChange: func(_ context.Context, _ *sql.Tx, c replica.Change) error {
			if c.User.Subject == "subject-1" {
				close(hold)
				<-release
			}
			return nil
		}})
		var slow sync.WaitGroup
		slow.Go(func() {
			if _, err := s.Apply(t.Context(), person(1, 0)); err != nil {
				t.Error(err)
			}
		})
		<-hold
		apply(t, s, person(2, 0))
		before := takeAll(t, s, 10)
		close(release)
		slow.Wait()
		after := takeAll(t, s, 10)
		if len(before) != 1 || len(after) != 1 || after[0].ID >= before[0].ID || after[0].Record.User.Subject != "subject-1" {
			t.Errorf("first there was %+v, then %+v; want the smaller id second", before, after)
		}
	})
}
