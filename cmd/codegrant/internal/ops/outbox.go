package ops

import (
	"context"
	"time"

	"github.com/codegrant/codegrant/replica/sqlreplica"
)

// Outbox tells how much waits in the outbox. Without an answer there is nothing to say:
// whether the database answers is said elsewhere.
func Outbox(ctx context.Context, size func(context.Context) (sqlreplica.OutboxSize, error), gauge func(name, help string, value float64, labels ...string)) {
	waiting, err := size(ctx)
	if err != nil {
		return
	}
	gauge("outbox_entries", "Changes that nobody has taken out of the outbox.", float64(waiting.Entries))
	age := 0.0
	if !waiting.Oldest.IsZero() {
		age = time.Since(waiting.Oldest).Seconds()
	}
	gauge("outbox_age_seconds", "How long the oldest of them waits.", age)
}
