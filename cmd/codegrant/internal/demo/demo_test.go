package demo

import (
	"context"
	"testing"
)

func TestDemoStopsCleanly(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if status := run(ctx, []string{"demo", "--listen", "localhost:0", "--pool-listen", "127.0.0.1:0", "--data", t.TempDir()}, t.Output(), t.Output()); status != 0 {
		t.Errorf("status %d after Ctrl-C, want 0", status)
	}
}
