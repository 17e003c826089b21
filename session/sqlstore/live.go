package sqlstore

import (
	"context"

	"github.com/codegrant/codegrant/session"
)

// CountLive counts the sessions that have not expired, up to a limit. It reads each of
// them: ask once a minute, not once a request.
func (s *Store) CountLive(ctx context.Context, limit int) (int, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	p, n := s.engine.placeholder, 0
	query := "SELECT count(*) FROM (SELECT 1 FROM codegrant_sessions WHERE expires > " + p(1) + " AND pool <> " + p(2) + " LIMIT " + p(3) + ") counted"
	err := s.again(ctx, true, func() error {
		return s.db.QueryRowContext(ctx, query, micros(s.now()), session.OncePool, limit).Scan(&n)
	})
	if err != nil {
		return 0, s.fail(ctx, "count sessions", err)
	}
	return n, nil
}
