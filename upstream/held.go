package upstream

import (
	"context"
	"fmt"

	"github.com/codegrant/codegrant/cupboard"
)

// Held says how many tokens of a person's there are on the shelf that [Config.Cupboard] is:
// none is left a while after the last session of theirs has ended, where a process sweeps.
// It counts up to [cupboard.DefaultLimit].
func Held(ctx context.Context, store cupboard.Store, subject string) (int, error) {
	records, err := store.List(ctx, tokens, cupboard.Query{Person: subject})
	if err != nil {
		return 0, fmt.Errorf("count tokens of other services: %w", err)
	}
	return len(records), nil
}
