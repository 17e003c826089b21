package sqlreplica

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// everything is all that is in the tables, but for versions.
func everything(t *testing.T, s *Store) string {
	t.Helper()
	tables := []string{"codegrant_users", "codegrant_memberships", "codegrant_confirmations", "codegrant_outbox", "codegrant_history", "codegrant_erasures"}
	if s.tables.view() == &djangoView {
		tables = append(tables, "auth_user", "auth_user_groups", "codegrant_stated")
	}
	var b strings.Builder
	for _, table := range tables {
		rows, err := s.db.QueryContext(t.Context(), "SELECT * FROM "+table)
		if err != nil {
			t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			values := make([]sql.RawBytes, len(columns))
			into := make([]any, len(columns))
			for i := range values {
				into[i] = &values[i]
			}
			if err := rows.Scan(into...); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "%s:", table)
			for _, v := range values {
				fmt.Fprintf(&b, " %s", v)
			}
			b.WriteByte('\n')
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// beforeErasure has two identities of one person, with a past, and somebody else.
func beforeErasure(t *testing.T, s *Store) (person1, other int64) {
	t.Helper()
	person1 = apply(t, s, person(1, 0, "a")).User.ID
	second := apply(t, s, person(2, 0, "a", "b")).User.ID
	other = apply(t, s, person(3, 0, "a")).User.ID
	for n := range 3 {
		for p := range 3 {
			apply(t, s, person(p+1, n+1, "a", fmt.Sprint("g", n)))
		}
	}
	if _, err := s.Merge(t.Context(), second, person1, "me"); err != nil {
		t.Fatal(err)
	}
	return person1, other
}

// TestS767_EraseLeavesNothing: of whom is erased there is nothing in any table, the
// application is told in the transaction before the rows are gone, and everybody else is as
// before.
func TestS767_EraseLeavesNothing(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		var told []replica.Change
		s := e.remembered(t, Config{Outbox: &Outbox{}, OnChange: func(ctx context.Context, tx *sql.Tx, c replica.Change) error {
			if c.Erased == nil {
				return nil
			}
			told = append(told, c)
			_, err := tx.ExecContext(ctx, fmt.Sprintf("DELETE FROM orders WHERE owner = %d", c.Erased[0]))
			return err
		}})
		id, other := beforeErasure(t, s)
		key := "BIGINT NOT NULL"
		for _, statement := range []string{
			"CREATE TABLE orders (owner " + key + ", FOREIGN KEY (owner) REFERENCES codegrant_users (id))", fmt.Sprintf("INSERT INTO orders VALUES (%d)", id),
		} {
			if _, err := s.db.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		t.Cleanup(func() {
			if _, err := s.db.ExecContext(context.Background(), "DROP TABLE orders"); err != nil {
				t.Error(err)
			}
		})
		was, err := s.User(t.Context(), other)
		if err != nil {
			t.Fatal(err)
		}
		identities, err := s.Identities(t.Context(), id)
		if err != nil || len(identities) != 2 {
			t.Fatal(identities, err)
		}
		receipt, err := s.Erase(t.Context(), identities[1].ID, EraseOptions{By: "an operator", Removed: map[string]int64{"sessions": 2}, Within: func(_ context.Context, _ *sql.Tx, all []replica.User) (map[string]int64, error) {
			if len(all) != 2 {
				return nil, fmt.Errorf("%d identities", len(all))
			}
			return map[string]int64{"messages": 3}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		for what, least := range map[string]int64{"identities": 2, "sessions": 2, "messages": 3, "entries of the history": 6, "changes that waited": 8, "memberships": 4} {
			if receipt.Removed[what] < least {
				t.Errorf("the receipt has %d %s, want %d: %v", receipt.Removed[what], what, least, receipt)
			}
		}
		if len(told) != 1 || !slices.Equal(told[0].Erased, []int64{identities[0].ID, identities[1].ID}) || told[0].User.ID != id || told[0].User.Subject != "" || told[0].Empty() {
			t.Errorf("told %+v", told)
		}
		left := everything(t, s)
		for _, trace := range []string{"subject-1", "subject-2", "user-1", "user-2", "Person 1", "Person 2"} {
			if strings.Contains(left, trace) {
				t.Errorf("%s is left:\n%s", trace, left)
			}
		}
		if u, err := s.User(t.Context(), other); err != nil || worded(u).Name != worded(was).Name || len(u.Groups) != len(was.Groups) || !strings.Contains(left, "Person 3") {
			t.Errorf("somebody else: %+v, %v", u, err)
		}
		if _, err := s.User(t.Context(), id); !errors.Is(err, replica.ErrNotFound) {
			t.Errorf("their row: %v", err)
		}
		if _, err := s.Erase(t.Context(), id, EraseOptions{By: "me"}); !errors.Is(err, replica.ErrNotFound) {
			t.Errorf("a second time: %v", err)
		}
		if all, err := s.Erasures(t.Context(), 10); err != nil || len(all) != 1 || all[0].ID != receipt.ID || all[0].By != "an operator" || all[0].Removed["messages"] != 3 || !all[0].At.Equal(receipt.At) {
			t.Errorf("receipts %+v, %v", all, err)
		}
		var erased []replica.Record
		for {
			n, err := s.Outbox(t.Context(), 100, func(_ context.Context, _ *sql.Tx, entries []Entry) error {
				for _, entry := range entries {
					if entry.Record.Happened(replica.EventErased) {
						erased = append(erased, entry.Record)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
		}
		if len(erased) != 1 || len(erased[0].Events) != 1 || len(erased[0].Erased) != 2 || erased[0].User.ID != id || erased[0].User.Email != "" {
			t.Errorf("the outbox has %+v", erased)
		}
	})
}

// TestS767_EraseIsWholeOrNothing: cut off at any step, an erasure has not happened, and
// called again it is whole.
func TestS767_EraseIsWholeOrNothing(t *testing.T) {
	cut := errors.New("cut off")
	eachEngine(t, func(t *testing.T, e testEngine) {
		s, spy := e.store(t, Config{Outbox: &Outbox{}, Now: newSteadyClock().Now, History: &History{Keep: time.Hour}})
		steps := 1
		for step := -1; step < steps; step++ {
			id, _ := beforeErasure(t, s)
			before := everything(t, s)
			spy.reset()
			n := step
			if step >= 0 {
				spy.stopping(func(string, string) error {
					if n--; n < 0 {
						return cut
					}
					return nil
				})
			}
			_, err := s.Erase(t.Context(), id, EraseOptions{By: "me"})
			spy.stopping(nil)
			if step < 0 {
				steps = len(spy.journal)
				if err != nil || steps < 8 {
					t.Fatalf("%d steps, %v", steps, err)
				}
			} else {
				if !errors.Is(err, cut) || !errors.Is(err, replica.ErrUnavailable) {
					t.Fatalf("cut off at step %d: %v", step, err)
				}
				if left := everything(t, s); left != before {
					t.Fatalf("cut off at step %d, it left\n%s\nof\n%s", step, left, before)
				}
				if _, err := s.Erase(t.Context(), id, EraseOptions{By: "me"}); err != nil {
					t.Fatalf("again after step %d: %v", step, err)
				}
			}
			if left := everything(t, s); strings.Contains(left, "subject-1") || strings.Contains(left, "subject-2") || !strings.Contains(left, "subject-3") {
				t.Fatalf("step %d left %s", step, left)
			}
			if err := e.empty(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestS767_EraseBesideDjango: the account stays, for others refer to it, and nothing of the
// person in it.
func TestS767_EraseBesideDjango(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		s, _ := djangoStore(t, e, Config{Outbox: &Outbox{}, History: &History{Keep: time.Hour}})
		id, other := beforeErasure(t, s)
		if _, err := s.Erase(t.Context(), id, EraseOptions{By: "me"}); err != nil {
			t.Fatal(err)
		}
		left := everything(t, s)
		for _, trace := range []string{"subject-1", "subject-2", "user-1", "user-2", "Person 1", "Person 2"} {
			if strings.Contains(left, trace) {
				t.Errorf("%s is left:\n%s", trace, left)
			}
		}
		var username string
		var active bool
		var groups, stated int
		err := errors.Join(
			s.engine.sql("SELECT count(*) FROM codegrant_stated WHERE user_id <> ").bind(other).scan(t.Context(), s.db, &stated),
			s.engine.sql("SELECT username, is_active FROM auth_user WHERE id = ").bind(id).scan(t.Context(), s.db, &username, &active),
			s.engine.sql("SELECT count(*) FROM auth_user_groups WHERE user_id = ").bind(id).scan(t.Context(), s.db, &groups),
		)
		if err != nil || username != fmt.Sprint("erased-", id) || active || groups != 0 || stated != 0 {
			t.Errorf("account %s, active %v, %d groups, %d that the pool stated once, %v", username, active, groups, stated, err)
		}
		if u, err := s.User(t.Context(), other); err != nil || len(u.Groups) == 0 || !u.Enabled {
			t.Errorf("somebody else: %+v, %v", u, err)
		}
	})
}
