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

// IDExpectations are further requirements for an ID token.
type IDExpectations struct {
	// Nonce is the nonce of the authorization request. Empty: the claim is not checked, and
	// the caller must make sure that the token is not replayed.
	Nonce string
	// NonceOptional accepts a token without a nonce, as a refresh returns it. A token with
	// another nonce is still refused (OpenID Connect Core, 12.2).
	NonceOptional bool
	// AccessToken is the access token that came with the ID token. If the ID token has an
	// at_hash, it must match this token (OpenID Connect Core, 3.1.3.8). Empty: not checked.
	AccessToken string
	// Ended accepts an expired token that is otherwise valid. It says who signed in, not that
	// they may continue. Use it to compare the result of a refresh with the tokens before.
	Ended bool
	// Actor accepts a token of an actor for the person (act, RFC 8693). The caller must check
	// in Claims.Actor who acts, and whether they may.
	Actor bool
}

// AccessExpectations are further requirements for an access token.
type AccessExpectations struct {
	// Actor is as in [IDExpectations].
	Actor bool
	// Resource is the resource to which the token must be bound (aud, RFC 8707), whether or
	// not Config.Resources has it. Empty: none, or any of Config.Resources.
	Resource string
	// Unbound also accepts a token that is not bound to a resource.
	Unbound bool
	// AnyClient accepts a token of any app client if it is bound to Resource. Use it for pools
	// that register clients.
	AnyClient bool
}

// IDToken verifies an ID token. An ID token says who signed in, and is not a key to an API.
// If a refresh returned the token, the caller must also check that Issuer, Subject,
// ClientID and AuthTime are those of the session (OpenID Connect Core, 12.2). The error is
// [ErrInvalid], with the sentinel of the check that failed, or [ErrUnavailable].
func (v *Verifier) IDToken(ctx context.Context, raw string, want IDExpectations) (*Claims, error) {
	d, err := v.verify(ctx, raw, useID, accepted{ended: want.Ended, actor: want.Actor})
	if err == nil {
		// The expectations of the caller are not part of the cached result.
		err = want.check(d)
	}
	if err != nil {
		return nil, fmt.Errorf("verify ID token: %w", err)
	}
	return &d.Claims, nil
}

// AccessToken verifies an access token. An access token is a key to an API and says little
// about the person. AccessToken also accepts an app client's own token: see
// [Claims.Machine]. It refuses a token of an actor for a person. The error is [ErrInvalid],
// with the sentinel of the check that failed, or [ErrUnavailable].
func (v *Verifier) AccessToken(ctx context.Context, raw string) (*Claims, error) {
	return v.AccessTokenFor(ctx, raw, AccessExpectations{})
}

// AccessTokenFor is [Verifier.AccessToken] with other requirements.
func (v *Verifier) AccessTokenFor(ctx context.Context, raw string, want AccessExpectations) (*Claims, error) {
	d, err := v.verify(ctx, raw, useAccess, accepted{actor: want.Actor, resource: want.Resource, unbound: want.Unbound, anyClient: want.AnyClient})
	if err != nil {
		return nil, fmt.Errorf("verify access token: %w", err)
	}
	return &d.Claims, nil
}

// Issued returns a verifier for tokens that come directly from the pool's token endpoint.
// It makes the same checks and shares keys and cache with v. It looks up an unknown key at
// once, no matter how many tokens in requests have unknown keys. If the pool does not serve
// the key yet, the error is [ErrUnavailable]. With Config.Keys, Issued returns v.
func (v *Verifier) Issued() *Verifier {
	keys, ok := v.keys.(*remoteKeys)
	if !ok {
		return v
	}
	issued := *v
	issued.keys = issuedKeys{keys}
	return &issued
}

// Warm returns nil if tokens can be verified. If necessary, it fetches the keys. A
// readiness check may call it often.
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
