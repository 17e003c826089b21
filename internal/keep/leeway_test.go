package keep

import (
	"testing"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/session"
)

// TestS079_SessionsRefreshApart: a thousand sessions whose tokens end together do not
// ask the pool together, and one that failed waits longer each time.
func TestS079_SessionsRefreshApart(t *testing.T) {
	began := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	e := &engine{before: time.Minute}
	seconds := make(map[time.Duration]int)
	for range 1000 {
		l := &Held{Key: Key(session.NewHandle().RecordID())}
		l.Issued, l.Expires = began, began.Add(time.Hour)
		leeway := e.leeway(l)
		if leeway < 30*time.Second || leeway > time.Minute || leeway != e.leeway(l) {
			t.Fatalf("refreshed %v before the end", leeway)
		}
		seconds[leeway.Truncate(time.Second)]++
	}
	for second, n := range seconds {
		if n > 100 {
			t.Errorf("%d of 1000 sessions are refreshed %v before the end", n, second)
		}
	}

	now := began
	flights := newFlights(func() time.Time { return now })
	for _, wait := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 15 * time.Second, 15 * time.Second} {
		flight, leader := flights.join("one")
		if !leader {
			t.Fatalf("the pool is not asked, and the wait before %v is over", wait)
		}
		flight.err = cognito.ErrUnavailable
		flights.finish("one", flight)
		now = now.Add(wait - 1)
		if _, leader := flights.join("one"); leader {
			t.Errorf("the pool is asked again within %v", wait)
		}
		if other, leader := flights.join("other"); !leader {
			t.Error("another session waits as well")
		} else {
			flights.finish("other", other)
		}
		now = now.Add(1)
	}
}
