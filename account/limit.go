package account

import (
	"sync"
	"time"
)

// kind is what an attempt costs.
type kind int

const (
	change  kind = iota // of no more than what is the person's
	guess               // of a password or a code
	message             // which somebody is sent
	kinds
)

// In a window, by kind. The pool has limits of its own; these keep one person's session
// from using up what it lets a whole service do.
var most = [kinds]int{change: 60, guess: 10, message: 5}

const (
	window    = 15 * time.Minute
	maxPeople = 1 << 13
)

// attempts counts what people try, in this process. It forgets those of long ago.
type attempts struct {
	now func() time.Time

	mu         sync.Mutex
	young, old map[string]*tried
}

type tried struct {
	since  time.Time
	number [kinds]int
}

// take counts an attempt of a person. It returns how long they have to wait; 0: not at all.
func (a *attempts) take(subject string, k kind) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	t := a.young[subject]
	if t == nil {
		if t = a.old[subject]; t == nil {
			t = new(tried)
		}
		if a.young == nil || len(a.young) >= maxPeople {
			a.young, a.old = make(map[string]*tried), a.young
		}
		a.young[subject] = t
	}
	if age := now.Sub(t.since); age < 0 || age >= window {
		*t = tried{since: now}
	}
	if t.number[k] >= most[k] {
		return t.since.Add(window).Sub(now)
	}
	t.number[k]++
	return 0
}
