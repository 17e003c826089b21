package broker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/session"
)

// ErrNoGrant: there is no such grant, or it has ended.
var ErrNoGrant = errors.New("there is no such grant")

// ErrNoClient: no client has registered with this id, or a key is gone that it registered with.
// Either way, nobody can agree to it.
var ErrNoClient = errors.New("there is no such registered client")

// Grant is what somebody has let a client do, as operators see it. Nothing of it opens
// anything.
type Grant struct {
	Key      string    `json:"grant"` // what it is ended by
	Issuer   string    `json:"iss"`
	Subject  string    `json:"sub"`
	Username string    `json:"username,omitempty"`
	Client   string    `json:"client_id"`
	Redirect string    `json:"redirect_uri"` // where the client had the person sent
	Resource string    `json:"resource"`
	Scopes   []string  `json:"scopes"`
	Ends     time.Time `json:"ends"`
}

// Grants are those on the shelf of a [Broker], for programs beside it. Make one with
// [NewGrants].
type Grants struct {
	store cupboard.Store
	keys  *session.Keyring
}

// NewGrants takes what the broker's [Config] has as Cupboard and Keys.
func NewGrants(store cupboard.Store, keys *session.Keyring) *Grants { return &Grants{store, keys} }

// List calls f with each live grant of a person, or of everybody where subject is empty,
// until f says no.
func (g *Grants) List(ctx context.Context, subject string, f func(Grant) bool) error {
	q := cupboard.Query{Person: subject, Limit: cupboard.DefaultLimit}
	for {
		records, err := g.store.List(ctx, grants, q)
		if err != nil {
			return fmt.Errorf("list grants: %w", err)
		}
		for _, record := range records {
			if one, ok := g.read(record); ok && !f(one) {
				return nil
			}
			q.After = record.Key
		}
		if len(records) < q.Limit {
			return nil
		}
	}
}

// Get returns a live grant.
func (g *Grants) Get(ctx context.Context, key string) (Grant, error) {
	if key == "" || len(key) > cupboard.MaxKey || !isVisible(key) {
		return Grant{}, ErrNoGrant
	}
	record, err := g.store.Get(ctx, grants, key)
	if errors.Is(err, cupboard.ErrNotFound) {
		return Grant{}, ErrNoGrant
	}
	if err != nil {
		return Grant{}, fmt.Errorf("find the grant: %w", err)
	}
	one, ok := g.read(record)
	if !ok {
		return Grant{}, ErrNoGrant
	}
	return one, nil
}

// End takes a grant back, and with it all tokens that came of it: every process refuses
// them within a second. Of all who end it, one succeeds.
func (g *Grants) End(ctx context.Context, key string) error {
	_, err := g.store.Take(ctx, grants, key)
	if errors.Is(err, cupboard.ErrNotFound) {
		return ErrNoGrant
	}
	if err != nil {
		return fmt.Errorf("end the grant: %w", err)
	}
	tellEnds(ctx, g.store, oneGrant, key, time.Now(), nil)
	return nil
}

// EndClient ends a client that has registered, as [Broker.EndClient] does. It ends none of the
// grants that [Grants.List] returns: their tokens count no longer all the same.
func (g *Grants) EndClient(ctx context.Context, id string) error {
	sealed, ok := strings.CutPrefix(id, registeredPrefix)
	if !ok || len(id) > maxClientID {
		return ErrNoClient
	}
	if _, err := g.keys.Open(registeredSeal, sealed, nil); err != nil {
		return ErrNoClient
	}
	if err := endClient(ctx, g.store, id, time.Now(), nil); err != nil {
		return fmt.Errorf("end the client: %w", err)
	}
	return nil
}

func (g *Grants) read(record cupboard.Record) (Grant, bool) {
	var in grant
	if !unsealGrant(g.keys, record, &in) {
		return Grant{}, false
	}
	return Grant{
		Key: record.Key, Issuer: in.Person.Issuer, Subject: in.Person.Subject, Username: in.Person.Username, Client: in.Client, Redirect: in.Redirect,
		Resource: in.Resource, Scopes: in.Scopes, Ends: in.Ends,
	}, true
}
