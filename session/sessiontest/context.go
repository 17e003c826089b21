package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/codegrant/codegrant/session"
)

var contextCases = []testCase{
	{"cancelled", "a context that ended is a fault of the call, never a missing session", cancelled},
	{"cancelled meanwhile", "S-165: calls that are cut off leave nobody with another one's record", cancelledMeanwhile},
}

func cancelled(s *suite) {
	want := s.create(s.record("a"))
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	_, err := s.Store.Get(ctx, "a")
	s.wantError("Get", err, session.ErrUnavailable)
	if !errors.Is(err, context.Canceled) {
		s.Errorf("Get = %v, which does not say that the context was cancelled", err)
	}
	_, err = s.Store.CompareAndSwap(ctx, want)
	s.wantError("CompareAndSwap", err, session.ErrUnavailable)
	s.wantError("Create", s.Store.Create(ctx, s.record("b")), session.ErrUnavailable)
	s.wantError("Delete", s.Store.Delete(ctx, "a"), session.ErrUnavailable)
	_, err = s.Store.List(ctx, session.Query{})
	s.wantError("List", err, session.ErrUnavailable)
	_, err = s.Store.DeleteBySubject(ctx, pool, alice)
	s.wantError("DeleteBySubject", err, session.ErrUnavailable)
	_, err = s.Store.MarkStale(ctx, pool, alice)
	s.wantError("MarkStale", err, session.ErrUnavailable)
	s.wantEqual(s.get("a"), want)
	s.gone("b")
}

func cancelledMeanwhile(s *suite) {
	const people = 4
	for i := range people {
		s.create(s.recordOf(fmt.Sprint("person ", i), fmt.Sprint(i)))
	}
	var wg sync.WaitGroup
	for i := range people * 4 {
		wg.Go(func() {
			id := fmt.Sprint(i % people)
			for round := range 50 {
				ctx, cancel := context.WithTimeout(s.Context(), time.Duration(round)*10*time.Microsecond)
				r, err := s.Store.Get(ctx, id)
				cancel()
				switch {
				case err == nil && (r.ID != id || r.Subject != "person "+id || string(r.Sealed) != "sealed "+id):
					s.Errorf("Get(%s) = %+v", id, r)
				case err != nil:
					s.wantError("Get", err, session.ErrUnavailable)
				}
			}
		})
	}
	wg.Wait()
	for i := range people {
		s.get(fmt.Sprint(i))
	}
}
