package testenv_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/codegrant/codegrant/internal/testenv"
)

// A verdict is a testing.TB that keeps what was decided instead of obeying it.
type verdict struct {
	testing.TB
	skipped, failed bool
}

func (v *verdict) Helper()               {}
func (v *verdict) Skipf(string, ...any)  { v.skipped = true }
func (v *verdict) Fatalf(string, ...any) { v.failed = true }

func TestLookup(t *testing.T) {
	for _, tt := range []struct {
		name, url, require string
		skipped, failed    bool
	}{
		{name: "server there", url: "redis://127.0.0.1:1/0"},
		{name: "server there and required", url: "redis://127.0.0.1:1/0", require: "1"},
		{name: "no server", skipped: true},
		{name: "no server but required", require: "1", failed: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("CODEGRANT_TEST_REDIS", tt.url)
			t.Setenv("CODEGRANT_TEST_REQUIRE", tt.require)
			got := &verdict{TB: t}
			if url := testenv.Redis(got); url != tt.url {
				t.Errorf("Redis() = %q, want %q", url, tt.url)
			}
			if got.skipped != tt.skipped || got.failed != tt.failed {
				t.Errorf("skipped %t, failed %t, want %t, %t", got.skipped, got.failed, tt.skipped, tt.failed)
			}
		})
	}
}

func TestDjango(t *testing.T) {
	for _, tt := range []struct {
		name, python, require string
		skipped, failed       bool
	}{
		{name: "Django there", python: "true"},
		{name: "no Django", python: "false", skipped: true},
		{name: "no interpreter", python: "/nonexistent/python3", skipped: true},
		{name: "no Django but required", python: "false", require: "1", failed: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("CODEGRANT_TEST_DJANGO", tt.python)
			t.Setenv("CODEGRANT_TEST_REQUIRE", tt.require)
			got := &verdict{TB: t}
			if python := testenv.Django(got); python != tt.python {
				t.Errorf("Django() = %q, want %q", python, tt.python)
			}
			if got.skipped != tt.skipped || got.failed != tt.failed {
				t.Errorf("skipped %t, failed %t, want %t, %t", got.skipped, got.failed, tt.skipped, tt.failed)
			}
		})
	}
}

// TestNode installs nothing: it is about what becomes of a test that cannot.
func TestNode(t *testing.T) {
	for _, tt := range []struct {
		name, npm, require string
		skipped, failed    bool
	}{
		{name: "there", npm: "exit 0"},
		{name: "no registry", npm: "exit 1", skipped: true},
		{name: "no registry but required", npm: "exit 1", require: "1", failed: true},
		{name: "no npm", skipped: true},
		{name: "no npm but required", require: "1", failed: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bin := t.TempDir()
			for name, script := range map[string]string{"node": "exit 0", "npm": tt.npm} {
				if script == "" {
					continue
				}
				if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv("PATH", bin)
			t.Setenv("CODEGRANT_TEST_REQUIRE", tt.require)
			programs := t.TempDir()
			if err := os.WriteFile(filepath.Join(programs, "program.mjs"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			got := &verdict{TB: t}
			_, folder := testenv.Node(got, programs)
			if got.skipped != tt.skipped || got.failed != tt.failed {
				t.Errorf("skipped %t, failed %t, want %t, %t", got.skipped, got.failed, tt.skipped, tt.failed)
			}
			if tt.npm == "exit 0" {
				if _, err := os.Stat(filepath.Join(folder, "program.mjs")); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestFreeAddress: what one test was given, no other one is, until it ends.
func TestFreeAddress(t *testing.T) {
	given := make(map[string]bool)
	for range 200 {
		address := testenv.FreeAddress(t)
		if given[address] {
			t.Fatalf("%s was given twice, and nobody listens there yet", address)
		}
		given[address] = true
	}
}

// TestCommit: a commit that the clone lacks ends a test by name, also where all is required.
func TestCommit(t *testing.T) {
	t.Setenv("CODEGRANT_TEST_REQUIRE", "1")
	missing := &verdict{TB: t}
	testenv.Commit(missing, "1234567890123456789012345678901234567890")
	if !missing.skipped || missing.failed {
		t.Errorf("of a commit that is nowhere: %+v", missing)
	}
	if err := exec.CommandContext(t.Context(), "git", "rev-parse", "HEAD").Run(); err != nil {
		return // these are files without a history
	}
	there := &verdict{TB: t}
	testenv.Commit(there, "HEAD")
	if there.skipped || there.failed {
		t.Errorf("of one that is there: %+v", there)
	}
}
