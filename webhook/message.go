package webhook

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
)

// The types of messages.
const (
	TypeCreated = "user.created"
	TypeUpdated = "user.updated"
	TypeDeleted = "user.deleted"
	TypeMerged  = "user.merged" // data.merged.from is data.merged.into from now on
	TypeErased  = "user.erased" // remove what belongs to the rows in data.erased
)

// Message is what a receiver gets, as JSON.
type Message struct {
	Type      string         `json:"type"`
	Timestamp time.Time      `json:"timestamp"` // when it happened
	Data      replica.Record `json:"data"`
}

// typeOf says what a receiver that knows no more does with a record. The events in it say
// everything.
func typeOf(r replica.Record) string {
	switch {
	case r.Happened(replica.EventErased):
		return TypeErased
	case r.Happened(replica.EventMerged):
		return TypeMerged
	case r.Happened(replica.EventDeleted):
		return TypeDeleted
	case r.Happened(replica.EventCreated) || r.Happened(replica.EventAdopted):
		return TypeCreated
	}
	return TypeUpdated
}

// Delivery is one message to one endpoint.
type Delivery struct {
	ID       int64  // of the row
	Endpoint string // its name
	Message  string // header webhook-id: the same at every endpoint and every try
	Type     string
	Issuer   string // of the person
	Subject  string
	Created  time.Time // when the change was taken out of the outbox
	Attempts int
	Failure  string    // of the last attempt; empty: there was none
	Died     time.Time // when it was given up; zero: it is still to be sent

	person string // messages with the same one come in order
	body   []byte
	claim  string
}

// personOf is the same for all messages about one person.
func personOf(issuer, subject string) string {
	sum := sha256.Sum256([]byte(issuer + "\x00" + subject))
	return hex.EncodeToString(sum[:])
}

// newID is the id of a message about something that happens once.
func newID() string { return "msg_" + strings.ToLower(rand.Text()) }

// idOf is the id of a message about an event of that name, whoever tells of it and how often.
func idOf(event string) string {
	sum := sha256.Sum256([]byte(event))
	return "msg_" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:26])
}

// aboutWhom is the person of a record. That of an erasure has no name, and is one of its own.
func aboutWhom(r replica.Record) string {
	if u := r.User; u.Subject != "" {
		return personOf(u.Issuer, u.Subject)
	}
	return personOf("", "row "+strconv.FormatInt(r.User.ID, 10))
}

// deliveries are what becomes of entries of the outbox.
func deliveries(endpoints []Endpoint, entries []sqlreplica.Entry, now time.Time) (all []Delivery, err error) {
	for _, entry := range entries {
		var body []byte
		id, u := newID(), entry.Record.User
		for _, e := range endpoints {
			if !e.hears(entry.Record) {
				continue
			}
			if body == nil {
				if body, err = json.Marshal(Message{typeOf(entry.Record), entry.At.UTC(), entry.Record}); err != nil {
					return nil, err
				}
			}
			all = append(all, Delivery{
				Endpoint: e.Name, Message: id, Type: typeOf(entry.Record),
				Issuer: u.Issuer, Subject: u.Subject, Created: now, person: aboutWhom(entry.Record), body: body,
			})
		}
	}
	return all, nil
}
