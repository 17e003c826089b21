package exchange

import (
	"context"
	"log/slog"
	"time"
)

// Event is what became of a wish for a token, for who counts.
type Event struct {
	Outcome Outcome
	Took    time.Duration // of an exchange; 0: nobody was asked
}

// Outcome is what became of a wish for a token.
type Outcome string

// The outcomes.
const (
	Exchanged   Outcome = "exchanged"   // a new token was issued
	Cached      Outcome = "cached"      // an answer was there, or somebody had asked already
	Refused     Outcome = "refused"     // there is nothing to exchange, or the exchange was refused
	Unavailable Outcome = "unavailable" // who issues tokens does not answer, or is not set up
)

// Outcomes are all that there are, so that a counter can be there before the first one.
func Outcomes() []Outcome { return []Outcome{Exchanged, Cached, Refused, Unavailable} }

// event tells OnEvent. Where that panics, only the log says so: it counts, and decides
// nothing, and may be called where a panic would end the process.
func (t *Tokens) event(ctx context.Context, outcome Outcome, took time.Duration) {
	if t.OnEvent == nil {
		return
	}
	defer func() {
		if v := recover(); v != nil {
			t.Logger.LogAttrs(ctx, slog.LevelError, "event not counted: OnEvent panicked", slog.String("outcome", string(outcome)), slog.Any("panic", v))
		}
	}()
	t.OnEvent(ctx, Event{outcome, took})
}
