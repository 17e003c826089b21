package verify

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Config configures a [Verifier]. Issuer and ClientIDs are required. The other fields have
// defaults for a pool at AWS.
type Config struct {
	// Issuer is the pool's issuer, such as
	// "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E". It is
	// compared byte for byte, and comes from settings, never from a token.
	Issuer string
	// ClientIDs are the app clients whose tokens are accepted.
	ClientIDs []string
	// Resources are the resource servers that an access token may be bound to
	// (aud, RFC 8707). Defaults to none: an access token with an audience other
	// than its app client is refused.
	Resources []string

	// Keys verify the signatures. Defaults to those that JWKSURL serves.
	Keys KeySet
	// JWKSURL is where the pool serves its keys: https, or http on this machine.
	// Defaults to Issuer + "/.well-known/jwks.json". Not used with Keys.
	JWKSURL string
	// HTTPClient fetches the keys; redirects are not followed, and no fetch takes
	// longer than 5 s. Defaults to a client with [http.DefaultTransport].
	HTTPClient *http.Client
	// MaxKeyAge is how long keys stay in use if they cannot be fetched again. So it is also
	// how long a withdrawn key can work during an outage. Defaults to 24 hours; at least a
	// minute.
	MaxKeyAge time.Duration
	// RefetchInterval is the minimum time between two fetches because of unknown keys, however
	// many tokens come. Until the next fetch, a token with another unknown key gets
	// [ErrUnavailable], because that key was not looked up. Defaults to 10 s.
	RefetchInterval time.Duration

	// Leeway is how far the clocks here and at the pool may be apart. Defaults to
	// 30 s; negative: none; at most 5 minutes.
	Leeway time.Duration
	// CacheSize is how many verified tokens are cached until they expire, at 2 to 4 KB each.
	// Defaults to 10 000; negative: none.
	CacheSize int
	// Now is the clock. Defaults to [time.Now].
	Now func() time.Time
}

// KeySet finds the public key for a key id. It returns [ErrUnknownKey] if there is no such
// key, and [ErrUnavailable] if it cannot find out. It is called for every token, even for a
// cached one, so the tokens of a removed key stop working. It must be safe for concurrent
// use, and fast.
//
// If a KeySet also has a method Warm(context.Context) error, [Verifier.Warm] calls it.
type KeySet interface {
	Key(ctx context.Context, keyID string) (*rsa.PublicKey, error)
}

// New checks the configuration, and returns all mistakes in it. It fetches keys when the
// first token needs them.
func New(config Config) (*Verifier, error) {
	c := config.withDefaults()
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("configure verifier: %w", err)
	}
	if c.Keys == nil {
		c.Keys = newRemoteKeys(c)
	}
	return &Verifier{
		issuer: c.Issuer, clients: c.ClientIDs, resources: c.Resources,
		keys: c.Keys, leeway: c.Leeway, now: c.Now, cache: newCache(c.CacheSize),
	}, nil
}

const (
	maxLeeway       = 5 * time.Minute
	defaultKeysPath = "/.well-known/jwks.json" // below the issuer
)

func (c Config) withDefaults() Config {
	c.ClientIDs, c.Resources = slices.Clone(c.ClientIDs), slices.Clone(c.Resources)
	if c.JWKSURL == "" && c.Keys == nil {
		c.JWKSURL = c.Issuer + defaultKeysPath
	}
	if c.MaxKeyAge == 0 {
		c.MaxKeyAge = 24 * time.Hour
	}
	if c.RefetchInterval == 0 {
		c.RefetchInterval = 10 * time.Second
	}
	c.Leeway = leeway(c.Leeway)
	if c.CacheSize == 0 {
		c.CacheSize = 10_000
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// leeway resolves the setting of that name: 0 and less have a meaning.
func leeway(setting time.Duration) time.Duration {
	if setting == 0 {
		return 30 * time.Second
	}
	return max(setting, 0)
}

func (c Config) check() error {
	var faults []error
	if c.Issuer == "" {
		faults = append(faults, errors.New("set Issuer: it is empty"))
	}
	if len(c.ClientIDs) == 0 || slices.Contains(c.ClientIDs, "") {
		faults = append(faults, errors.New("set ClientIDs: there are none, or one is empty"))
	}
	if slices.Contains(c.Resources, "") {
		faults = append(faults, errors.New("take the empty one out of Resources"))
	}
	switch {
	case c.Keys != nil && c.JWKSURL != "":
		faults = append(faults, errors.New("leave out either Keys or JWKSURL: the keys come from one of them"))
	case c.Keys != nil || c.JWKSURL == defaultKeysPath: // said above
	default:
		if err := checkURL(c.JWKSURL); err != nil {
			faults = append(faults, fmt.Errorf("set JWKSURL: %w", err))
		}
	}
	if c.MaxKeyAge < time.Minute {
		faults = append(faults, fmt.Errorf("set MaxKeyAge to a minute at least: it is %v", c.MaxKeyAge))
	}
	if c.RefetchInterval < 0 {
		faults = append(faults, fmt.Errorf("set RefetchInterval to more than nothing: it is %v", c.RefetchInterval))
	}
	if c.Leeway > maxLeeway {
		faults = append(faults, fmt.Errorf("set Leeway to %v at most: it is %v", maxLeeway, c.Leeway))
	}
	return errors.Join(faults...)
}

// checkURL accepts https, and http on this machine, for a pool that runs there.
func checkURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return fmt.Errorf("%q is not an absolute URL", raw)
	case u.User != nil || u.Fragment != "":
		return errors.New("a URL with credentials or a fragment")
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("%q does not begin with https: plain http is only for this machine", raw)
}

func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
