package quota

import (
	"testing"
	"time"
)

type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

// taken counts how many of n are allowed at once.
func taken(n int, take func() bool) (ok int) {
	for range n {
		if take() {
			ok++
		}
	}
	return ok
}

func TestLimiter(t *testing.T) {
	c := &clock{time.Unix(1e9, 0)}
	l := New(c.now)
	list := func() bool { return l.Take(UserList) }
	if n := taken(1000, list); n != 1000 {
		t.Errorf("without limits: %d of 1000", n)
	}
	l.Set(UserList, 30)
	for _, tt := range []struct {
		passed time.Duration
		want   int
	}{{0, 30}, {100 * time.Millisecond, 3}, {time.Second, 30}, {time.Hour, 30}, {-time.Hour, 0}, {50 * time.Millisecond, 1}} {
		c.at = c.at.Add(tt.passed)
		if n := taken(100, list); n != tt.want {
			t.Errorf("after %v: %d of 100, want %d", tt.passed, n, tt.want)
		}
	}
	if n := l.Throttled(UserList); n != 600-94 {
		t.Errorf("throttled %d", n)
	}
	if n := taken(10, func() bool { return l.Take(UserRead) }); n != 10 {
		t.Errorf("another category: %d of 10", n)
	}
	l.Set(UserList, 0)
	if n := taken(100, list); n != 100 {
		t.Errorf("after the limit: %d of 100", n)
	}
}

// TestLimiter_Rate holds what passes in a minute of eager calls to the rate.
func TestLimiter_Rate(t *testing.T) {
	for _, rate := range []float64{0.5, 5, 30, 120} {
		c := &clock{time.Unix(1e9, 0)}
		l := New(c.now)
		l.Set(UserList, rate)
		n := taken(60_000, func() bool {
			c.at = c.at.Add(time.Millisecond)
			return l.Take(UserList)
		})
		if want := 61 * rate; float64(n) < 60*rate-1 || float64(n) > want+1 {
			t.Errorf("%v a second: %d in a minute", rate, n)
		}
	}
}

func TestLimiter_Special(t *testing.T) {
	c := &clock{time.Unix(1e9, 0)}
	l := New(c.now)
	for category, rate := range Defaults() {
		if !Known(category) {
			t.Errorf("%s is not known", category)
		}
		l.Set(category, rate)
	}
	if n := taken(20, func() bool { return l.TakeFor(UserPoolResourceRead, "ListGroups", "a") }); n != 5 {
		t.Errorf("one operation on one pool: %d", n)
	}
	if n := taken(20, func() bool { return l.TakeFor(UserPoolResourceRead, "GetGroup", "a") }); n != 5 {
		t.Errorf("another operation: %d", n)
	}
	taken(20, func() bool { return l.TakeFor(UserPoolResourceRead, "ListGroups", "b") })
	if n := taken(20, func() bool { return l.TakeFor(UserPoolResourceRead, "ListGroups", "c") }); n != 5 {
		t.Errorf("the last of the category: %d", n)
	}
	if l.TakeFor(UserPoolResourceRead, "ListGroups", "d") {
		t.Error("a category is of all pools together")
	}
	if n := taken(40, func() bool { return l.TakeFor(UserList, "ListUsers", "a") }); n != 30 {
		t.Errorf("a category without limits by pool: %d", n)
	}
	if n := taken(1000, l.TakeAnswer); n != 480 {
		t.Errorf("answers, and then sign-ins: %d", n)
	}
	if l.Take(UserAuthentication) {
		t.Error("answers beyond their own limit count as sign-ins")
	}
	if n := taken(1000, l.TakeCode); n != 120 {
		t.Errorf("codes: %d", n)
	}
}
