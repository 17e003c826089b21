package broker

import (
	"context"
	"errors"
	"time"
)

// Event is something that happened here, for who counts. Its words are of this package:
// none is a client's, so that they may be labels of metrics.
type Event struct {
	Kind    EventKind
	Outcome string        // one of [EventKind.Outcomes]
	Took    time.Duration // of a document that was asked for
}

// EventKind is what an event is about.
type EventKind string

// The kinds of events.
const (
	CodeRedeemed     EventKind = "code"         // a client came with a code
	TokenRefreshed   EventKind = "refresh"      // a client came with a refresh token
	TokenAsked       EventKind = "other"        // a client came to the token endpoint with something else
	ClientRegistered EventKind = "registration" // a client asked to be registered
	DocumentFetched  EventKind = "document"     // a client's document was needed, and not known
	ConsentAsked     EventKind = "consent"      // a person was asked, or answered
	GrantEnded       EventKind = "end"          // what somebody agreed to ended before its time
)

const (
	issued     = "issued"
	registered = "registered"
	fetchedNow = "fetched"
	limited    = "rate_limited"
	failed     = "failed"
	refused    = "refused"
	asked      = "asked"
	given      = "given"

	endUsedTwice = "used_twice"  // a code or a refresh token came again
	endMisused   = "misused"     // one came from another client, or with something else that is wrong
	endOver      = "no_longer"   // the session, the account, the client or the resource is gone
	endRevoked   = "revoked"     // by the client
	endWithdrawn = "withdrawn"   // by the person
	tokenFailed  = "unavailable" // something that the answer depends on does not respond
)

var outcomes = map[EventKind][]string{
	CodeRedeemed:     {issued, "invalid_grant", "invalid_client", tokenFailed},
	TokenRefreshed:   {issued, "invalid_grant", "invalid_client", "invalid_scope", "invalid_target", tokenFailed},
	TokenAsked:       {"invalid_request", "invalid_client", "invalid_target", "unsupported_grant_type"},
	ClientRegistered: {registered, "invalid_redirect_uri", "invalid_client_metadata", limited},
	DocumentFetched:  {fetchedNow, refused, failed, limited},
	ConsentAsked:     {asked, given, refused, failed},
	GrantEnded:       {endUsedTwice, endMisused, endOver, endRevoked, endWithdrawn},
}

// EventKinds are all kinds that there are.
func EventKinds() []EventKind {
	return []EventKind{CodeRedeemed, TokenRefreshed, TokenAsked, ClientRegistered, DocumentFetched, ConsentAsked, GrantEnded}
}

// Outcomes are all outcomes of a kind, so that a counter can be there before the first one.
func (k EventKind) Outcomes() []string { return append([]string(nil), outcomes[k]...) }

func (b *Broker) tell(ctx context.Context, kind EventKind, outcome string) {
	if b.OnEvent != nil {
		b.OnEvent(ctx, Event{Kind: kind, Outcome: outcome})
	}
}

// outcomeOf is the code of a fault that was answered.
func outcomeOf(err error) string {
	var f *fault
	if errors.As(err, &f) {
		return f.code
	}
	return tokenFailed
}
