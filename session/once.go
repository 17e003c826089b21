package session

import (
	"fmt"
	"sync"
	"time"
)

// onceMemory keeps the records of [OncePool], which strangers can cause: they have a
// bound of their own, and the oldest give way.
type onceMemory struct {
	mu    sync.Mutex
	seen  map[string]time.Time // until when
	queue []string             // in the order in which they came
}

const maxOnce = 1 << 16

func (o *onceMemory) create(record Record, now time.Time) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.queue) > 0 && (len(o.queue) >= maxOnce || !now.Before(o.seen[o.queue[0]])) {
		delete(o.seen, o.queue[0])
		o.queue = o.queue[1:]
	}
	if until, ok := o.seen[record.ID]; ok && now.Before(until) {
		return fmt.Errorf("note what happens once: %w", ErrExists)
	} else if !ok {
		o.queue = append(o.queue, record.ID)
	}
	if o.seen == nil {
		o.seen = make(map[string]time.Time)
	}
	o.seen[record.ID] = record.Expires
	return nil
}
