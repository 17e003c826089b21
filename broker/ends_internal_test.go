package broker

import (
	"strconv"
	"testing"
	"time"
)

// TestEndsAreBounded in memory and in time; the newest is known.
func TestEndsAreBounded(t *testing.T) {
	var l lasting
	now := time.Now()
	for i := range 4 * maxEnds {
		l.remember(strconv.Itoa(i), 0, now)
	}
	if n := len(l.young) + len(l.old); n > 2*maxEnds || n < maxEnds {
		t.Errorf("%d ends are remembered, of %d at most", n, 2*maxEnds)
	}
	last := &waiter{grant: strconv.Itoa(4*maxEnds - 1)}
	if !l.isOver(last) || !l.isOver(&waiter{grant: strconv.Itoa(3 * maxEnds)}) || l.isOver(&waiter{grant: "0"}) {
		t.Error("the newest is forgotten, or the first is known")
	}
	for minute := range 3 {
		l.remember("later", 0, now.Add(time.Duration(minute+1)*(endsKept+time.Second)))
	}
	if n := len(l.young) + len(l.old); n != 2 || l.isOver(last) {
		t.Errorf("%d ends are remembered for minutes", n)
	}
}
