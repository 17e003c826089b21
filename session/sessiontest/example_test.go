package sessiontest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/session/sessiontest"
)

// The test of a store of your own. Each case gets a store that is empty.
func ExampleRun() {
	test := func(t *testing.T) {
		sessiontest.Run(t, func(*testing.T) sessiontest.Harness {
			now := time.Now()
			clock := func() time.Time { return now }
			return sessiontest.Harness{
				Store: session.NewMemoryStore(session.MemoryConfig{Now: clock}), Now: clock,
				Advance: func(d time.Duration) { now = now.Add(d) },
			}
		})
	}
	_ = test // TestStore, in your package
}

// A harness of a store: its clock moves only where a test says so.
func ExampleHarness() {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	h := sessiontest.Harness{
		Store: session.NewMemoryStore(session.MemoryConfig{Now: clock}), Now: clock,
		Advance: func(d time.Duration) { now = now.Add(d) },
	}
	ctx, handle := context.Background(), session.NewHandle()
	record := session.Record{ID: handle.RecordID(), Pool: "issuer and client", Subject: "alice", Created: h.Now(), LastSeen: h.Now(), Expires: h.Now().Add(time.Hour)}
	record.Sealed = handle.Seal(record, []byte("her tokens"))
	fmt.Println("created:", h.Store.Create(ctx, record))

	h.Advance(2 * time.Hour)
	_, err := h.Store.Get(ctx, record.ID)
	fmt.Println("expired:", errors.Is(err, session.ErrNotFound))
	// Output:
	// created: <nil>
	// expired: true
}
