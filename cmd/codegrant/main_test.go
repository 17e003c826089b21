package main

import (
	"context"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"codegrant": func() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) },
	})
}

// TestScripts runs the command as a person would: one file of testdata/script for
// each story.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", RequireExplicitExec: true})
}

func TestDemoStopsCleanly(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if status := run(ctx, []string{"demo", "--listen", "localhost:0", "--pool-listen", "127.0.0.1:0", "--data", t.TempDir()}, t.Output(), t.Output()); status != 0 {
		t.Errorf("status %d after Ctrl-C, want 0", status)
	}
}
