package ops

import (
	"context"
	"log/slog"
	"time"
)

// trimEvery is how often what is too old is taken out of the history of people.
const trimEvery = time.Hour

// TrimHistory takes what is too old out of the history until the context ends. Any number
// of processes may.
func TrimHistory(ctx context.Context, trim func(context.Context) (int, error), log *slog.Logger) {
	for {
		n, err := trim(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			log.Warn("history cannot be trimmed", slog.Any("error", err))
		case n > 0:
			log.Info("history trimmed", slog.Int("removed", n))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(trimEvery):
		}
	}
}
