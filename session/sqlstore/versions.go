package sqlstore

import (
	"context"
	"fmt"

	"github.com/codegrant/codegrant/session"
)

// Versions says which version the tables are of, 0 where there are none, and which one
// [Store.Migrate] would bring them to. Tables of a newer version are left alone. It changes
// nothing.
func (s *Store) Versions(ctx context.Context) (have, want int64, err error) {
	fail := func(err error) (int64, int64, error) {
		return 0, 0, fmt.Errorf("look at the version of sessions: %w: %w", session.ErrUnavailable, err)
	}
	if want, err = steps.Newest(s.db, s.engine.dialect); err != nil {
		return fail(err)
	}
	if have, err = steps.Done(ctx, s.db, s.engine.dialect); err != nil {
		return fail(err)
	}
	return have, want, nil
}
