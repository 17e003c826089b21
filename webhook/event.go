package webhook

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// An endpoint can name these in its Events, beside the events of the replica. An endpoint that
// names nothing gets only [People].
const (
	People        = "people"        // every event of the replica
	Organizations = "organizations" // see package organization
	Sessions      = "sessions"
	Refusals      = "refusals"
	Moves         = "moves" // of people to another pool
)

var kinds = []string{People, Organizations, Sessions, Refusals, Moves}

// The types of messages about sessions, refusals and moves. Those of organizations are the kinds of
// changes of package organization.
const (
	TypeSessionStarted      = "session.started"
	TypeSessionEnded        = "session.ended" // signed out, or the pool no longer stands behind it
	TypeSignedOutEverywhere = "session.signed_out_everywhere"
	TypeSignInRefused       = "refusal.sign_in"
	TypeRequestRefused      = "refusal.request" // of a person who is signed in
	TypeMoveReminder        = "move.reminder"   // of a person who has not arrived in the new pool yet
)

// Event is what happened to something else than a person of the replica.
type Event struct {
	// ID names the event. If several processes tell of one event, or one tells again because it
	// does not know whether the first time counted, the messages have the same id. Where it is
	// empty, each event is another one.
	ID   string
	Kind string // one of the kinds, but for People
	Type string
	// Issuer and Subject say whom it is about, if it is a person. Where Issuer is empty, Subject
	// is the id of something else, or nothing. Messages about one come in order, but for refusals.
	Issuer, Subject string
	At              time.Time
	// Data becomes JSON. In an event about something else, person is the row of the replica of a
	// person, if it names one: [Queue.Erase] removes it with them.
	Data any
}

// envelope is a Message with other data.
type envelope struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      any       `json:"data"`
}

// Wanted reports whether an endpoint gets events of a kind.
func Wanted(endpoints []Endpoint, kind string) bool {
	return slices.ContainsFunc(endpoints, func(e Endpoint) bool { return e.gets(kind) })
}

func (e Endpoint) gets(kind string) bool {
	return slices.Contains(e.Events, kind) || kind == People && len(e.Events) == 0
}

// Tell queues messages about events, for the endpoints that get their kinds, in a transaction of
// the caller's: they are sent once it is committed, and never if it is not. Refusals that find no
// room are left out: see [MaxRefusals].
func (q *Queue) Tell(ctx context.Context, tx *sql.Tx, endpoints []Endpoint, events ...Event) error {
	_, err := q.tell(ctx, tx, endpoints, events)
	return err
}

func (q *Queue) tell(ctx context.Context, tx *sql.Tx, endpoints []Endpoint, events []Event) (dropped int, err error) {
	var all []Delivery
	for _, event := range events {
		d := Delivery{Message: newID(), Type: event.Type, Issuer: event.Issuer, Subject: event.Subject, Created: event.At, person: personOf(event.Issuer, event.Subject)}
		if event.ID != "" {
			d.Message = idOf(event.ID)
		}
		if event.Kind == Refusals {
			d.apart()
		}
		for _, e := range endpoints {
			if !e.gets(event.Kind) {
				continue
			}
			if d.body == nil {
				if d.body, err = json.Marshal(envelope{event.Type, event.At.UTC(), event.Data}); err != nil {
					return 0, fmt.Errorf("queue an event: %w", err)
				}
			}
			d.Endpoint = e.Name
			all = append(all, d)
		}
	}
	all, dropped, err = q.fitting(ctx, tx, all)
	if err == nil {
		err = q.add(ctx, tx, all)
	}
	if err != nil {
		return 0, fmt.Errorf("queue an event: %w", err)
	}
	return dropped, nil
}

// Post is Tell in a transaction of its own, for events that have none. It says how many messages
// about refusals found no room. After an error, the events may have been told: give them an ID and
// post them again.
func (q *Queue) Post(ctx context.Context, endpoints []Endpoint, events ...Event) (dropped int, err error) {
	tx, err := q.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("queue an event: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	if dropped, err = q.tell(ctx, tx, endpoints, events); err != nil {
		return 0, err
	}
	if err := tx.Commit(); err != nil {
		return 0, fmt.Errorf("queue an event: %w", err)
	}
	return dropped, nil
}
