package inspect

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/session"
)

// TestMain is also the process that a test here kills.
func TestMain(m *testing.M) {
	if config := os.Getenv("CODEGRANT_TEST_KILLED"); config != "" {
		args := []string{"users", "merge", "--verified-email", "--yes", "--config", config}
		os.Exit(terminal.Run(context.Background(), args, io.Discard, &stopping{}, new(commands)))
	}
	os.Exit(m.Run())
}

// stopping is what a process says, which stops when it has said that it has merged two people:
// it has not ended their sessions yet.
type stopping struct{ merged int }

func (s *stopping) Write(p []byte) (int, error) {
	if s.merged += bytes.Count(p, []byte(`"event":"merged"`)); s.merged == 2 {
		os.Stdout.WriteString("in the middle\n")
		select {} // the test ends it
	}
	return len(p), nil
}

// TestS790_MergeOfDuplicatesIsKilled kills a merge of all duplicates between a merge and the end
// of the sessions, while somebody signs in as the one who is given up. Begun again, it ends that
// session, too, and it merges the rest. After that, it leaves sessions alone.
func TestS790_MergeOfDuplicatesIsKilled(t *testing.T) {
	config := commandtest.Stores(t)
	o, err := parts.Inspection{Config: config}.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	const pairs = 3
	var ids []int64
	for n := range 2*pairs + 1 { // the last one has no duplicate
		c, err := o.Users.Apply(t.Context(), replica.Snapshot{
			Issuer: o.Issuer, Subject: fmt.Sprint("many-", n), Username: fmt.Sprint("many-", n),
			Email: fmt.Sprintf("many-%d@example.com", n/2), EmailVerified: true, At: time.Now(),
		})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, c.User.ID)
	}
	signIn := func(n int) {
		t.Helper()
		now := time.Now()
		if err := o.Sessions.Create(t.Context(), session.Record{ID: session.NewHandle().RecordID(), Pool: o.Bound, Subject: fmt.Sprint("many-", n), Created: now, LastSeen: now, Expires: now.Add(time.Hour), Sealed: []byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	sessions := func() (all string) {
		t.Helper()
		for n := range ids {
			found, err := o.Sessions.List(t.Context(), session.Query{Pool: o.Bound, Subject: fmt.Sprint("many-", n), Limit: 10})
			if err != nil {
				t.Fatal(err)
			}
			all += fmt.Sprint(len(found))
		}
		return all
	}
	run := func(args ...string) (stdout, stderr string) {
		t.Helper()
		stdout, stderr, status := say(t, append([]string{"users", "merge", "--verified-email", "--config", config}, args...)...)
		if status != 0 {
			t.Fatalf("status %d\n%s%s", status, stdout, stderr)
		}
		return stdout, stderr
	}
	for n := range ids {
		signIn(n)
	}
	// Whoever has linked an identity by themselves has nothing to do with an operator's merge,
	// though an older mark is left of something else.
	if err := o.Marks.Leave(t.Context(), o.Issuer, "many-6", time.Now().Add(-time.Minute), parts.Operator()); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Users.Link(t.Context(), ids[6], ids[0], "the person"); err != nil {
		t.Fatal(err)
	}

	process := exec.CommandContext(t.Context(), os.Args[0])
	process.Env = append(os.Environ(), "CODEGRANT_TEST_KILLED="+config)
	process.Stderr = t.Output()
	stdout, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	if line, _ := bufio.NewReader(stdout).ReadString('\n'); line != "in the middle\n" {
		t.Fatalf("the process said %q and ended with %v", line, process.Wait())
	}
	if got := sessions(); got != "1010111" {
		t.Errorf("sessions in the middle: %s", got)
	}
	signIn(3) // as who is given up: it began before the merge
	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = process.Wait()

	if out, _ := run(); !strings.Contains(out, "1 duplicate would be merged") || sessions() != "1011111" {
		t.Errorf("without --yes: %s%s", out, sessions())
	}
	out, audit := run("--yes")
	if !strings.Contains(out, "ended the sessions of 1 duplicate ") || !strings.Contains(out, "merged 1 duplicate\n") || strings.Count(audit, `"event":"merged"`) != 1 {
		t.Errorf("begun again: %s%s", out, audit)
	}
	if got := sessions(); got != "1010101" {
		t.Errorf("sessions at the end: %s", got)
	}
	for n, id := range ids {
		if u, err := o.Users.User(t.Context(), id); err != nil || n%2 == 1 && u.Person() != ids[n-1] {
			t.Errorf("many-%d: person %d, %v", n, u.Person(), err)
		}
	}
	signIn(3) // they sign in as before, and are the person who stays
	if out, _ := run("--yes"); strings.Contains(out, "ended") || sessions() != "1011101" {
		t.Errorf("once more: %s%s", out, sessions())
	}
}
