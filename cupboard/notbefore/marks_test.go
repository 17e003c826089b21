package notbefore_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/cupboard/notbefore"
)

// counted is a cupboard that can be away, and counts how often it is asked.
type counted struct {
	cupboard.Store
	away  atomic.Bool
	reads atomic.Int64
}

func (c *counted) fault() error {
	if c.away.Load() {
		return fmt.Errorf("%w: it is away", cupboard.ErrUnavailable)
	}
	return nil
}

func (c *counted) Watch(ctx context.Context, kind cupboard.Kind, since int64, limit int) ([]cupboard.Change, error) {
	c.reads.Add(1)
	if err := c.fault(); err != nil {
		return nil, err
	}
	return c.Store.Watch(ctx, kind, since, limit)
}

func (c *counted) Put(ctx context.Context, kind cupboard.Kind, r cupboard.Record) error {
	if err := c.fault(); err != nil {
		return err
	}
	return c.Store.Put(ctx, kind, r)
}

const issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E"

func open(t *testing.T, store cupboard.Store) *notbefore.Marks {
	t.Helper()
	m := notbefore.New(notbefore.Config{Store: store, Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() { m.Close() })
	return m
}

func want(t *testing.T, m *notbefore.Marks, issuer, subject string, at time.Time) {
	t.Helper()
	got, err := m.NotBefore(t.Context(), issuer, subject)
	if err != nil || !got.Equal(at) {
		t.Errorf("mark of %s = %v, %v; want %v", subject, got, err, at)
	}
}

func TestS580_EveryProcessKnowsWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &counted{Store: cupboard.NewMemory(time.Now)}
		one, two := open(t, store), open(t, store)
		want(t, two, issuer, "alice", time.Time{})
		at := time.Now()
		if err := one.Leave(t.Context(), issuer, "alice", at, "a test"); err != nil {
			t.Fatal(err)
		}
		want(t, one, issuer, "alice", at) // at once
		time.Sleep(time.Second)
		want(t, two, issuer, "alice", at)
		want(t, two, issuer, "bob", time.Time{})
		want(t, two, issuer+"2", "alice", time.Time{})

		// Never back in time, from whichever process.
		if err := two.Leave(t.Context(), issuer, "alice", at.Add(-time.Hour), "a test"); err != nil {
			t.Fatal(err)
		}
		later := at.Add(time.Second)
		if err := two.Leave(t.Context(), issuer, "alice", later, "a test"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		want(t, one, issuer, "alice", later)

		// One that begins later knows what was left before.
		three := open(t, store)
		want(t, three, issuer, "alice", later)

		// Also after it was not asked for long.
		time.Sleep(time.Hour)
		if err := one.Leave(t.Context(), issuer, "bob", later, "a test"); err != nil {
			t.Fatal(err)
		}
		want(t, two, issuer, "bob", later)
	})
}

func TestNobodyAsksNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &counted{Store: cupboard.NewMemory(time.Now)}
		m := open(t, store)
		synctest.Wait()
		if n := store.reads.Load(); n != 0 {
			t.Errorf("%d reads before anybody asked", n)
		}
		for range 1000 {
			want(t, m, issuer, "alice", time.Time{})
		}
		if n := store.reads.Load(); n != 1 {
			t.Errorf("%d reads for a thousand questions at once", n)
		}
		time.Sleep(2 * time.Minute)
		n := store.reads.Load()
		time.Sleep(time.Hour)
		if more := store.reads.Load() - n; more != 0 {
			t.Errorf("%d reads in an hour that nobody asked in", more)
		}
	})
}

func TestMarksEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, store := range []cupboard.Store{nil, cupboard.NewMemory(time.Now)} {
			m := notbefore.New(notbefore.Config{Store: store, Keep: 10 * time.Minute, Logger: slog.New(slog.DiscardHandler)})
			at := time.Now()
			if err := m.Leave(t.Context(), issuer, "alice", at, "a test"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(9 * time.Minute)
			want(t, m, issuer, "alice", at)
			time.Sleep(time.Minute)
			want(t, m, issuer, "alice", time.Time{})
			m.Close()
			m.Close()
		}
	})
}

// TestS581_AStoreThatIsAway: who has never answered makes it unknown; who has answered
// once is read again when it is back, and told what was left meanwhile.
func TestS581_AStoreThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &counted{Store: cupboard.NewMemory(time.Now)}
		store.away.Store(true)
		m := open(t, store)
		if _, err := m.NotBefore(t.Context(), issuer, "alice"); !errors.Is(err, notbefore.ErrUnavailable) {
			t.Errorf("before any answer: %v", err)
		}
		store.away.Store(false)
		time.Sleep(time.Second)
		want(t, m, issuer, "alice", time.Time{})

		store.away.Store(true)
		at := time.Now()
		if err := m.Leave(t.Context(), issuer, "alice", at, "a test"); !errors.Is(err, notbefore.ErrUnavailable) {
			t.Errorf("left while the store is away: %v", err)
		}
		want(t, m, issuer, "alice", at)
		time.Sleep(time.Minute)
		want(t, m, issuer, "alice", at)
		store.away.Store(false)
		time.Sleep(time.Second)
		want(t, open(t, store), issuer, "alice", at)
	})
}

func TestLeaveRefuses(t *testing.T) {
	m := open(t, nil)
	for _, who := range [][2]string{{"", "alice"}, {issuer, ""}} {
		if err := m.Leave(t.Context(), who[0], who[1], time.Now(), "a test"); err == nil {
			t.Errorf("a mark of %q", who)
		}
	}
	if m.Shared() {
		t.Error("marks without a store are shared")
	}
	m = open(t, cupboard.NewMemory(nil))
	for _, subject := range []string{strings.Repeat("s", 256), "a\x00b", "\xff"} { // which not every database takes
		if err := m.Leave(t.Context(), issuer, subject, time.Now(), "a test"); err == nil || errors.Is(err, notbefore.ErrUnavailable) {
			t.Errorf("%.10q, a subject that nobody has: %v", subject, err)
		}
		if at, err := m.NotBefore(t.Context(), issuer, subject); !at.IsZero() || err != nil {
			t.Errorf("%.10q is marked: %v, %v", subject, at, err)
		}
	}
}

// TestS582_NoAllocations: a request is answered from memory.
func TestS582_NoAllocations(t *testing.T) {
	m := open(t, cupboard.NewMemory(nil))
	if err := m.Leave(t.Context(), issuer, "alice", time.Now(), "a test"); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for _, subject := range []string{"alice", "bob"} {
		if _, err := m.NotBefore(ctx, issuer, subject); err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() { _, _ = m.NotBefore(ctx, issuer, subject) }); n != 0 {
			t.Errorf("%v allocations for %s", n, subject)
		}
	}
}

func BenchmarkNotBefore(b *testing.B) {
	m := notbefore.New(notbefore.Config{Store: cupboard.NewMemory(nil)})
	defer m.Close()
	if err := m.Leave(b.Context(), issuer, "alice", time.Now(), "a test"); err != nil {
		b.Fatal(err)
	}
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		_, _ = m.NotBefore(ctx, issuer, "bob")
	}
}
