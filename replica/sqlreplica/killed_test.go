package sqlreplica

import (
	"bufio"
	"context"
	"database/sql"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/replica"
)

// TestMain is also the process that TestS162_KilledWithinAChange kills.
func TestMain(m *testing.M) {
	if dsn := os.Getenv("CODEGRANT_TEST_KILLED"); dsn != "" {
		waitToBeKilled(dsn)
	}
	os.Exit(m.Run())
}

// waitToBeKilled makes a change, and stops in the middle of it.
func waitToBeKilled(dsn string) {
	i := strings.IndexByte(dsn, ' ')
	e := testEngines[dsn[0]-'0']
	db, err := sql.Open(e.driver, dsn[i+1:])
	if err != nil {
		panic(err)
	}
	s, err := New(db, Config{Dialect: e.dialect, OnChange: func(context.Context, *sql.Tx, replica.Change) error {
		os.Stdout.WriteString("in the middle\n")
		select {} // the parent ends it
	}})
	if err != nil {
		panic(err)
	}
	_, err = s.Apply(context.Background(), person(2, 0, "a", "new"))
	panic(err)
}

// TestS162_KilledWithinAChange kills a process, without a chance to clean up,
// between its writes and its commit. Nothing of the change is left, and nothing
// that it held keeps others waiting.
func TestS162_KilledWithinAChange(t *testing.T) {
	for i, e := range testEngines {
		t.Run(e.name, func(t *testing.T) {
			dsn := e.create(t)
			db := (&spy{}).open(t, e.driver, dsn)
			s, err := New(db, Config{Dialect: e.dialect})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			apply(t, s, person(1, 0, "a"))
			before := contents(t, s)

			process := exec.CommandContext(t.Context(), os.Args[0])
			process.Env = append(os.Environ(), "CODEGRANT_TEST_KILLED="+string(rune('0'+i))+" "+dsn)
			process.Stderr = t.Output()
			stdout, err := process.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := process.Start(); err != nil {
				t.Fatal(err)
			}
			if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "in the middle\n" {
				t.Fatalf("the process said %q, %v", line, err)
			}
			if err := process.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = process.Wait()

			if after := contents(t, s); after != before {
				t.Errorf("the killed process left\n%s\nof\n%s", after, before)
			}
			if c := apply(t, s, person(2, 0, "a", "new")); !c.Created {
				t.Error("the user of the killed process is there")
			}
		})
	}
}
