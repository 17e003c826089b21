package sqlreplica

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/codegrant/codegrant/replica"
)

// TestApplyIdentity: an identity is linked to its person from the beginning, with those that
// were merged with it; of somebody who is not there, nothing is written.
func TestApplyIdentity(t *testing.T) {
	check := func(t *testing.T, s *Store) {
		id, other := beforeErasure(t, s)
		before := everything(t, s)
		for _, snapshot := range []replica.Snapshot{person(7, 9, "a"), person(3, 9, "b")} {
			if _, err := s.ApplyIdentity(t.Context(), snapshot, 4711, "me"); !errors.Is(err, replica.ErrNotFound) {
				t.Errorf("of nobody: %v", err)
			}
		}
		if after := everything(t, s); after != before {
			t.Errorf("of nobody, it writes\n%s\nand it was\n%s", after, before)
		}
		linked := func(user replica.User, err error, more int64) {
			t.Helper()
			if err != nil || user.Person() != id || user.LinkedTo != id {
				t.Errorf("%+v, %v", user, err)
			}
			for _, row := range []int64{user.ID, more} {
				stored, err := s.User(t.Context(), row)
				if err != nil || stored.LinkedTo != id {
					t.Errorf("stored: %+v, %v", stored, err)
				}
			}
		}
		second, err := s.UserBySubject(t.Context(), testIssuer, person(2, 0).Subject)
		if err != nil {
			t.Fatal(err)
		}
		user, err := s.ApplyIdentity(t.Context(), person(8, 9, "a"), second.ID, "me") // whom any identity names
		linked(user, err, user.ID)
		again, err := s.ApplyIdentity(t.Context(), person(8, 9, "a"), id, "me")
		linked(again, err, user.ID)
		another := apply(t, s, person(9, 0, "a")).User.ID
		if _, err := s.Merge(t.Context(), another, other, "me"); err != nil {
			t.Fatal(err)
		}
		user, err = s.ApplyIdentity(t.Context(), person(3, 10, "c"), id, "me")
		linked(user, err, another)
		if !user.InGroup("c") {
			t.Errorf("groups %v", user.Groups)
		}
		own, err := s.ApplyIdentity(t.Context(), person(1, 11, "d"), id, "me")
		if err != nil || own.LinkedTo != 0 || own.ID != id || !own.InGroup("d") {
			t.Errorf("their own row: %+v, %v", own, err)
		}
	}
	eachEngine(t, func(t *testing.T, e testEngine) { check(t, e.remembered(t, Config{Outbox: &Outbox{}})) })
	eachDjango(t, func(t *testing.T, s *Store) { check(t, s) })
}

// TestApplyIdentityIsTold: the application and the outbox hear of the statement and of the
// link, in this order; if the application refuses, neither is made.
func TestApplyIdentityIsTold(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		var told []replica.Change
		refuse := errors.New("no")
		var fault error
		s := e.remembered(t, Config{OnChange: func(_ context.Context, _ *sql.Tx, c replica.Change) error {
			told = append(told, c)
			if c.Merged != nil {
				return fault
			}
			return nil
		}})
		id := apply(t, s, person(1, 0, "a")).User.ID
		told, fault = nil, refuse
		before := everything(t, s)
		if _, err := s.ApplyIdentity(t.Context(), person(2, 0, "a"), id, "me"); !errors.Is(err, refuse) {
			t.Error(err)
		}
		if after := everything(t, s); after != before {
			t.Errorf("half of it is made:\n%s\nand it was\n%s", after, before)
		}
		told, fault = nil, nil
		user, err := s.ApplyIdentity(t.Context(), person(2, 0, "a"), id, "me")
		if err != nil || len(told) != 2 || !told[0].Created || told[1].Merged == nil || *told[1].Merged != (replica.Merged{From: user.ID, Into: id}) {
			t.Errorf("told %+v, %v", told, err)
		}
	})
}

// TestS823_AnIdentityBesideAnErasure: whichever of the two is first, nothing of the person is
// left.
func TestS823_AnIdentityBesideAnErasure(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		s, _ := e.store(t, Config{})
		for round := range 20 {
			id := apply(t, s, person(2*round, 0, "a")).User.ID
			if round%2 == 0 { // the identity is there already
				if _, err := s.ApplyIdentity(t.Context(), person(2*round+1, 0, "a"), id, "me"); err != nil {
					t.Fatal(err)
				}
			}
			var both sync.WaitGroup
			both.Go(func() {
				if _, err := s.ApplyIdentity(t.Context(), person(2*round+1, 1, "b"), id, "me"); err != nil && !errors.Is(err, replica.ErrNotFound) {
					t.Error(err)
				}
			})
			both.Go(func() {
				if _, err := s.Erase(t.Context(), id, EraseOptions{By: "me"}); err != nil {
					t.Error(err)
				}
			})
			both.Wait()
			for _, n := range []int{2 * round, 2*round + 1} {
				if u, err := s.UserBySubject(t.Context(), testIssuer, fmt.Sprint("subject-", n)); !errors.Is(err, replica.ErrNotFound) {
					t.Errorf("round %d: left is %+v, %v", round, u, err)
				}
			}
		}
	})
}
