package sqlreplica

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/replica"
)

// shop is a real Django project, with an admin and rows of its own that belong to people.
type shop struct {
	t       *testing.T
	steps   io.Writer
	answers *bufio.Reader
}

// seenInShop is what Django knows of somebody.
type seenInShop struct {
	Active  bool     `json:"active"`
	SignsIn bool     `json:"signs in"`
	Groups  []string `json:"groups"`
	Orders  []string `json:"orders"`
	Profile bool     `json:"profile"`
}

func newShop(t *testing.T, e testEngine, dsn string) shop {
	t.Helper()
	database := map[string]any{"ENGINE": "django.db.backends.sqlite3", "NAME": strings.TrimPrefix(strings.Split(dsn, "?")[0], "file:")}
	if e.dialect == PostgreSQL {
		u, err := url.Parse(dsn)
		if err != nil {
			t.Fatal(err)
		}
		password, _ := u.User.Password()
		host := u.Hostname()
		if socket := u.Query().Get("host"); socket != "" {
			host = socket
		}
		database = map[string]any{
			"ENGINE": "django.db.backends.postgresql", "NAME": strings.TrimPrefix(u.Path, "/"), "HOST": host, "PORT": u.Port(),
			"USER": u.User.Username(), "PASSWORD": password, "OPTIONS": map[string]any{"options": "-c search_path=" + u.Query().Get("search_path")},
		}
	}
	text, err := json.Marshal(database)
	if err != nil {
		t.Fatal(err)
	}
	process := exec.Command(testenv.Django(t), "testdata/shop.py", string(text))
	process.Stderr = t.Output()
	steps, err := process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	answers, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		steps.Close()
		_ = process.Wait()
	})
	d := shop{t, steps, bufio.NewReader(answers)}
	d.run("migrate")
	return d
}

func (d shop) run(step ...string) []byte {
	d.t.Helper()
	if _, err := fmt.Fprintln(d.steps, strings.Join(step, " ")); err != nil {
		d.t.Fatal(err)
	}
	answer, err := d.answers.ReadBytes('\n')
	if err != nil {
		d.t.Fatalf("django %s: %v", step, err)
	}
	return answer
}

func (d shop) sees(what string, want map[string]seenInShop) {
	d.t.Helper()
	var got struct {
		People  map[string]seenInShop `json:"people"`
		Refused []string              `json:"admin refuses"`
	}
	if err := json.Unmarshal(d.run("look"), &got); err != nil {
		d.t.Fatal(err)
	}
	if !reflect.DeepEqual(got.People, want) || len(got.Refused) > 0 {
		d.t.Errorf("%s, Django sees\n%+v, want\n%+v; its admin refuses %v", what, got.People, want, got.Refused)
	}
}

// TestS792_DjangoMerges: people of a real Django project are merged. The project's own rows
// move in the same transaction or nobody is merged, and Django goes on reading its tables.
func TestS792_DjangoMerges(t *testing.T) {
	for _, e := range testEngines[:2] {
		t.Run(e.name, func(t *testing.T) {
			dsn := e.create(t)
			django := newShop(t, e, dsn)
			var refused error
			s, err := New((&spy{}).open(t, e.driver, dsn), Config{
				Dialect: e.dialect, Outbox: &Outbox{}, Django: &Django{AdoptVerifiedEmail: true},
				OnChange: func(ctx context.Context, tx *sql.Tx, c replica.Change) error {
					if c.Merged == nil {
						return nil
					}
					for _, column := range []string{"shop_order SET owner_id", "shop_profile SET user_id"} {
						_, column2, _ := strings.Cut(column, " SET ")
						if _, err := tx.ExecContext(ctx, fmt.Sprintf("UPDATE %s = %d WHERE %s = %d", column, c.Merged.Into, column2, c.Merged.From)); err != nil {
							return err
						}
					}
					return refused
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			snapshot := func(n int, name string, seconds int) replica.Snapshot {
				p := person(n, seconds, "pool of "+name)
				p.Email, p.SignIn = name+"@example.com", true
				return p
			}
			ann, bea := apply(t, s, snapshot(1, "ann", 0)).User.ID, apply(t, s, snapshot(2, "bea", 0)).User.ID
			both := func(change func(ann, bea *seenInShop)) map[string]seenInShop {
				a := seenInShop{true, true, []string{"given to ann", "pool of ann"}, []string{"of ann"}, true}
				b := seenInShop{true, true, []string{"given to bea", "pool of bea"}, []string{"of bea"}, true}
				if change != nil {
					change(&a, &b)
				}
				return map[string]seenInShop{"ann": a, "bea": b}
			}
			django.sees("before", both(nil))

			// Both have a profile, of which a person has one: the project's own rule refuses.
			before := inOutbox(t, s)
			if _, err := s.Merge(t.Context(), bea, ann, "me"); err == nil || errors.Is(err, replica.ErrUnavailable) {
				t.Errorf("a merge that breaks a rule of the project: %v", err)
			}
			django.sees("after a merge that breaks a rule of the project", both(nil))
			django.run("drop_profile", "bea")
			refused = errors.New("not now")
			if _, err := s.Merge(t.Context(), bea, ann, "me"); !errors.Is(err, refused) || errors.Is(err, replica.ErrUnavailable) {
				t.Errorf("a merge that the project refuses: %v", err)
			}
			refused = nil
			django.sees("after a merge that the project refuses", both(func(_, b *seenInShop) { b.Profile = false }))
			if u := mustUser(t, s, bea); u.Person() != bea || inOutbox(t, s) != before {
				t.Errorf("after two merges that failed: %+v, %d entries more", u, inOutbox(t, s)-before)
			}

			if _, err := s.Merge(t.Context(), bea, ann, "me"); err != nil {
				t.Fatal(err)
			}
			merged := both(func(a, b *seenInShop) {
				a.Orders, b.Orders = []string{"of ann", "of bea"}, []string{}
				b.Active, b.SignsIn, b.Profile = false, false, false
			})
			django.sees("merged", merged)
			// Whichever identity signs in is the one account, and Django's tables stay as they are.
			for n, name := range map[int]string{1: "ann", 2: "bea"} {
				if c := apply(t, s, snapshot(n, name, 10)); c.User.Person() != ann || !c.User.Enabled {
					t.Errorf("%s signs in: person %d, enabled %v; want %d", name, c.User.Person(), c.User.Enabled, ann)
				}
			}
			django.run("save", "ann")
			django.run("save", "bea")
			django.sees("after sign-ins, and saved in the admin", merged)
			if u := mustUser(t, s, bea); u.Person() != ann || membershipsOf(u) != "given to bea(l) pool of bea(p)" {
				t.Errorf("the identity has the groups %q", membershipsOf(u))
			}

			if _, err := s.Unlink(t.Context(), bea); err != nil {
				t.Fatal(err)
			}
			unlinked := both(func(a, b *seenInShop) {
				a.Orders, b.Orders, b.Profile = []string{"of ann", "of bea"}, []string{}, false
			})
			django.sees("unlinked", unlinked)
			if c := apply(t, s, snapshot(2, "bea", 20)); c.User.Person() != bea || !c.User.Enabled {
				t.Errorf("unlinked, they sign in as %d, enabled %v", c.User.Person(), c.User.Enabled)
			}

			// What the administrator turned off stays off, whatever happens to the link.
			django.run("turn_off", "bea")
			if _, err := s.Link(t.Context(), bea, ann, "herself"); !errors.Is(err, replica.ErrConflict) {
				t.Errorf("somebody links an account that the administrator turned off: %v", err)
			}
			for range 2 {
				if _, err := s.Merge(t.Context(), bea, ann, "me"); err != nil {
					t.Fatal(err)
				}
				if c := apply(t, s, snapshot(2, "bea", 30)); c.User.Enabled || !c.Empty() {
					t.Errorf("turned off and merged, they sign in: enabled %v, %v", c.User.Enabled, c.Fields)
				}
				if _, err := s.Unlink(t.Context(), bea); err != nil {
					t.Fatal(err)
				}
			}
			unlinked["bea"] = seenInShop{Groups: unlinked["bea"].Groups, Orders: []string{}}
			django.sees("turned off by the administrator", unlinked)

			// Django deletes the person: the identity is a person of its own, and off.
			if _, err := s.Merge(t.Context(), bea, ann, "me"); err != nil {
				t.Fatal(err)
			}
			django.run("delete", "ann")
			delete(unlinked, "ann")
			django.sees("whose person Django deleted", unlinked)
			if u := mustUser(t, s, bea); u.Person() != bea || u.Enabled {
				t.Errorf("whose person Django deleted: person %d, enabled %v", u.Person(), u.Enabled)
			}
		})
	}
}

// TestS792_RelinkLeavesNobodyHalfLinked: an operator says whose an account is. What others
// are linked by stays, or they are told to unlink it.
func TestS792_RelinkLeavesNobodyHalfLinked(t *testing.T) {
	eachDjango(t, func(t *testing.T, s *Store) {
		a, b, c := rowOf(t, s, 1), rowOf(t, s, 2), rowOf(t, s, 3)
		if _, err := s.Merge(t.Context(), a, b, "me"); err != nil {
			t.Fatal(err)
		}
		before := everything(t, s)
		for what, relink := range map[string]func() error{
			"the account of a linked identity to somebody new": func() error { return s.RelinkDjango(t.Context(), a, testIssuer, "subject-9") },
			"a linked identity to another account":             func() error { return s.RelinkDjango(t.Context(), c, testIssuer, "subject-1") },
			"whom others are linked to to another account":     func() error { return s.RelinkDjango(t.Context(), c, testIssuer, "subject-2") },
		} {
			if err := relink(); !errors.Is(err, replica.ErrConflict) || !strings.Contains(err.Error(), fmt.Sprintf("unlink %d", a)) {
				t.Errorf("relink %s: %v", what, err)
			}
		}
		if after := everything(t, s); after != before {
			t.Errorf("refused, it left\n%s\nof\n%s", after, before)
		}
		// The person was made anew in the pool: who is linked to them stays so.
		if err := s.RelinkDjango(t.Context(), b, testIssuer, "subject-9"); err != nil {
			t.Fatal(err)
		}
		if u := mustUser(t, s, a); u.Person() != b || !u.Enabled {
			t.Errorf("whose person was made anew: %+v", u)
		}
		if _, err := s.Unlink(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		if err := s.RelinkDjango(t.Context(), c, testIssuer, "subject-1"); err != nil {
			t.Error(err)
		}
	})
}
