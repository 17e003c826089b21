package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/session"
)

// ErrNoToken: there is no such token, or it has ended.
var ErrNoToken = errors.New("there is no such token")

// Token is somebody's token at another server, as operators see it. Nothing of it opens
// anything.
type Token struct {
	Key        string    `json:"token"` // what it is ended by
	Upstream   string    `json:"upstream"`
	Issuer     string    `json:"iss"`
	Subject    string    `json:"sub"`
	Expires    time.Time `json:"expires,omitzero"` // of the access token; zero: nobody has said
	Renewable  bool      `json:"renewable"`
	SignedInAt time.Time `json:"signed_in_at"` // in the session in which the person agreed
}

// Tokens are those on the shelf of each [Upstream], for programs beside them. Make them with
// [NewTokens].
type Tokens struct {
	store cupboard.Store
	keys  *session.Keyring
	known map[string]*Upstream
}

// NewTokens takes what [Config] has as Cupboard and Keys, and the servers that tokens may be
// of: those of others can be listed and ended, and nobody revokes them.
func NewTokens(store cupboard.Store, keys *session.Keyring, servers ...Config) (*Tokens, error) {
	t := &Tokens{store, keys, make(map[string]*Upstream)}
	for _, c := range servers {
		if err := c.Check(); err != nil {
			return nil, err
		}
		c.Cupboard, c.Logger = store, slog.New(slog.DiscardHandler) // whoever ends a token is told
		t.known[c.Name] = build(c)
	}
	return t, nil
}

// List calls f with each token of a person, or of everybody where subject is empty, until f
// says no.
func (t *Tokens) List(ctx context.Context, subject string, f func(Token) bool) error {
	q := cupboard.Query{Person: subject, Limit: cupboard.DefaultLimit}
	for {
		records, err := t.store.List(ctx, tokens, q)
		if err != nil {
			return fmt.Errorf("list tokens: %w", err)
		}
		for _, record := range records {
			if h, ok := read(t.keys, record); ok && !f(tokenOf(record, h)) {
				return nil
			}
			q.After = record.Key
		}
		if len(records) < q.Limit {
			return nil
		}
	}
}

// Get returns a token that is there.
func (t *Tokens) Get(ctx context.Context, key string) (Token, error) {
	if key == "" || len(key) > cupboard.MaxKey || !isVisible(key) {
		return Token{}, ErrNoToken
	}
	record, err := t.store.Get(ctx, tokens, key)
	if errors.Is(err, cupboard.ErrNotFound) {
		return Token{}, ErrNoToken
	}
	if err != nil {
		return Token{}, fmt.Errorf("find the token: %w", err)
	}
	h, ok := read(t.keys, record)
	if !ok {
		return Token{}, ErrNoToken
	}
	return tokenOf(record, h), nil
}

// ErrNotRevoked: a token has ended here, and goes on at the other server.
var ErrNotRevoked = errors.New("the token has ended here, and is not revoked at the other server")

// End takes a token, so that no process hands it on for longer than a second, and has the
// other server revoke it. Of all who end it, one succeeds. [ErrNotRevoked] says that the
// second part was not possible, and why.
func (t *Tokens) End(ctx context.Context, key string) error {
	record, err := t.store.Take(ctx, tokens, key)
	if errors.Is(err, cupboard.ErrNotFound) {
		return ErrNoToken
	}
	if err != nil {
		return fmt.Errorf("end the token: %w", err)
	}
	h, ok := read(t.keys, record)
	if !ok {
		return fmt.Errorf("%w: it was sealed by keys that are gone", ErrNotRevoked)
	}
	u, ok := t.known[h.Name]
	if !ok {
		return fmt.Errorf("%w: %s is not in the configuration any more", ErrNotRevoked, h.Name)
	}
	if err := u.revoke(ctx, h); err != nil {
		return fmt.Errorf("%w: %w", ErrNotRevoked, err)
	}
	return nil
}

// read opens a record, of whichever server.
func read(keys *session.Keyring, r cupboard.Record) (h held, ok bool) {
	text, err := keys.Open(seal, string(r.Value), []byte(r.Key))
	return h, err == nil && json.Unmarshal(text, &h) == nil && r.Key == keyOf(h.Name, h.Issuer, h.Subject)
}

func tokenOf(r cupboard.Record, h held) Token {
	return Token{Key: r.Key, Upstream: h.Name, Issuer: h.Issuer, Subject: h.Subject, Expires: h.Expires, Renewable: h.Refresh != "", SignedInAt: h.AuthTime}
}
