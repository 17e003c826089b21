package move

import (
	"context"
	"time"
)

// How long a change waits before it is made again that the pool does not take at this time.
const (
	leastPause = 5 * time.Second
	mostPause  = time.Minute
)

// untilTaken makes a call again while the pool refuses it because it is being recovered.
// Cognito says the same of a Region and of a setting: the refusal alone is no proof.
func untilTaken[Out any](ctx context.Context, paused func(context.Context) bool, call func() (Out, error)) (Out, error) {
	for pause := leastPause; ; pause = min(2*pause, mostPause) {
		out, err := call()
		if err == nil || kindOf(err) != "OperationNotEnabledException" || paused == nil || !paused(ctx) {
			return out, err
		}
		select {
		case <-ctx.Done():
			return out, ctx.Err()
		case <-time.After(pause):
		}
	}
}
