package verify

import (
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Verifier verifies the tokens of one issuer. It is safe for concurrent use.
type Verifier struct {
	issuer    string
	clients   []string
	resources []string
	keys      KeySet
	leeway    time.Duration
	now       func() time.Time
	cache     *cache
}

// IDExpectations are what an ID token is held against besides the rules.
type IDExpectations struct {
	// Nonce is that of the authorization request. Empty: the claim is not
	// checked, and the caller must know that the token is not a replayed one.
	Nonce string
	// NonceOptional accepts a token without a nonce, as a refresh returns it. One
	// with another nonce is refused all the same (OpenID Connect Core, 12.2).
	NonceOptional bool
	// AccessToken is the access token that came along. Where the ID token has an
	// at_hash, it must be of this one (OpenID Connect Core, 3.1.3.8). Empty: not
	// checked.
	AccessToken string
	// Ended accepts a token whose time is up, and no other that is refused: it says
	// who signed in once, not that they may go on. It is for whoever holds the answer
	// to a refresh against the tokens before.
	Ended bool
	// Actor accepts a token by which somebody acts for the person (act, RFC 8693):
	// who it is, and whether they may, is for the caller to see to in [Claims.Actor].
	Actor bool
}

// AccessExpectations are what an access token is held against besides the rules.
type AccessExpectations struct {
	// Actor is as in [IDExpectations].
	Actor bool
	// Resource is what the token has to be bound to (aud, RFC 8707), whether or not
	// Config.Resources has it. Empty: nothing, or any of those.
	Resource string
	// Unbound accepts a token that is bound to nothing, beside those bound to Resource.
	Unbound bool
	// AnyClient accepts a token of an app client that Config.ClientIDs does not have, if
	// it is bound to Resource: for pools that register clients.
	AnyClient bool
}

// IDToken verifies an ID token, which says who signed in and is no key to an API.
// Of one that a refresh returned, the caller still has to see that Issuer, Subject,
// ClientID and AuthTime are those of the session (OpenID Connect Core, 12.2). The
// error is [ErrInvalid], with the sentinel of the check that failed, or
// [ErrUnavailable].
func (v *Verifier) IDToken(ctx context.Context, raw string, want IDExpectations) (*Claims, error) {
	d, err := v.verify(ctx, raw, useID, accepted{ended: want.Ended, actor: want.Actor})
	if err == nil {
		// What the caller expects is no part of what is remembered.
		err = want.check(d)
	}
	if err != nil {
		return nil, fmt.Errorf("verify ID token: %w", err)
	}
	return &d.Claims, nil
}

// AccessToken verifies an access token, which is a key to an API and does not say
// much about the person. It accepts an app client's own token too: see
// [Claims.Machine]. One by which somebody acts for the person is refused. The error is [ErrInvalid], with the sentinel of the check that
// failed, or [ErrUnavailable].
func (v *Verifier) AccessToken(ctx context.Context, raw string) (*Claims, error) {
	return v.AccessTokenFor(ctx, raw, AccessExpectations{})
}

// AccessTokenFor is AccessToken for callers that take more, or less.
func (v *Verifier) AccessTokenFor(ctx context.Context, raw string, want AccessExpectations) (*Claims, error) {
	d, err := v.verify(ctx, raw, useAccess, accepted{actor: want.Actor, resource: want.Resource, unbound: want.Unbound, anyClient: want.AnyClient})
	if err != nil {
		return nil, fmt.Errorf("verify access token: %w", err)
	}
	return &d.Claims, nil
}

// Issued returns a verifier for tokens that the pool itself has just handed over at
// its token endpoint. It makes the same checks and shares keys and memory with v. A
// key that is not known is looked for at once, which tokens in requests cannot get
// in the way of, however many they are; and one that the pool does not serve yet is
// [ErrUnavailable]. With Keys of the caller's own it is v.
func (v *Verifier) Issued() *Verifier {
	keys, ok := v.keys.(*remoteKeys)
	if !ok {
		return v
	}
	issued := *v
	issued.keys = issuedKeys{keys}
	return &issued
}

// Warm returns nil once tokens can be verified, and fetches the keys where that
// takes it. It may be called as often as a readiness check likes.
func (v *Verifier) Warm(ctx context.Context) error {
	if w, ok := v.keys.(interface{ Warm(context.Context) error }); ok {
		return w.Warm(ctx)
	}
	return nil
}

// maxRemembered bounds what each place of the cache holds. Tokens that are larger are
// few, and verified each time.
const maxRemembered = 16 << 10

// verify makes the checks that depend on the token, the keys and the time alone.
// Those that need no key come first: a hopeless token costs no network, and hardly
// any time.
func (v *Verifier) verify(ctx context.Context, raw, use string, also accepted) (*decoded, error) {
	if err := checkSize(raw); err != nil {
		return nil, err
	}
	id := cacheID{hash(raw), use == useAccess}
	if e, ok := v.cache.get(id); ok {
		// Three things can have changed since: the time, the pool's keys, and who asks.
		if err := v.checkUse(e.decoded, also); err != nil {
			return nil, err
		}
		key, err := v.key(ctx, e.keyID)
		if err != nil {
			return nil, err
		}
		if key == e.key || key.Equal(e.key) || slices.ContainsFunc(v.others(e.keyID), func(k *rsa.PublicKey) bool { return k.Equal(e.key) }) {
			return e.decoded, nil
		}
	}
	form := accessToken
	if use == useID {
		form = idToken
	}
	t, err := form.parse(raw)
	if err != nil {
		return nil, err
	}
	d, err := decode(t.payload)
	if err != nil {
		return nil, err
	}
	if err := v.check(d, use, also); err != nil {
		return nil, err
	}
	key, err := v.key(ctx, t.keyID)
	if err != nil {
		return nil, err
	}
	err = t.verifyRS256(key)
	for _, other := range v.others(t.keyID) {
		if err == nil {
			break
		}
		key, err = other, t.verifyRS256(other)
	}
	if err != nil {
		return nil, err
	}
	d.Custom = d.custom()
	d.Groups, d.Roles, d.Scopes, d.AMR = slices.Clip(d.Groups), slices.Clip(d.Roles), slices.Clip(d.Scopes), slices.Clip(d.AMR)
	if len(raw) <= maxRemembered {
		v.cache.put(id, entry{d, t.keyID, key})
	}
	return d, nil
}

// key turns a fault that a KeySet does not name into ErrUnavailable: it must not
// pass for a refusal.
func (v *Verifier) key(ctx context.Context, keyID string) (*rsa.PublicKey, error) {
	key, err := v.keys.Key(ctx, keyID)
	if err != nil && !errors.Is(err, ErrUnknownKey) && !errors.Is(err, ErrUnavailable) {
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if err == nil && key == nil {
		err = ErrUnknownKey
	}
	return key, err
}

// others returns the keys that a pool serves under the same id besides the first.
func (v *Verifier) others(keyID string) []*rsa.PublicKey {
	if k, ok := v.keys.(interface{ others(string) []*rsa.PublicKey }); ok {
		return k.others(keyID)
	}
	return nil
}

// hash is SHA-256. A token of the usual length costs no memory.
func hash(s string) [sha256.Size]byte {
	var stack [3 << 10]byte
	return sha256.Sum256(append(stack[:0], s...))
}
