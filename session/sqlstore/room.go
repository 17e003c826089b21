package sqlstore

import (
	"sync"
	"time"

	"github.com/codegrant/codegrant/cupboard"
)

// To count a shelf takes as long as it has records. One with much room is counted once a
// second at most, and after a part of the room is used: so many processes at once do not
// use more than there is.
const (
	muchRoom   = 10_000
	partOfRoom = 64
	counted    = time.Second
)

// rooms are how much may be put on shelves without counting them.
type rooms struct {
	mu sync.Mutex
	of map[string]room // by the kind's name
}

type room struct {
	left  int
	until time.Time
}

// take reports whether a record may be put without counting.
func (r *rooms) take(kind cupboard.Kind, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	of := r.of[kind.Name]
	if of.left == 0 || !now.Before(of.until) {
		return false
	}
	of.left--
	r.of[kind.Name] = of
	return true
}

// count takes note of how many records there are, of which one is about to be put.
func (r *rooms) count(kind cupboard.Kind, live int, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if free := kind.MaxRecords - live; free < muchRoom {
		delete(r.of, kind.Name)
	} else {
		if r.of == nil {
			r.of = make(map[string]room)
		}
		r.of[kind.Name] = room{free / partOfRoom, now.Add(counted)}
	}
}
