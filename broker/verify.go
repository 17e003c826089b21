package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/internal/sign"
)

// checkEvery is how long an answer about a grant counts: what was ended is refused within
// a second, on every process.
const checkEvery = 500 * time.Millisecond

// maxChecks bounds the answers that are kept: twice as many.
const maxChecks = 8 << 10

// checks are answers about grants of a moment ago.
type checks struct {
	mu         sync.Mutex
	young, old map[string]*check
}

type check struct {
	mu    sync.Mutex // held by whoever asks: the others wait for the answer
	at    time.Time
	grant grant
	err   error
}

func (c *checks) of(id string) *check {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.young[id]
	if !ok {
		if known, ok = c.old[id]; !ok {
			known = new(check)
		}
		if c.young == nil || len(c.young) >= maxChecks {
			c.young, c.old = make(map[string]*check), c.young
		}
		c.young[id] = known
	}
	return known
}

func (c *checks) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.young, id)
	delete(c.old, id)
}

// open reads an access token of ours, which may be over.
func (b *Broker) open(token string) (c claims, err error) {
	signer, err := b.signer()
	if err != nil {
		return c, err
	}
	text, err := signer.Open(typ, token)
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	return c, err
}

// Issued verifies tokens for a resource: it is what [codegrant.TokenRules] and package mcp
// ask. The grant is asked about too, so that a token ends with it.
func (b *Broker) Issued(resource string) func(ctx context.Context, token string) (*codegrant.Identity, error) {
	return func(ctx context.Context, token string) (*codegrant.Identity, error) {
		c, err := b.open(token)
		switch {
		case errors.Is(err, sign.ErrNotOurs):
			return nil, nil
		case err != nil:
			return nil, fmt.Errorf("%w: read the token: %w", codegrant.ErrUnavailable, err)
		case c.Issuer != b.Issuer || c.Audience != resource:
			return nil, fmt.Errorf("%w: the token is for %.200q", codegrant.ErrInvalid, c.Audience)
		case b.Now().Unix() >= c.Expires:
			return nil, fmt.Errorf("%w: the token has expired", codegrant.ErrInvalid)
		}
		g, err := b.stands(ctx, c.Grant)
		switch {
		case errors.As(err, new(*fault)):
			return nil, fmt.Errorf("%w: the grant of the token has ended: %w", codegrant.ErrInvalid, err)
		case err != nil:
			return nil, fmt.Errorf("%w: look for the grant: %w", codegrant.ErrUnavailable, err)
		case g.Turn == 0 || g.Resource != resource || g.Person.Subject != c.Subject || g.Client != c.ClientID:
			return nil, fmt.Errorf("%w: the token is of another grant", codegrant.ErrInvalid)
		}
		id := g.Person.identity()
		id.ClientID, id.Scopes, id.Expires = c.ClientID, strings.Fields(c.Scope), time.Unix(c.Expires, 0)
		return id, nil
	}
}

// stands finds a grant, and asks whether it goes on, as of a moment ago at most.
func (b *Broker) stands(ctx context.Context, id string) (grant, error) {
	known := b.checks.of(id)
	known.mu.Lock()
	defer known.mu.Unlock()
	if age := b.Now().Sub(known.at); !known.at.IsZero() && age >= 0 && age < checkEvery {
		return known.grant, known.err
	}
	at := b.Now()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	g, err := b.load(ctx, id)
	if err == nil {
		err = b.goesOn(ctx, &g, false)
	}
	if err != nil && !errors.As(err, new(*fault)) {
		return grant{}, err // it says nothing: the next one asks again
	}
	known.at, known.grant, known.err = at, g, err
	return g, err
}
