package keep

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/internal/behind"
	"github.com/codegrant/codegrant/session"
)

// TestS492_AClockThatIsSetBackHoldsNothingUp: what was to wait a moment when the clock was
// ahead does not wait until it is there again.
func TestS492_AClockThatIsSetBackHoldsNothingUp(t *testing.T) {
	now := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	pool := new(countedPool)
	o := newOwed(Owed{Store: cupboard.NewMemory(clock), Keys: session.RandomKeyring(), Binding: "pool client"}, pool, clock, slog.New(slog.DiscardHandler))
	if !o.keep(t.Context(), "alice", "the-refresh-token") || !o.due() || o.due() {
		t.Fatal("a look is due once in a while")
	}
	if err := o.retry(t.Context()); err != nil || pool.revoked.Load() != 0 {
		t.Fatalf("%v, %d revocations at once", err, pool.revoked.Load())
	}
	now = now.Add(-24 * time.Hour)
	if !o.due() {
		t.Error("nobody looks at what is owed before the clock is where it was")
	}
	if err := o.retry(t.Context()); err != nil || pool.revoked.Load() != 1 {
		t.Errorf("%v, %d revocations; it waits until the clock is where it was", err, pool.revoked.Load())
	}

	sweeps := make(chan struct{}, 10)
	work := behind.New(slog.New(slog.DiscardHandler), nil)
	stored := NewStored(StoredConfig{Store: &swept{of: sweeps}, Now: clock, Logger: slog.New(slog.DiscardHandler), Behind: work})
	for _, step := range []struct {
		by   time.Duration
		want int
	}{{0, 1}, {time.Minute, 1}, {-24 * time.Hour, 2}, {time.Minute, 2}} {
		now = now.Add(step.by)
		stored.sweepSometimes()
		if err := work.Wait(t.Context()); err != nil || len(sweeps) != step.want {
			t.Errorf("moved by %v: %d sweeps, %v; want %d", step.by, len(sweeps), err, step.want)
		}
	}
}

type swept struct {
	session.Store
	of chan struct{}
}

func (s *swept) DeleteExpired(context.Context, int) (int, error) {
	s.of <- struct{}{}
	return 0, nil
}
