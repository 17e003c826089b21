package webhook

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestS795_PostedOnce: however many processes post an event at once, and again when its
// message was sent, there is one message. Where one is cut off, there is none, or all.
func TestS795_PostedOnce(t *testing.T) {
	eachEngine(t, func(t *testing.T, r *rig) {
		to := []Endpoint{{Name: "a", Events: []string{Moves}}, {Name: "b", Events: []string{Sessions}}}
		at := time.Now()
		events := make([]Event, 40)
		for i := range events {
			events[i] = Event{ID: fmt.Sprint("reminder ", i), Kind: Moves, Type: TypeMoveReminder, Issuer: testIssuer, Subject: fmt.Sprint(i), At: at, Data: i}
		}
		count := func() (n int) {
			t.Helper()
			if err := r.db.QueryRowContext(t.Context(), "SELECT count(*) FROM codegrant_webhooks").Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		cut, cancel := context.WithCancel(t.Context())
		cancel()
		if n, err := r.queue.PostOnce(cut, to, time.Hour, events...); err == nil || n != 0 || count() != 0 {
			t.Errorf("cut off: %d posted, %d there, %v", n, count(), err)
		}
		if n, err := r.queue.PostOnce(t.Context(), to, time.Hour, append([]Event{{Kind: Moves}}, events...)...); err == nil || n != 0 || count() != 0 {
			t.Errorf("an event without an ID: %d posted, %d there, %v", n, count(), err)
		}
		var posted atomic.Int64
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				mine := append(append([]Event{}, events[i*5:]...), events[:i*5]...) // each in another order
				for range 100 {
					n, err := r.queue.PostOnce(t.Context(), to, time.Hour, mine...)
					if posted.Add(int64(n)); err == nil {
						return
					}
				}
				t.Error("it never came through")
			})
		}
		all.Wait()
		if posted.Load() != int64(len(events)) || count() != len(events) {
			t.Errorf("%d posted, %d there, want %d", posted.Load(), count(), len(events))
		}
		if _, err := r.db.ExecContext(t.Context(), "DELETE FROM codegrant_webhooks"); err != nil { // they are sent
			t.Fatal(err)
		}
		if n, err := r.queue.PostOnce(t.Context(), to, time.Hour, events...); err != nil || n != 0 || count() != 0 {
			t.Errorf("again: %d posted, %d there, %v", n, count(), err)
		}
		if err := r.queue.ForgetOnce(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		if n, err := r.queue.PostOnce(t.Context(), to, time.Hour, events...); err != nil || n != 0 {
			t.Errorf("forgotten too early: %d, %v", n, err)
		}
		if err := r.queue.ForgetOnce(t.Context(), at.Add(2*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if n, err := r.queue.PostOnce(t.Context(), to, time.Hour, events...); err != nil || n != len(events) {
			t.Errorf("after an hour: %d, %v", n, err)
		}
	})
}
