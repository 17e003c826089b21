package inspect

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/session"
)

// TestS758_MergeByCommand: duplicates are found by verified addresses alone, nothing is
// done without --yes, an audit line says who did it, and sessions that know the row of
// before end.
func TestS758_MergeByCommand(t *testing.T) {
	config := commandtest.Stores(t) // alice, whose address is verified, and bob, whose is not
	o, err := parts.Inspection{Config: config}.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	enter := func(subject, email string, verified bool) int64 {
		t.Helper()
		c, err := o.Users.Apply(t.Context(), replica.Snapshot{Issuer: o.Issuer, Subject: subject, Username: subject, Email: email, EmailVerified: verified, At: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		err = o.Sessions.Create(t.Context(), session.Record{ID: session.NewHandle().RecordID(), Pool: o.Bound, Subject: subject, Created: now, LastSeen: now, Expires: now.Add(time.Hour), Sealed: []byte("x")})
		if err != nil {
			t.Fatal(err)
		}
		return c.User.ID
	}
	google := enter("google", "Alice@example.com", true)
	enter("thief", "alice@example.com", false)
	enter("bobs", "bob@example.com", true)
	alice, err := o.Users.UserByUsername(t.Context(), o.Issuer, "alice")
	if err != nil {
		t.Fatal(err)
	}
	run := func(want int, args ...string) (stdout, stderr string) {
		t.Helper()
		stdout, stderr, status := say(t, append(append([]string{"users"}, args...), "--config", config)...)
		if status != want {
			t.Fatalf("users %v: status %d\n%s%s", args, status, stdout, stderr)
		}
		return stdout, stderr
	}
	sessions := func(subject string) int {
		t.Helper()
		all, err := o.Sessions.List(t.Context(), session.Query{Pool: o.Bound, Subject: subject, Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}

	out, _ := run(1, "duplicates", "--json")
	var listed struct {
		Duplicates []struct{ People []identity }
	}
	if err := json.Unmarshal([]byte(out), &listed); err != nil || len(listed.Duplicates) != 1 || len(listed.Duplicates[0].People) != 2 ||
		listed.Duplicates[0].People[0].Row != alice.ID || listed.Duplicates[0].People[1].Row != google {
		t.Fatalf("duplicates: %s, %v", out, err)
	}
	if out, _ := run(1, "duplicates"); strings.Contains(out, "thief") || strings.Contains(out, "bobs") {
		t.Errorf("who has no verified address of another's: %s", out)
	}
	run(1, "merge")
	run(1, "merge", "--from", "google")
	run(1, "merge", "--from", "google", "--into", "alice", "--verified-email")
	for _, args := range [][]string{{"merge", "--from", "google", "--into", "alice"}, {"merge", "--verified-email"}} {
		if out, audit := run(0, args...); !strings.Contains(out, "--yes") || audit != "" {
			t.Errorf("%v: %s%s", args, out, audit)
		}
	}
	if u, err := o.Users.User(t.Context(), google); err != nil || u.LinkedTo != 0 || sessions("google") != 1 {
		t.Errorf("without --yes: %+v, %v, %d sessions", u, err, sessions("google"))
	}
	_, audit := run(0, "merge", "--verified-email", "--yes")
	if !strings.Contains(audit, `"event":"merged"`) || !strings.Contains(audit, "operator ") {
		t.Errorf("audit: %q", audit)
	}
	if u, err := o.Users.User(t.Context(), google); err != nil || u.Person() != alice.ID || sessions("google") != 0 || sessions("sub-0") != 2 || sessions("thief") != 1 {
		t.Errorf("merged: %+v, %v, %d, %d and %d sessions", u, err, sessions("google"), sessions("sub-0"), sessions("thief"))
	}
	run(0, "duplicates")
	if out, _ := run(0, "merge", "--from", "google", "--into", "alice", "--yes"); !strings.Contains(out, "already") {
		t.Errorf("a second time: %s", out)
	}
	if out, _ := run(0, "show", "google"); !strings.Contains(out, "PERSON") || !strings.Contains(out, "sub-0") {
		t.Errorf("show: %s", out)
	}
	run(1, "unlink", "alice")
	if out, _ := run(0, "unlink", "google"); !strings.Contains(out, "--yes") {
		t.Errorf("unlink: %s", out)
	}
	if _, audit := run(0, "unlink", "google", "--yes"); !strings.Contains(audit, `"event":"unlinked"`) {
		t.Errorf("audit: %q", audit)
	}
	if u, err := o.Users.User(t.Context(), google); err != nil || u.Person() != google {
		t.Errorf("unlinked: %+v, %v", u, err)
	}
}

// TestS790_MergedPeopleLeaveNoSessionInABrowser: a mark ends sessions of the identity that
// browsers carry, and its tokens, at a merge and at an unlinking. Who stays has none.
func TestS790_MergedPeopleLeaveNoSessionInABrowser(t *testing.T) {
	config := commandtest.Stores(t)
	o, err := parts.Inspection{Config: config}.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	c, err := o.Users.Apply(t.Context(), replica.Snapshot{Issuer: o.Issuer, Subject: "google", Username: "google", At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	alice, err := o.Users.UserByUsername(t.Context(), o.Issuer, "alice")
	if err != nil {
		t.Fatal(err)
	}
	marked := func(subject string) time.Time {
		t.Helper()
		other, err := parts.Inspection{Config: config}.Open() // as another process reads it
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		at, err := other.Marks.NotBefore(t.Context(), o.Issuer, subject)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	began := time.Now().Add(-time.Second)
	for _, args := range [][]string{{"merge", "--from", "google", "--into", "alice", "--yes"}, {"unlink", "google", "--yes"}} {
		before := marked("google")
		if out, problem, status := say(t, append(append([]string{"users"}, args...), "--config", config)...); status != 0 {
			t.Fatalf("%v: %s%s", args, out, problem)
		}
		if at := marked("google"); at.Before(began) || !at.After(before) {
			t.Errorf("after %v the mark is of %s, before %s", args, at, before)
		}
		if at := marked(alice.Subject); !at.IsZero() {
			t.Errorf("after %v who stays has a mark of %s", args, at)
		}
	}
	if u, err := o.Users.User(t.Context(), c.User.ID); err != nil || u.Person() != c.User.ID {
		t.Errorf("%+v, %v", u, err)
	}
}

// TestS790_ARunThatWasKilledLeavesNoSessions: where the change was made and no session was
// ended, the same command ends them, though there is nothing left to change.
func TestS790_ARunThatWasKilledLeavesNoSessions(t *testing.T) {
	config := commandtest.Stores(t)
	o, err := parts.Inspection{Config: config}.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	c, err := o.Users.Apply(t.Context(), replica.Snapshot{Issuer: o.Issuer, Subject: "google", Username: "google", At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	alice, err := o.Users.UserByUsername(t.Context(), o.Issuer, "alice")
	if err != nil {
		t.Fatal(err)
	}
	sessions := func(subject string) int {
		t.Helper()
		all, err := o.Sessions.List(t.Context(), session.Query{Pool: o.Bound, Subject: subject, Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	merge, unlink := []string{"merge", "--from", "google", "--into", "alice"}, []string{"unlink", "google"}
	for _, step := range []struct {
		args   []string
		status int
		change func() error
	}{
		{merge, 0, func() error { _, err := o.Users.Merge(t.Context(), c.User.ID, alice.ID, "a test"); return err }},
		{unlink, 1, func() error { _, err := o.Users.Unlink(t.Context(), c.User.ID); return err }},
	} {
		now := time.Now()
		if err := o.Sessions.Create(t.Context(), session.Record{ID: session.NewHandle().RecordID(), Pool: o.Bound, Subject: "google", Created: now, LastSeen: now, Expires: now.Add(time.Hour), Sealed: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		if err := step.change(); err != nil {
			t.Fatal(err)
		}
		for _, yes := range []bool{false, true} {
			args, want := append(append([]string{"users"}, step.args...), "--config", config), 1
			if yes {
				args, want = append(args, "--yes"), 0
			}
			if out, problem, status := say(t, args...); status != step.status || sessions("google") != want || sessions(alice.Subject) != 2 {
				t.Errorf("%v: status %d, %d sessions, %d of who stays\n%s%s", args, status, sessions("google"), sessions(alice.Subject), out, problem)
			}
		}
	}
}
