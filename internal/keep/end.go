package keep

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"
)

// End ends every sign-in that a request carries, takes the cookies back, and has the
// pool revoke the refresh tokens, for which it waits a moment. Each step stands when a
// later one fails. The error says that not all of them may have ended.
func (s *Sessions) End(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	var oldErr error
	if s.before != nil {
		oldErr = s.before.End(ctx, w, r)
	}
	found, err := s.keeper.All(r)
	err = errors.Join(err, oldErr)
	s.keeper.Forget(w)
	ending := context.WithoutCancel(ctx)
	var revoked []<-chan struct{}
	for _, h := range found {
		last, endErr := s.keeper.End(ending, h)
		if endErr != nil {
			err = errors.Join(err, endErr)
		}
		if last == nil {
			continue
		}
		s.log.LogAttrs(ctx, slog.LevelInfo, "signed out", slog.String("sub", last.Subject), slog.String("session", last.Key.Short()))
		s.forgetNote(last)
		revoked = append(revoked, s.revoke.beside(ctx, last.Subject, last.refreshToken()))
	}
	wait := time.After(revokeWait)
	for _, done := range revoked {
		select {
		case <-done:
		case <-wait:
			return err
		}
	}
	return err
}
