package verify

import (
	"context"
	"crypto/rsa"
	"fmt"
	"time"
)

const (
	maxKeySetSize = 1 << 20 // bytes; Cognito's two keys take less than a thousand
	// issuedInterval is the least time between two fetches for tokens that the pool
	// itself has just handed over: nobody but the pool can cause one.
	issuedInterval = time.Second
)

// remoteKeys are the keys that a pool serves as a JWK set (RFC 7517). There are two
// budgets of fetches for keys that are not known: that of the set itself, which
// tokens in requests can use up, and one for tokens that came from the pool.
type remoteKeys struct {
	set    *remote[keysByID]
	issued *lane
}

func newRemoteKeys(c Config) *remoteKeys {
	return &remoteKeys{
		set: &remote[keysByID]{
			url: c.JWKSURL, client: noRedirects(c.HTTPClient), limit: maxKeySetSize,
			maxAge: c.MaxKeyAge, parse: parseKeySet, now: c.Now, lane: lane{interval: c.RefetchInterval},
		},
		issued: &lane{interval: min(c.RefetchInterval, issuedInterval)},
	}
}

// Key implements [KeySet]. A key that is not there is [ErrUnknownKey] if the pool
// was asked after the call began; else it may have been added since.
func (k *remoteKeys) Key(ctx context.Context, keyID string) (*rsa.PublicKey, error) {
	arrived := k.set.now()
	keys, err := k.set.get(ctx)
	if err != nil {
		return nil, err
	}
	if found := keys[keyID]; found != nil {
		return found[0], nil
	}
	keys, asked, err := k.set.again(ctx, &k.set.lane, arrived, false)
	switch {
	case err != nil:
		return nil, err
	case keys[keyID] != nil:
		return keys[keyID][0], nil
	case asked:
		return nil, ErrUnknownKey
	}
	return nil, errNotAsked
}

// others returns the keys that have the id besides the one that Key returns.
func (k *remoteKeys) others(keyID string) []*rsa.PublicKey {
	if e := k.set.current.Load(); e != nil {
		if same := e.value[keyID]; len(same) > 1 {
			return same[1:]
		}
	}
	return nil
}

// Warm fetches the keys if there are none.
func (k *remoteKeys) Warm(ctx context.Context) error {
	_, err := k.set.get(ctx)
	return err
}

var (
	errNotAsked  = fmt.Errorf("%w: the key is not among those that the pool served last, and it is too soon to ask again", ErrUnavailable)
	errNotServed = fmt.Errorf("%w: the pool does not serve the key yet that it signs with", ErrUnavailable)
)

// issuedKeys are the keys for tokens that the pool has just handed over. Their key
// exists, so that one which is not served yet is never [ErrUnknownKey].
type issuedKeys struct{ *remoteKeys }

func (k issuedKeys) Key(ctx context.Context, keyID string) (*rsa.PublicKey, error) {
	arrived := k.set.now()
	if keys, err := k.set.get(ctx); err == nil && keys[keyID] != nil {
		return keys[keyID][0], nil
	}
	// The second time is for who came while others were being answered.
	for again := false; ; again = true {
		keys, asked, err := k.set.again(ctx, k.issued, arrived, again)
		switch {
		case err != nil:
			return nil, err
		case keys[keyID] != nil:
			return keys[keyID][0], nil
		case asked || again:
			return nil, errNotServed
		}
		pause := time.NewTimer(k.issued.interval)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
		}
	}
}
