package session

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// catchUp sees to it that what others have put on record is known soon, and waits for
// it where what is known is old.
func (s *EnduringStore) catchUp(ctx context.Context) {
	now, fresh := s.now().UnixNano(), s.fresh.Load()
	age := time.Duration(now - fresh).Abs()
	if fresh != 0 && age < endsEvery {
		return
	}
	s.mu.Lock()
	if s.flight == nil && !s.closed {
		s.flight = make(chan struct{})
		go s.read(s.flight)
	}
	flight := s.flight
	s.mu.Unlock()
	if flight == nil || fresh != 0 && (age < endsAge || s.down.Load()) {
		return
	}
	patience := time.NewTimer(endsPatience)
	defer patience.Stop()
	select {
	case <-flight:
	case <-ctx.Done():
	case <-patience.C:
		s.failed(context.DeadlineExceeded)
	}
}

// read puts on record what is owed, and reads what is new.
func (s *EnduringStore) read(flight chan struct{}) {
	err := errors.Join(s.pay(), s.readNew())
	if err == nil {
		if s.down.Swap(false) {
			s.log.Info("ends of sessions are read and put on record again")
		}
		s.fresh.Store(s.now().UnixNano())
	} else if s.life.Err() == nil {
		s.failed(err)
	}
	s.known.sweep(s.now())
	s.mu.Lock()
	s.flight = nil
	s.mu.Unlock()
	close(flight)
}

// failed takes note that ends are out of reach, and says so once.
func (s *EnduringStore) failed(err error) {
	s.fresh.Store(s.now().UnixNano())
	if !s.down.Swap(true) {
		s.log.Error("ends of sessions cannot be read or recorded; Codegrant continues with what it knows, and an ended session may come back if its store forgets the end, too",
			slog.String("reason", err.Error()))
	}
}

// pay puts on record what could not be before.
func (s *EnduringStore) pay() error {
	s.mu.Lock()
	owed := s.owed
	s.mu.Unlock()
	if len(owed) == 0 {
		return nil
	}
	if err := s.ends.PutEnds(s.life, owed...); err != nil {
		return err
	}
	s.mu.Lock()
	s.owed = s.owed[len(owed):]
	s.mu.Unlock()
	return nil
}

// readNew reads from where the last reads have come to, a while ago: numbers that were
// given then may have come to be seen since.
func (s *EnduringStore) readNew() error {
	began, after := s.now(), s.floor
	for {
		page, err := s.ends.EndsAfter(s.life, after, endsPage)
		if err != nil {
			return err
		}
		s.learn(page)
		if len(page) > 0 {
			after = page[len(page)-1].Number
		}
		if len(page) < endsPage {
			break
		}
	}
	switch {
	case s.nextSet.IsZero(): // all were read; what may come to be seen late is among the last
		s.floor, s.next, s.nextSet = max(0, after-endsPage), after, began
	case began.Sub(s.nextSet).Abs() >= endsBack:
		s.floor, s.next, s.nextSet = s.next, after, began
	}
	return nil
}
