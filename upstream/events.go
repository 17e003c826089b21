package upstream

import (
	"context"
	"log/slog"
	"time"
)

// Event is something that happened here, for who counts. Its words are of this package:
// none is another server's, so that they may be labels of metrics.
type Event struct {
	Kind    EventKind
	Outcome string        // one of [EventKind.Outcomes]
	Took    time.Duration // of a renewal
}

// EventKind is what an event is about.
type EventKind string

// The kinds of events.
const (
	ConsentAsked EventKind = "consent"    // a person was sent to the other server, or came back
	TokenRenewed EventKind = "refresh"    // the other server was asked for the next token
	TokenRevoked EventKind = "revocation" // the other server was asked to revoke a token
)

const (
	asked     = "asked"
	given     = "given"
	refreshed = "refreshed"
	revoked   = "revoked"
	refused   = "refused" // the answer was no, or none that could be taken
	failed    = "failed"  // something that is needed does not respond
)

var outcomes = map[EventKind][]string{
	ConsentAsked: {asked, given, refused, failed},
	TokenRenewed: {refreshed, refused, failed},
	TokenRevoked: {revoked, failed},
}

// EventKinds are all kinds that there are.
func EventKinds() []EventKind { return []EventKind{ConsentAsked, TokenRenewed, TokenRevoked} }

// Outcomes are all outcomes of a kind, so that a counter can be there before the first one.
func (k EventKind) Outcomes() []string { return append([]string(nil), outcomes[k]...) }

// event tells OnEvent. Where that panics, only the log says so: it counts, and decides
// nothing, and may be called where a panic would end the process.
func (u *Upstream) event(ctx context.Context, kind EventKind, outcome string, took time.Duration) {
	if u.OnEvent == nil {
		return
	}
	defer func() {
		if v := recover(); v != nil {
			u.Logger.LogAttrs(ctx, slog.LevelError, "event not counted: OnEvent panicked", slog.String("kind", string(kind)), slog.String("outcome", outcome), slog.Any("panic", v))
		}
	}()
	u.OnEvent(ctx, Event{kind, outcome, took})
}
