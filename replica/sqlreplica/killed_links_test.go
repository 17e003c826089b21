package sqlreplica

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// linkScene changes whose identities are. Each can be begun again when it was done.
type linkScene struct {
	name string
	call func(context.Context, *Store) (told []int64, err error) // the rows that it says it has changed
}

// linkScenes are what an operator, a person and a project can do to identities, to a store
// that linkedPeople has made.
var linkScenes = []linkScene{
	{"merge", func(ctx context.Context, s *Store) ([]int64, error) {
		return changedRows(ctx, s, func(ids ...int64) (replica.Change, error) { return s.Merge(ctx, ids[0], ids[1], "me") }, 1, 5)
	}},
	{"link", func(ctx context.Context, s *Store) ([]int64, error) {
		return changedRows(ctx, s, func(ids ...int64) (replica.Change, error) { return s.Link(ctx, ids[0], ids[1], "me") }, 6, 5)
	}},
	{"unlink", func(ctx context.Context, s *Store) ([]int64, error) {
		return changedRows(ctx, s, func(ids ...int64) (replica.Change, error) { return s.Unlink(ctx, ids[0]) }, 4)
	}},
	{"separate", func(ctx context.Context, s *Store) ([]int64, error) {
		return changedRows(ctx, s, func(ids ...int64) (replica.Change, error) { return s.Separate(ctx, ids[0]) }, 8)
	}},
	{"erase", func(ctx context.Context, s *Store) ([]int64, error) {
		told, err := changedRows(ctx, s, func(ids ...int64) (replica.Change, error) {
			receipt, err := s.Erase(ctx, ids[0], EraseOptions{By: "me"})
			return replica.Change{Fields: []string{receipt.ID}}, err
		}, 3)
		if errors.Is(err, replica.ErrNotFound) {
			return nil, nil // they are erased already
		}
		return told, err
	}},
}

// changedRows calls change with the rows of some subjects, and returns the first of them if it
// has changed.
func changedRows(ctx context.Context, s *Store, change func(ids ...int64) (replica.Change, error), numbers ...int) ([]int64, error) {
	var ids []int64
	for _, n := range numbers {
		u, err := s.UserBySubject(ctx, testIssuer, fmt.Sprintf("subject-%d", n))
		if err != nil {
			return nil, err
		}
		ids = append(ids, u.ID)
	}
	c, err := change(ids...)
	if err != nil || c.Empty() {
		return nil, err
	}
	return ids[:1], nil
}

func linkEverything(ctx context.Context, s *Store) error {
	for _, scene := range linkScenes {
		if _, err := scene.call(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", scene.name, err)
		}
	}
	return nil
}

// linkedPeople are nine identities: 2 is one of 1, 4 and 9 are of 3, and 8 is of 7.
func linkedPeople(t *testing.T, s *Store) {
	t.Helper()
	var ids [10]int64
	for n := 1; n < len(ids); n++ {
		ids[n] = apply(t, s, person(n, 0, "a", fmt.Sprint("g", n))).User.ID
	}
	for _, pair := range [][2]int{{2, 1}, {4, 3}, {9, 3}, {8, 7}} {
		if _, err := s.Merge(t.Context(), ids[pair[0]], ids[pair[1]], "before"); err != nil {
			t.Fatal(err)
		}
	}
}

// nobodyIsHalfLinked: who is linked is so to a person who exists, and is linked to nobody.
func nobodyIsHalfLinked(t *testing.T, s *Store) {
	t.Helper()
	var half int
	if err := s.engine.sql("SELECT count(*) FROM codegrant_users u LEFT JOIN codegrant_users p ON p.id = u.linked_to"+
		" WHERE u.linked_to IS NOT NULL AND (p.id IS NULL OR p.linked_to IS NOT NULL)").scan(t.Context(), s.db, &half); err != nil || half != 0 {
		t.Fatalf("%d are half linked, %v", half, err)
	}
	if c := contentsOf(t, s, []string{
		// The two of one person are with the same one, wherever they are.
		"SELECT a.subject, b.subject FROM codegrant_users a JOIN codegrant_users b ON a.subject = 'subject-1' AND b.subject = 'subject-2'" +
			" WHERE b.linked_to <> COALESCE(a.linked_to, a.id)",
	}); c != "" {
		t.Fatalf("half of a person was merged: %s", c)
	}
}

// whatDjangoSays is whatIsSaid of identities beside a project's accounts.
func whatDjangoSays(t *testing.T, s *Store) string {
	t.Helper()
	return contentsOf(t, s, []string{
		"SELECT u.id, u.issuer, u.subject, u.linked_to, u.linked_by, u.was_active, u.deactivated FROM codegrant_users u ORDER BY u.id",
		"SELECT id, username, email, is_active FROM auth_user ORDER BY id",
		"SELECT user_id, group_id FROM auth_user_groups ORDER BY user_id, group_id",
		"SELECT issuer, subject FROM codegrant_outbox ORDER BY issuer, subject, id",
		"SELECT erased_by, removed FROM codegrant_erasures ORDER BY removed",
	})
}

// TestS162_LinksStoppedAtEachStep stops what is done to identities at each step that it
// takes, beside the project's own tables, too. It has happened as a whole or not at all, no
// person is half linked, and begun again it ends as what nobody has stopped.
func TestS162_LinksStoppedAtEachStep(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		fatal := map[Dialect]error{SQLite: &coded{10}, PostgreSQL: sqlState("58030"), MySQL: number(1030)}[e.dialect]
		for _, kind := range []string{"own tables", "Django"} {
			t.Run(kind, func(t *testing.T) {
				open := func() (*Store, *spy) {
					config := Config{Outbox: &Outbox{}, History: &History{Keep: time.Hour}, OnChange: joins}
					if kind == "Django" {
						return djangoStore(t, e, config)
					}
					return e.store(t, config)
				}
				said := whatIsSaid
				if kind == "Django" {
					said = whatDjangoSays
				}
				all := func(s *Store) string { return everything(t, s) + said(t, s) }
				whole, _ := open()
				linkedPeople(t, whole)
				s, spy := open()
				linkedPeople(t, s)
				for _, scene := range linkScenes {
					told, err := scene.call(t.Context(), whole)
					if err != nil || len(told) != 1 {
						t.Fatalf("%s: changed %v, %v", scene.name, told, err)
					}
					before := all(s)
					for step := 0; ; step++ {
						passed := 0
						spy.stopping(func(string, string) error {
							if passed++; passed == step+1 {
								return fatal
							}
							return nil
						})
						_, err := scene.call(t.Context(), s)
						spy.stopping(nil)
						if err == nil && passed <= step {
							nobodyIsHalfLinked(t, s)
							if step < 10 {
								t.Errorf("%s takes %d steps: the spy is blind", scene.name, step)
							}
							break
						}
						if !errors.Is(err, fatal) || !errors.Is(err, replica.ErrUnavailable) {
							t.Fatalf("%s, stopped at step %d: %v; want ErrUnavailable and the cause", scene.name, step, err)
						}
						if after := all(s); after != before {
							t.Fatalf("%s, stopped at step %d, left\n%s\nof\n%s", scene.name, step, after, before)
						}
					}
					if got, want := said(t, s), said(t, whole); got != want {
						t.Fatalf("%s ends with\n%s\nwant\n%s", scene.name, got, want)
					}
					again := all(s)
					if told, err := scene.call(t.Context(), s); err != nil || len(told) > 0 || all(s) != again {
						t.Errorf("%s again: changed %v, %v", scene.name, told, err)
					}
				}
			})
		}
	})
}

// TestS824_LinkAnswerIsLost is TestAnswerIsLost for what is done to identities: who has erased
// somebody is not told that there is nobody.
func TestS824_LinkAnswerIsLost(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		config := Config{Outbox: &Outbox{}}
		whole, _ := e.store(t, config)
		linkedPeople(t, whole)
		s, spy := e.store(t, config)
		linkedPeople(t, s)
		for _, scene := range linkScenes {
			want, err := scene.call(t.Context(), whole)
			if err != nil {
				t.Fatal(err)
			}
			lost := false
			spy.mu.Lock()
			spy.lose = func(operation, _ string) error {
				if lost || operation != "commit" {
					return nil
				}
				lost = true
				return io.ErrUnexpectedEOF
			}
			spy.mu.Unlock()
			got, err := scene.call(t.Context(), s)
			spy.mu.Lock()
			spy.lose = nil
			spy.mu.Unlock()
			if err != nil || !lost || !slices.Equal(got, want) {
				t.Errorf("%s: changed %v, %v, lost %t; want %v", scene.name, got, err, lost, want)
			}
		}
		if got, want := whatIsSaid(t, s), whatIsSaid(t, whole); got != want {
			t.Errorf("it ends with\n%s\nwant\n%s", got, want)
		}
		if all, err := s.Erasures(t.Context(), 10); err != nil || len(all) != 1 {
			t.Errorf("receipts %+v, %v", all, err)
		}
		// A person who is not there is not there, whatever is lost.
		spy.stopping(func(operation, query string) error {
			if operation == "query" && strings.Contains(query, "linked_to") {
				spy.stop = nil // the lock is held
				return io.ErrUnexpectedEOF
			}
			return nil
		})
		if _, err := s.Erase(t.Context(), 1<<40, EraseOptions{By: "me"}); !errors.Is(err, replica.ErrNotFound) {
			t.Errorf("nobody: %v", err)
		}
	})
}
