package webhook

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/internal/cutdb"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
)

// contents are the messages, what was posted once, and what waits in the outbox.
func (r *rig) contents(t *testing.T) string {
	t.Helper()
	var all []string
	for _, query := range []string{
		"SELECT 'message', message, endpoint, type, due, died FROM codegrant_webhooks",
		"SELECT 'once', id, '', '', kept_until, 0 FROM codegrant_webhooks_once",
		"SELECT 'outbox', subject, issuer, '', id, 0 FROM codegrant_outbox",
		"SELECT 'person', subject, issuer, '', id, 0 FROM codegrant_users",
	} {
		rows, err := r.db.QueryContext(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var what, a, b, c string
			var x, y int64
			if err := rows.Scan(&what, &a, &b, &c, &x, &y); err != nil {
				t.Fatal(err)
			}
			all = append(all, fmt.Sprintln(what, a, b, c, x, y))
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(all)
	return strings.Join(all, "")
}

// TestS826_StoppedAtEachStep stops what puts messages into the queue, and an erasure, at each
// step that it takes. It has happened as a whole or not at all, and called again it comes to its
// end: no change is lost between the outbox and the queue, and none is there twice.
func TestS826_StoppedAtEachStep(t *testing.T) {
	eachEngine(t, func(t *testing.T, r *rig) {
		_, key := secret(t)
		to := []Endpoint{
			{Name: "crm", URL: "https://crm.example.com/", Secrets: []Secret{key}, Events: []string{People, Sessions, Refusals, Moves}},
			{Name: "search", URL: "https://search.example.com/", Secrets: []Secret{key}},
		}
		at := time.Now().Truncate(time.Millisecond)
		event := func(kind, what, subject string) Event {
			return Event{ID: what + subject, Kind: kind, Type: what, Issuer: testIssuer, Subject: subject, At: at, Data: 1}
		}
		for n := range 3 {
			r.state(t, named(n), "New")
		}
		u, err := r.users.UserBySubject(t.Context(), testIssuer, named(1))
		if err != nil {
			t.Fatal(err)
		}
		s := r.sender(t, to...)
		scenes := []struct {
			name           string
			call           func() error
			messages, once int // how many more there are of each
			outbox, people int
		}{
			{"taken from the outbox", func() error { _, err := s.take(t.Context()); return err }, 6, 0, -3, 0},
			{"posted", func() error {
				_, err := r.queue.Post(t.Context(), to, event(Sessions, TypeSessionEnded, named(0)), event(Refusals, TypeSignInRefused, named(2)), event(Sessions, TypeSessionEnded, named(2)))
				return err
			}, 3, 0, 0, 0},
			{"posted once", func() error {
				_, err := r.queue.PostOnce(t.Context(), to, time.Hour, event(Moves, TypeMoveReminder, named(0)), event(Moves, TypeMoveReminder, named(2)))
				return err
			}, 2, 2, 0, 0},
			{"erased", func() error {
				_, err := r.users.Erase(t.Context(), u.ID, sqlreplica.EraseOptions{By: "me", Within: func(ctx context.Context, tx *sql.Tx, identities []replica.User) (map[string]int64, error) {
					n, err := r.queue.Erase(ctx, tx, identities[0])
					return map[string]int64{"messages": n}, err
				}})
				if errors.Is(err, replica.ErrNotFound) {
					return nil
				}
				return err
			}, -2, 0, 1, -1},
			{"told of the erasure", func() error { _, err := s.take(t.Context()); return err }, 2, 0, -1, 0},
		}
		count := func(contents, what string) int { return strings.Count("\n"+contents, "\n"+what+" ") }
		for _, scene := range scenes {
			before := r.contents(t)
			steps := r.cut.EachStep(scene.call, func(step int, err error) {
				if err == nil {
					return
				}
				if !errors.Is(err, cutdb.ErrCut) {
					t.Fatalf("%s, stopped at step %d: %v", scene.name, step, err)
				}
				if after := r.contents(t); after != before {
					t.Fatalf("%s, stopped at step %d, left\n%s\nof\n%s", scene.name, step, after, before)
				}
			})
			if steps < 3 {
				t.Errorf("%s takes %d steps: nobody looks", scene.name, steps)
			}
			after := r.contents(t)
			for what, more := range map[string]int{"message": scene.messages, "once": scene.once, "outbox": scene.outbox, "person": scene.people} {
				if got := count(after, what) - count(before, what); got != more {
					t.Errorf("%s: %d more of %s, want %d:\n%s", scene.name, got, what, more, after)
				}
			}
		}
	})
}

// TestS826_SendersStoppedAtEachStep stops a sender at each step that it takes before and after a
// try. The message is never lost: somebody else sends it when nobody holds it any more.
func TestS826_SendersStoppedAtEachStep(t *testing.T) {
	eachEngine(t, func(t *testing.T, r *rig) {
		now := time.Now().Truncate(time.Millisecond)
		const held = time.Minute
		for name, write := range map[string]func(d *Delivery) error{
			"accepted": func(d *Delivery) error { return r.queue.taken(t.Context(), d) },
			"refused":  func(d *Delivery) error { return r.queue.later(t.Context(), d, now.Add(time.Second), "a test") },
			"given up": func(d *Delivery) error { return r.queue.giveUp(t.Context(), d, now, "a test") },
			"let go":   func(d *Delivery) error { return r.queue.letGo(t.Context(), d) },
		} {
			if _, err := r.db.ExecContext(t.Context(), "DELETE FROM codegrant_webhooks"); err != nil {
				t.Fatal(err)
			}
			to := []Endpoint{{Name: "crm", Events: []string{Sessions}}}
			events := []Event{
				{ID: "1", Kind: Sessions, Type: TypeSessionStarted, Issuer: testIssuer, Subject: "alice", At: now},
				{ID: "2", Kind: Sessions, Type: TypeSessionEnded, Issuer: testIssuer, Subject: "alice", At: now},
			}
			if _, err := r.queue.Post(t.Context(), to, events...); err != nil {
				t.Fatal(err)
			}
			claims, clock := 0, now
			steps := r.cut.EachStep(func() error {
				claims++
				d, err := r.queue.next(t.Context(), "crm", fmt.Sprint("claim-", claims), clock, clock.Add(held))
				if err != nil {
					return err
				}
				if d == nil || d.Message != idOf("1") {
					return fmt.Errorf("next is %+v", d)
				}
				return write(d)
			}, func(step int, err error) {
				clock = clock.Add(held + time.Second) // nobody holds it any more
				if err != nil && !errors.Is(err, cutdb.ErrCut) {
					t.Fatalf("%s, stopped at step %d: %v", name, step, err)
				}
				if waiting, dead := r.size(t, "crm"); err != nil && (waiting != 2 || dead != 0) {
					t.Fatalf("%s, stopped at step %d: %d wait, %d were given up", name, step, waiting, dead)
				}
			})
			if steps < 3 {
				t.Errorf("%s takes %d steps: nobody looks", name, steps)
			}
			want := map[string][2]int64{"accepted": {1, 0}, "refused": {2, 0}, "given up": {1, 1}, "let go": {2, 0}}[name]
			if waiting, dead := r.size(t, "crm"); waiting != want[0] || dead != want[1] {
				t.Errorf("%s: %d wait, %d were given up, want %v", name, waiting, dead, want)
			}
		}
	})
}
