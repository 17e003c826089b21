package sqlreplica

import (
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/replica"
)

// TestDjangoItself has a real Django work on the tables that a store works on.
func TestDjangoItself(t *testing.T) {
	python := testenv.Django(t)
	file := filepath.Join(t.TempDir(), "db.sqlite3")
	django := func(step string) []byte {
		t.Helper()
		process := exec.CommandContext(t.Context(), python, "testdata/project.py", file, step)
		process.Stderr = t.Output()
		output, err := process.Output()
		if err != nil {
			t.Fatalf("django %s: %v", step, err)
		}
		return output
	}
	django("migrate")
	django("existing")

	db := (&spy{}).open(t, "sqlite", "file:"+file+"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)")
	s, err := New(db, Config{Dialect: SQLite, Django: &Django{AdoptVerifiedEmail: true}, Now: func() time.Time { return stated.Add(time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	alice := person(1, 0, "admins", "analysts")
	alice.Email, alice.Name, alice.SignIn = "Alice@example.com", "Alice Smith", true
	id := apply(t, s, alice).User.ID
	bob := person(2, 0, "admins")
	bob.Email = "bob@example.com"
	if c := apply(t, s, bob); !c.Adopted || membershipsOf(c.User) != "admins(p) from django(l)" {
		t.Errorf("bob, whom Django had: adopted %v, in %q", c.Adopted, membershipsOf(c.User))
	}

	look := func(what string, want map[string]any) {
		t.Helper()
		var got map[string]any
		if err := json.Unmarshal(django("look"), &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s, Django sees\n%v, want\n%v", what, got, want)
		}
	}
	seen := map[string]any{
		"username": "alice@example.com", "email": "Alice@example.com", "first_name": "Alice Smith",
		"usable": false, "password_length": 41.0, "signs_in": false, "active": true, "groups": []any{"admins", "analysts"},
		"last_login": "2026-03-01T12:00:00+00:00", "date_joined": "2026-03-01T13:00:00+00:00",
	}
	look("a new user", seen)

	django("edit")
	django("remake")
	u := mustUser(t, s, id)
	if u.Enabled || membershipsOf(u) != "analysts(p) given in django(l)" {
		t.Errorf("after Django's changes: enabled %v, in %q", u.Enabled, membershipsOf(u))
	}
	alice.Groups, alice.At, alice.SignIn = alice.Groups[:1], alice.At.Add(time.Minute), false
	apply(t, s, alice)
	seen["groups"], seen["active"] = []any{"admins", "given in django"}, false
	look("after the pool's changes", seen)

	django("delete")
	if _, err := s.User(t.Context(), id); !errors.Is(err, replica.ErrNotFound) {
		t.Errorf("whom Django deleted: %v, want ErrNotFound", err)
	}
	var left int
	for _, table := range []string{"codegrant_groups", "codegrant_memberships"} {
		if err := s.engine.sql("SELECT count(*) FROM "+table).scan(t.Context(), db, &left); err != nil || left != 0 {
			t.Errorf("%d rows are left in %s, %v", left, table, err)
		}
	}
	if c := apply(t, s, alice); !c.Created {
		t.Error("the person whom Django deleted did not come back as somebody new")
	}
}
