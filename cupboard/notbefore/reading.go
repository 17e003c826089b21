package notbefore

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	readEvery   = 500 * time.Millisecond
	readTimeout = 5 * time.Second
	// patience is how long a call waits for what is known to be current.
	patience = 500 * time.Millisecond
	// idleReads is after how many reads that nobody asked for no more are made.
	idleReads  = 120
	sweepReads = 120
	page       = 1000
	// maxOwed bounds what is to be put on the shelf later.
	maxOwed = 10_000
)

// reader reads marks for as long as somebody asks for them.
type reader struct {
	life context.Context
	end  context.CancelFunc

	mu     sync.Mutex
	closed bool
	first  chan struct{} // closed when the first read of the run is over; nil: nothing runs
	done   chan struct{} // closed when the run is over
	ever   bool          // a read has succeeded
	fault  error         // of the last read
	owed   map[person]mark

	after int64 // the number of the last change that was read; of the run alone
}

// wake begins to read, and waits until what others have left is known.
func (m *Marks) wake(ctx context.Context) error {
	r := &m.reader
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil
	}
	if r.first == nil {
		r.first, r.done = make(chan struct{}), make(chan struct{})
		m.asked.Store(true)
		go m.run(r.first, r.done)
	}
	first := r.first
	r.mu.Unlock()
	select {
	case <-first:
	default:
		timer := time.NewTimer(patience)
		defer timer.Stop()
		select {
		case <-first:
		case <-ctx.Done():
		case <-timer.C:
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ever {
		return nil
	}
	if r.fault == nil {
		return fmt.Errorf("%w: the store has not answered yet", ErrUnavailable)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, r.fault)
}

// run reads until nobody has asked for a minute.
func (m *Marks) run(first, done chan struct{}) {
	r := &m.reader
	defer close(done)
	m.read()
	close(first)
	ticker := time.NewTicker(readEvery)
	defer ticker.Stop()
	for idle, n := 0, 1; ; n++ {
		select {
		case <-r.life.Done():
			return
		case <-ticker.C:
		}
		idle++
		if m.asked.Swap(false) {
			idle = 0
		}
		r.mu.Lock()
		if idle >= idleReads && len(r.owed) == 0 {
			m.current.Store(false)
			r.first = nil
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		m.read()
		if n%sweepReads == 0 {
			m.sweep()
		}
	}
}

// read puts on the shelf what is owed, and reads what is new there.
func (m *Marks) read() {
	r := &m.reader
	ctx, cancel := context.WithTimeout(r.life, readTimeout)
	defer cancel()
	err := m.pay(ctx)
	if readErr := m.readNew(ctx); readErr != nil {
		err = readErr
	}
	if r.life.Err() != nil {
		return
	}
	r.mu.Lock()
	before := r.fault
	r.fault = err
	r.ever = r.ever || err == nil
	m.current.Store(r.ever)
	r.mu.Unlock()
	switch {
	case err != nil && before == nil:
		m.log.Error("not-before marks cannot be read or put on record; tokens of people who were marked elsewhere since are still taken", slog.String("reason", err.Error()))
	case err == nil && before != nil:
		m.log.Info("not-before marks are read and put on record again")
	}
}

func (m *Marks) readNew(ctx context.Context) error {
	m.reader.mu.Lock()
	caughtUp := m.reader.ever // what was left before this process began is no news
	m.reader.mu.Unlock()
	for {
		changes, err := m.store.Watch(ctx, shelf, m.reader.after, page)
		if err != nil {
			return err
		}
		for _, c := range changes {
			m.reader.after = c.Number
			issuer, at, by, ok := decode(c.Value)
			if !ok || c.Gone {
				continue
			}
			p, left := person{issuer, c.Person}, mark{at, c.Until, by}
			if m.learn(p, left) && caughtUp {
				m.tell(ctx, p, left)
			}
		}
		if len(changes) < page {
			return nil
		}
	}
}

// owe has a mark put on the shelf later.
func (r *reader) owe(p person, left mark) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.owed == nil {
		r.owed = make(map[person]mark)
	}
	if len(r.owed) < maxOwed {
		r.owed[p] = left
	}
}

// pay puts on the shelf what could not be before.
func (m *Marks) pay(ctx context.Context) error {
	r := &m.reader
	r.mu.Lock()
	owed := make(map[person]mark, len(r.owed))
	for p, left := range r.owed {
		owed[p] = left
	}
	r.mu.Unlock()
	for p, left := range owed {
		if err := m.put(ctx, p, left); err != nil {
			return err
		}
		r.mu.Lock()
		if r.owed[p] == left {
			delete(r.owed, p)
		}
		r.mu.Unlock()
	}
	return nil
}

// Close stops reading, and waits for a read in progress.
func (m *Marks) Close() error {
	r := &m.reader
	r.mu.Lock()
	r.closed = true
	done := r.done
	r.mu.Unlock()
	r.end()
	if done != nil {
		<-done
	}
	m.current.Store(false)
	return nil
}
