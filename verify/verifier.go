package verify

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Config configures a [Verifier]. Issuer and ClientIDs are required.
type Config struct {
	// Issuer is the pool's issuer, compared byte for byte. It comes from
	// settings, never from a token.
	Issuer string
	// ClientIDs are the app clients whose tokens are accepted.
	ClientIDs []string
	// Resources are the audiences that an access token may be bound to (RFC
	// 8707). Defaults to none: then aud, where there is one, must be the client.
	Resources []string

	// Keys verify the signatures. Defaults to those that JWKSURL serves.
	Keys KeySet
	// JWKSURL defaults to Issuer + "/.well-known/jwks.json". https, or http on
	// this machine.
	JWKSURL string
	// HTTPClient fetches the keys. Defaults to one with a timeout of 5 s.
	HTTPClient *http.Client
	// MaxKeyAge is how long keys serve that could not be fetched again, and so
	// how long a key that the pool withdrew may live on while its endpoint is
	// out of reach. Defaults to 24 hours.
	MaxKeyAge time.Duration
	// RefetchInterval is the least time between two fetches for tokens with an
	// unknown key, however many of them come. Defaults to 10 s.
	RefetchInterval time.Duration

	// Leeway is the clock skew that is forgiven. Defaults to 30 s; negative:
	// none; at most 5 minutes.
	Leeway time.Duration
	// CacheSize is how many verified tokens are remembered until they expire.
	// Defaults to 10 000; negative: none.
	CacheSize int
	// Now is the clock. Defaults to [time.Now].
	Now func() time.Time
}

// KeySet finds the public key for a key id. It returns [ErrUnknownKey] where the
// pool has no such key, and [ErrUnavailable] where that cannot be found out. It
// must be safe for concurrent use.
type KeySet interface {
	Key(ctx context.Context, keyID string) (*rsa.PublicKey, error)
}

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

// maxLifetime is the longest that Cognito can be told a token shall live.
const maxLifetime = 24 * time.Hour

// New checks the configuration. Keys are fetched when the first token needs them.
func New(config Config) (*Verifier, error) {
	var faults []error
	if config.Issuer == "" {
		faults = append(faults, errors.New("issuer is missing"))
	}
	if len(config.ClientIDs) == 0 || slices.Contains(config.ClientIDs, "") {
		faults = append(faults, errors.New("client ids are missing, or one of them is empty"))
	}
	v := &Verifier{
		issuer: config.Issuer, clients: slices.Clone(config.ClientIDs), resources: slices.Clone(config.Resources),
		keys: config.Keys, leeway: config.Leeway, now: config.Now,
	}
	switch {
	case v.leeway == 0:
		v.leeway = 30 * time.Second
	case v.leeway < 0:
		v.leeway = 0
	case v.leeway > 5*time.Minute:
		faults = append(faults, fmt.Errorf("leeway %v is more than five minutes", v.leeway))
	}
	if v.now == nil {
		v.now = time.Now
	}
	if v.keys == nil {
		if config.JWKSURL == "" {
			config.JWKSURL = config.Issuer + "/.well-known/jwks.json"
		}
		if err := checkKeysURL(config.JWKSURL); err != nil {
			faults = append(faults, err)
		}
		config.Now = v.now
		v.keys = newRemoteKeys(config)
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("configure verifier: %w", errors.Join(faults...))
	}
	if config.CacheSize == 0 {
		config.CacheSize = 10_000
	}
	v.cache = newCache(config.CacheSize)
	return v, nil
}

func checkKeysURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil {
		return fmt.Errorf("JWKS URL %q is not a URL", raw)
	}
	if u.Scheme == "https" || (u.Scheme == "http" && isLoopback(u.Hostname())) {
		return nil
	}
	return fmt.Errorf("JWKS URL %q does not begin with https; http is accepted for this machine alone", raw)
}

func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// Warm fetches the keys now, where they are fetched at all.
func (v *Verifier) Warm(ctx context.Context) error {
	if remote, ok := v.keys.(*remoteKeys); ok {
		return remote.warm(ctx)
	}
	return nil
}

// IDExpectations are what an ID token is checked against besides the rules.
type IDExpectations struct {
	// Nonce is that of the authorization request. Empty: the claim is not
	// checked, and the caller must know that the token is not a replayed one.
	Nonce string
	// NonceOptional accepts a token without a nonce, as Cognito makes them in a
	// refresh. One with another nonce is refused all the same.
	NonceOptional bool
	// AccessToken is the access token that came along; where the ID token has an
	// at_hash, it must be of this one (OpenID Connect Core, section 3.1.3.8).
	AccessToken string
}

// IDToken verifies an ID token: it says who signed in, and is no key to an API.
func (v *Verifier) IDToken(ctx context.Context, raw string, want IDExpectations) (*Claims, error) {
	c, err := v.verify(ctx, raw, "id")
	if err != nil {
		return nil, fmt.Errorf("verify ID token: %w", err)
	}
	// These depend on the caller, so they are not part of what is cached.
	switch {
	case want.Nonce == "" || (c.Nonce == "" && want.NonceOptional):
	case subtle.ConstantTimeCompare([]byte(c.Nonce), []byte(want.Nonce)) != 1:
		return nil, fmt.Errorf("verify ID token: %w", ErrNonce)
	}
	if want.AccessToken != "" && c.accessTokenHash != "" {
		sum := sha256.Sum256([]byte(want.AccessToken))
		if c.accessTokenHash != base64.RawURLEncoding.EncodeToString(sum[:16]) {
			return nil, fmt.Errorf("verify ID token: %w", ErrAccessTokenHash)
		}
	}
	return c, nil
}

// AccessToken verifies an access token: it is a key to an API, and the groups in
// it are what decides. One of an app client itself is accepted too: see
// [Claims.Machine].
func (v *Verifier) AccessToken(ctx context.Context, raw string) (*Claims, error) {
	c, err := v.verify(ctx, raw, "access")
	if err != nil {
		return nil, fmt.Errorf("verify access token: %w", err)
	}
	return c, nil
}

// verify makes every check that depends on the token and the time alone. Those
// that need no key come first: a token that is hopeless costs no network.
func (v *Verifier) verify(ctx context.Context, raw, use string) (*Claims, error) {
	if len(raw) > maxToken {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(raw))
	}
	key := cacheKey(raw, use)
	if c, ok := v.cache.get(key); ok {
		// Time is the one thing that has gone on since.
		if err := v.checkTime(c); err != nil {
			v.cache.drop(key)
			return nil, err
		}
		return c, nil
	}
	t, err := parse(raw)
	if err != nil {
		return nil, err
	}
	c, err := decodeClaims(t.members)
	if err != nil {
		return nil, err
	}
	if err := v.check(c, use); err != nil {
		return nil, err
	}
	public, err := v.keys.Key(ctx, t.keyID)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(t.signed))
	if rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], t.signature) != nil {
		return nil, ErrSignature
	}
	v.cache.put(key, c)
	return c, nil
}

func (v *Verifier) check(c *Claims, use string) error {
	switch {
	case c.TokenUse != use:
		return fmt.Errorf("%w: token_use is not %s", ErrTokenUse, use)
	case c.Issuer != v.issuer:
		return ErrIssuer
	case c.Subject == "" || len(c.Subject) > 255:
		return ErrSubject
	}
	if err := v.checkAudience(c, use); err != nil {
		return err
	}
	return v.checkTime(c)
}

// checkAudience: an ID token has aud, an access token client_id, and aud only
// where it is bound to a resource.
func (v *Verifier) checkAudience(c *Claims, use string) error {
	if use == "id" {
		if len(c.audience) != 1 || !slices.Contains(v.clients, c.audience[0]) {
			return fmt.Errorf("%w: aud is not one app client of ours", ErrAudience)
		}
		if c.authorizedParty != "" && c.authorizedParty != c.audience[0] {
			return fmt.Errorf("%w: azp is not aud", ErrAudience)
		}
		c.ClientID = c.audience[0]
		return nil
	}
	if !slices.Contains(v.clients, c.ClientID) {
		return fmt.Errorf("%w: client_id is not an app client of ours", ErrAudience)
	}
	for _, audience := range c.audience {
		if audience != c.ClientID && !slices.Contains(v.resources, audience) {
			return fmt.Errorf("%w: aud is not a resource of ours", ErrAudience)
		}
	}
	return nil
}

func (v *Verifier) checkTime(c *Claims) error {
	now := v.now()
	switch {
	case c.ExpiresAt.IsZero() || !now.Before(c.ExpiresAt.Add(v.leeway)):
		return ErrExpired
	case c.IssuedAt.IsZero() || now.Add(v.leeway).Before(c.IssuedAt):
		return ErrIssuedAt
	case !c.notBefore.IsZero() && now.Add(v.leeway).Before(c.notBefore):
		return ErrNotYetValid
	case c.ExpiresAt.Before(c.IssuedAt) || c.ExpiresAt.Sub(c.IssuedAt) > maxLifetime+v.leeway:
		return ErrLifetime
	}
	return nil
}
