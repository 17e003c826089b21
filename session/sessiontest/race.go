package sessiontest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/codegrant/codegrant/session"
)

var raceCases = []testCase{
	{"race of creates", "of all who create one ID, one wins, even where an expired session had it", raceOfCreates},
	{"race of swaps", "of all who swap one version, one wins: the counter equals the wins", raceOfSwaps},
	{"race of swap and delete", "S-083: a delete wins over every swap", raceOfDelete},
	{"race of swap and mark", "a mark is not washed away by who read the record before it", raceOfMark},
	{"race of sessions", "sessions do not mix, however many are made, read and ended at once", raceOfSessions},
}

func raceOfCreates(s *suite) {
	s.create(s.record("a"))
	s.Advance(2 * time.Hour)
	for _, id := range []string{"a", "b"} {
		var wins atomic.Int64
		var winner atomic.Value
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				r := s.recordOf(fmt.Sprint("person ", i), id)
				switch err := s.Store.Create(s.Context(), r); {
				case err == nil:
					wins.Add(1)
					winner.Store(r.Subject)
				case !errors.Is(err, session.ErrExists):
					s.Errorf("Create = %v", err)
				}
			})
		}
		wg.Wait()
		if wins.Load() != 1 {
			s.Errorf("%d created session %s", wins.Load(), id)
		}
		if got := s.get(id).Subject; got != winner.Load() {
			s.Errorf("session %s is of %s, and %s got that answer", id, got, winner.Load())
		}
	}
}

func raceOfSwaps(s *suite) {
	s.create(s.record("a"))
	var wins atomic.Int64
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			for range 3 {
				r, err := s.Store.Get(s.Context(), "a")
				if err != nil {
					s.Errorf("Get = %v", err)
					return
				}
				switch _, err := s.Store.CompareAndSwap(s.Context(), r); {
				case err == nil:
					wins.Add(1)
				case !errors.Is(err, session.ErrConflict):
					s.Errorf("CompareAndSwap = %v", err)
				}
			}
		})
	}
	wg.Wait()
	if got := s.get("a").Version; got != 1+wins.Load() || wins.Load() == 0 {
		s.Errorf("version %d after %d wins", got, wins.Load())
	}
}

// keepSwapping reads and swaps a session until it is gone, or until enough is
// enough, and hands each record to change.
func (s *suite) keepSwapping(id string, enough <-chan struct{}, change func(*session.Record)) {
	for {
		r, err := s.Store.Get(s.Context(), id)
		if err == nil {
			change(&r)
			_, err = s.Store.CompareAndSwap(s.Context(), r)
		}
		switch {
		case errors.Is(err, session.ErrNotFound):
			return
		case err != nil && !errors.Is(err, session.ErrConflict):
			s.Errorf("swap session %s: %v", id, err)
			return
		}
		select {
		case <-enough:
			return
		default:
		}
	}
}

func raceOfDelete(s *suite) {
	for i := range 20 {
		id, enough := fmt.Sprint("r", i), make(chan struct{})
		s.create(s.record(id))
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() { s.keepSwapping(id, enough, func(*session.Record) {}) })
		}
		if i%2 == 0 {
			s.must("Delete", s.Store.Delete(s.Context(), id))
		} else {
			n, err := s.Store.DeleteBySubject(s.Context(), pool, alice)
			s.wantCount("DeleteBySubject", n, err, 1)
		}
		close(enough)
		wg.Wait()
		s.gone(id)
	}
}

func raceOfMark(s *suite) {
	for i := range 10 {
		id, enough := fmt.Sprint("r", i), make(chan struct{})
		s.create(s.recordOf(id, id))
		var marked atomic.Bool
		var wg sync.WaitGroup
		for range 8 {
			// Nobody here takes a mark off: each writes what it read.
			wg.Go(func() {
				s.keepSwapping(id, enough, func(r *session.Record) {
					if r.Stale && !marked.Load() {
						s.Errorf("a mark that nobody made")
					}
				})
			})
		}
		marked.Store(true)
		n, err := s.Store.MarkStale(s.Context(), pool, id)
		s.wantCount("MarkStale", n, err, 1)
		close(enough)
		wg.Wait()
		if !s.get(id).Stale {
			s.Errorf("the mark was washed away")
		}
	}
}

func raceOfSessions(s *suite) {
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			id := fmt.Sprint("session ", i)
			for range 5 {
				r := s.recordOf(fmt.Sprint("person ", i%4), id)
				if err := s.Store.Create(s.Context(), r); err != nil {
					s.Errorf("Create = %v", err)
					return
				}
				got, err := s.Store.Get(s.Context(), id)
				if err != nil || got.ID != id || got.Subject != r.Subject || string(got.Sealed) != string(r.Sealed) {
					s.Errorf("Get(%s) = %+v, %v", id, got, err)
					return
				}
				if err := s.Store.Delete(s.Context(), id); err != nil {
					s.Errorf("Delete = %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	if page, err := s.Store.List(s.Context(), session.Query{}); err != nil || len(page) != 0 {
		s.Errorf("List = %d records, %v, want none", len(page), err)
	}
}
