package sqlreplica

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// TestS792_ErasedMeanwhile: another process erases somebody after a call has read them, and
// before it takes hold of their row. The call comes to an end, as if it had begun afterwards.
func TestS792_ErasedMeanwhile(t *testing.T) {
	for name, call := range map[string]struct {
		do   func(context.Context, *Store, int64) error
		want error // nil: they are there again
	}{
		"apply": {func(ctx context.Context, s *Store, _ int64) error {
			_, err := s.Apply(ctx, person(1, 5, "b"))
			return err
		}, nil},
		"batch": {func(ctx context.Context, s *Store, _ int64) error {
			_, err := s.ApplyBatch(ctx, []replica.Snapshot{person(1, 5, "b"), person(2, 5, "b")})
			return err
		}, nil},
		"grant": {func(ctx context.Context, s *Store, id int64) error {
			_, err := s.GrantLocalGroup(ctx, id, "c")
			return err
		}, replica.ErrNotFound},
		"merge": {func(ctx context.Context, s *Store, id int64) error { _, err := s.Merge(ctx, id, 1, "me"); return err }, replica.ErrNotFound},
		"erase": {func(ctx context.Context, s *Store, id int64) error {
			_, err := s.Erase(ctx, id, EraseOptions{By: "me"})
			return err
		}, replica.ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			eachEngine(t, func(t *testing.T, e testEngine) {
				dsn := e.create(t)
				spy := &spy{}
				// With OnChange, every change is a transaction.
				config := Config{Dialect: e.dialect, OnChange: func(context.Context, *sql.Tx, replica.Change) error { return nil }}
				s, err := New(spy.open(t, e.driver, dsn), config)
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Migrate(t.Context()); err != nil {
					t.Fatal(err)
				}
				db, err := sql.Open(e.driver, dsn)
				if err != nil {
					t.Fatal(err)
				}
				defer db.Close()
				other, err := New(db, config)
				if err != nil {
					t.Fatal(err)
				}
				apply(t, s, person(3, 0, "a"))
				id := apply(t, s, person(1, 0, "a")).User.ID
				erased := false
				spy.stopping(func(operation, _ string) (err error) {
					if operation == "begin" && !erased {
						erased = true
						_, err = other.Erase(t.Context(), id, EraseOptions{By: "me"})
					}
					return err
				})
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if err := call.do(ctx, s, id); !errors.Is(err, call.want) || !erased {
					t.Errorf("%v, erased meanwhile %v; want %v", err, erased, call.want)
				}
				u, err := s.UserBySubject(t.Context(), testIssuer, "subject-1")
				if call.want == nil && (err != nil || u.ID == id || !u.InGroup("b")) || call.want != nil && !errors.Is(err, replica.ErrNotFound) {
					t.Errorf("afterwards: %+v, %v", u, err)
				}
			})
		})
	}
}
