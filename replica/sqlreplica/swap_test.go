package sqlreplica

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/replica"
)

// postgres is PostgreSQL among testEngines.
var postgres = testEngines[1]

// TestApply_RoundTrips counts what goes to PostgreSQL for one snapshot: a read, and a
// statement that makes the change.
func TestApply_RoundTrips(t *testing.T) {
	signIn := func(p replica.Snapshot) replica.Snapshot {
		p.SignIn = true
		return p
	}
	for _, config := range []Config{{}, {Outbox: &Outbox{}}, {Outbox: &Outbox{Silent: true}}} {
		s, spy := postgres.store(t, config)
		apply(t, s, person(1, 0, "a", "b")) // their first member: the groups are new
		steps := []struct {
			name     string
			snapshot replica.Snapshot
			want     string
		}{
			{"new", person(2, 0), "query query"},
			{"new, in groups that are there", person(3, 0, "a", "b"), "query query query"},
			{"unchanged", person(3, 0, "a", "b"), "query"},
			{"unchanged, said later", person(3, 1, "a", "b"), "query query"},
			{"unchanged, said later again", person(3, 2, "a", "b"), "query query"},
			{"left one group", person(3, 3, "b"), "query query"},
			{"in another group", person(3, 4, "a", "b"), "query query query"},
			{"sign-in", signIn(person(3, 5, "a", "b")), "query query"},
		}
		for _, step := range steps {
			spy.reset()
			c := apply(t, s, step.snapshot)
			var got []string
			for _, p := range spy.journal {
				got = append(got, p.operation)
			}
			if got := strings.Join(got, " "); got != step.want {
				t.Errorf("%+v, %s: %s, want %s", config.Outbox, step.name, got, step.want)
			}
			if u, err := s.User(t.Context(), c.User.ID); err != nil || fmt.Sprintf("%+v", u) != fmt.Sprintf("%+v", c.User) {
				t.Errorf("%s: it is\n%+v, %v\nand was told to be\n%+v", step.name, u, err, c.User)
			}
		}
		if config.Outbox == nil {
			continue
		}
		told := 0
		_, err := s.Outbox(t.Context(), 100, func(_ context.Context, tx *sql.Tx, entries []Entry) error {
			told = len(entries)
			for _, e := range entries {
				var subject string
				err := s.engine.sql("SELECT subject FROM codegrant_users WHERE id = ").bind(e.Record.User.ID).scan(t.Context(), tx, &subject)
				if err != nil || subject != e.Record.User.Subject {
					t.Errorf("an entry about %s has the ID of %q, %v", e.Record.User.Subject, subject, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if told != 6 {
			t.Errorf("the outbox had %d entries, want 6", told)
		}
	}
}

// TestApply_SomebodyElseFirst has Apply wait for a row while somebody else writes
// what makes the snapshot an old one: that they are as they were, or are not, or are
// gone. It is as if they had come one after the other, whatever isolation the
// database gives to who asks for none.
func TestApply_SomebodyElseFirst(t *testing.T) {
	joined := func(context.Context, *sql.Tx, replica.Change) error { return nil }
	for _, isolation := range []string{"read committed", "repeatable read", "serializable"} {
		e := postgres
		e.name, e.create = isolation, postgresDSN(map[string]string{"default_transaction_isolation": isolation})
		t.Run(isolation, func(t *testing.T) { somebodyElseFirst(t, e, Config{}) })
		t.Run(isolation+", with OnChange", func(t *testing.T) { somebodyElseFirst(t, e, Config{OnChange: joined}) })
	}
}

func somebodyElseFirst(t *testing.T, e testEngine, config Config) {
	s, _ := e.store(t, config)
	for i, between := range []struct {
		name, statement string
		want            string // the name of the person at the end
	}{
		{"said again", "INSERT INTO codegrant_confirmations (user_id, as_of, groups_as_of, pass) SELECT id, as_of + interval '1 hour', NULL, 'p' FROM codegrant_users", "as before"},
		{"changed later", "UPDATE codegrant_users SET name = 'later', as_of = as_of + interval '1 hour', pass = 'p'", "later"},
		{"changed before", "UPDATE codegrant_users SET name = 'earlier', as_of = as_of + interval '1 second', pass = 'p'", "ours"},
		{"removed", "DELETE FROM codegrant_users", "ours"},
		{"nothing", "SELECT 1", "ours"},
	} {
		first := person(i, 0)
		first.Name = "as before"
		id := apply(t, s, first).User.ID
		tx, err := s.db.BeginTx(t.Context(), readCommitted)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		if err := s.engine.sql(s.engine.lock+"id = ").bind(id).sql(s.engine.lockEnd).exec(t.Context(), tx); err != nil {
			t.Fatal(err)
		}
		var holder int
		if err := tx.QueryRowContext(t.Context(), "SELECT pg_backend_pid()").Scan(&holder); err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() {
			ours := person(i, 60)
			ours.Name = "ours"
			_, err := s.Apply(t.Context(), ours)
			done <- err
		}()
		for waiting := false; !waiting; {
			const query = "SELECT count(*) > 0 FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))"
			if err := s.db.QueryRowContext(t.Context(), query, holder).Scan(&waiting); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-done:
				t.Fatalf("%s: Apply did not wait: %v", between.name, err)
			default:
			}
		}
		statement := between.statement
		if strings.Contains(statement, "codegrant_users") {
			statement += fmt.Sprintf(" WHERE id = %d", id)
		}
		if _, err := tx.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		u, err := s.UserBySubject(t.Context(), testIssuer, first.Subject)
		if err != nil || u.Name != between.want {
			t.Errorf("%s: at the end they are %q, %v, want %q", between.name, u.Name, err, between.want)
		}
	}
}

// TestApply_WithoutItsFunction has the tables, and not the function that was made with
// them.
func TestApply_WithoutItsFunction(t *testing.T) {
	s, _ := postgres.store(t, Config{})
	apply(t, s, person(1, 0))
	if _, err := s.db.ExecContext(t.Context(), "DROP FUNCTION codegrant_hold"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Apply(t.Context(), person(1, 1)); !errors.Is(err, ErrNotMigrated) {
		t.Errorf("Apply: %v, want ErrNotMigrated", err)
	}
}

// TestApply_RefusedAtItsEnd has the database refuse a change when it has said all that
// there is to say: a row comes back, and is not there. Whether the context ends
// meanwhile makes no difference.
func TestApply_RefusedAtItsEnd(t *testing.T) {
	for _, mode := range []string{"cache_statement", "simple_protocol"} {
		e := postgres
		e.name, e.create = mode, postgresDSN(map[string]string{"default_query_exec_mode": mode})
		s, _ := e.store(t, Config{})
		apply(t, s, person(1, 0, "a"))
		for _, statement := range []string{
			"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$",
			"CREATE CONSTRAINT TRIGGER refuse AFTER INSERT OR UPDATE ON codegrant_users DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()",
		} {
			if _, err := s.db.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 2 { // known, new
			if c, err := s.Apply(t.Context(), person(1+i, 1)); err == nil {
				t.Errorf("%s: told of %+v, which is not so", mode, c)
			}
		}
		for range 5 {
			ctx, cancel := context.WithCancel(t.Context())
			err := s.engine.sql("UPDATE codegrant_users SET name = 'x' RETURNING id").scan(ctx, s.db, ends(cancel))
			if err == nil {
				t.Fatalf("%s: a statement that was refused as the context ended had been executed", mode)
			}
		}
	}
}

// ends is where the first value of a statement goes when a context ends.
type ends context.CancelFunc

func (f ends) Scan(any) error {
	f()
	for range 2000 { // whoever waits for that gets to it
		runtime.Gosched()
	}
	return nil
}
