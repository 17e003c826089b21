package verify

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	maxKeySet    = 256 << 10
	fetchTimeout = 5 * time.Second
	minFresh     = time.Minute
	defaultFresh = time.Hour
	maxFresh     = 24 * time.Hour
)

// remoteKeys are the keys that a pool serves. They are fetched when needed, by
// one caller for all, and kept while the pool is out of reach.
type remoteKeys struct {
	url      string
	http     *http.Client
	maxAge   time.Duration
	interval time.Duration
	now      func() time.Time
	current  atomic.Pointer[keySnapshot]

	mu      sync.Mutex // guards the fields below
	flight  *keyFlight
	tried   time.Time // when the last fetch ended
	lastErr error     // how
}

// keySnapshot is one answer of the pool. It does not change.
type keySnapshot struct {
	keys    map[string]*rsa.PublicKey
	fetched time.Time
	fresh   time.Time // until when there is no reason to ask again
	etag    string
}

// keyFlight is one fetch. err may be read once done is closed.
type keyFlight struct {
	done chan struct{}
	err  error
}

func newRemoteKeys(config Config) *remoteKeys {
	k := &remoteKeys{
		url: config.JWKSURL, http: config.HTTPClient, maxAge: config.MaxKeyAge, interval: config.RefetchInterval, now: config.Now,
	}
	if k.maxAge <= 0 {
		k.maxAge = 24 * time.Hour
	}
	if k.interval <= 0 {
		k.interval = 10 * time.Second
	}
	base := k.http
	if base == nil {
		base = &http.Client{Timeout: fetchTimeout}
	}
	client := *base
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	k.http = &client
	return k
}

// Key implements [KeySet].
func (k *remoteKeys) Key(ctx context.Context, keyID string) (*rsa.PublicKey, error) {
	now := k.now()
	if s := k.current.Load(); s != nil && now.Sub(s.fetched) < k.maxAge {
		if key, ok := s.keys[keyID]; ok {
			if now.After(s.fresh) {
				k.start(now) // beside this token, which goes on with what is known
			}
			return key, nil
		}
	}
	flight, err := k.start(now)
	if err != nil {
		return nil, err
	}
	select {
	case <-flight.done:
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
	if flight.err != nil {
		return nil, flight.err
	}
	if s := k.current.Load(); s != nil {
		if key, ok := s.keys[keyID]; ok {
			return key, nil
		}
	}
	return nil, ErrUnknownKey
}

func (k *remoteKeys) warm(ctx context.Context) error {
	flight, err := k.start(k.now())
	if errors.Is(err, ErrUnknownKey) {
		return nil // fetched a moment ago
	}
	if err != nil {
		return err
	}
	select {
	case <-flight.done:
		return flight.err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
}

// start joins the fetch under way, or begins one, unless the last one ended less
// than the interval ago: however many unknown keys arrive, the pool is asked once
// per interval. Then the answer is what the last fetch makes of an unknown key.
func (k *remoteKeys) start(now time.Time) (*keyFlight, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.flight != nil {
		return k.flight, nil
	}
	if !k.tried.IsZero() && now.Sub(k.tried) < k.interval {
		if k.lastErr != nil {
			return nil, k.lastErr
		}
		return nil, ErrUnknownKey
	}
	flight := &keyFlight{done: make(chan struct{})}
	k.flight = flight
	// The fetch is everybody's: it does not end with the request that began it.
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
		defer cancel()
		err := k.fetch(ctx)
		k.mu.Lock()
		flight.err, k.lastErr, k.tried, k.flight = err, err, k.now(), nil
		k.mu.Unlock()
		close(flight.done)
	}()
	return flight, nil
}

// fetch asks the pool. An answer that cannot be used changes nothing.
func (k *remoteKeys) fetch(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	r.Header.Set("Accept", "application/json")
	old := k.current.Load()
	if old != nil && old.etag != "" {
		r.Header.Set("If-None-Match", old.etag)
	}
	response, err := k.http.Do(r)
	if err != nil {
		return fmt.Errorf("fetch keys: %w: %w", ErrUnavailable, err)
	}
	defer response.Body.Close()
	now := k.now()
	next := &keySnapshot{fetched: now, fresh: now.Add(freshness(response.Header)), etag: response.Header.Get("ETag")}
	switch {
	case response.StatusCode == http.StatusNotModified && old != nil:
		next.keys, next.etag = old.keys, old.etag
	case response.StatusCode == http.StatusOK:
		body, err := io.ReadAll(io.LimitReader(response.Body, maxKeySet+1))
		if err != nil {
			return fmt.Errorf("fetch keys: %w: %w", ErrUnavailable, err)
		}
		if len(body) > maxKeySet {
			return fmt.Errorf("fetch keys: %w: the answer is longer than %d bytes", ErrUnavailable, maxKeySet)
		}
		if next.keys, err = parseKeySet(body); err != nil {
			return fmt.Errorf("fetch keys: %w: %w", ErrUnavailable, err)
		}
	default:
		return fmt.Errorf("fetch keys: %w: status %d", ErrUnavailable, response.StatusCode)
	}
	k.current.Store(next)
	return nil
}

// freshness is how long the answer says that it holds (RFC 9111, section 5.2.2),
// within bounds of our own.
func freshness(h http.Header) time.Duration {
	for directive := range strings.SplitSeq(h.Get("Cache-Control"), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		if strings.EqualFold(name, "no-store") || strings.EqualFold(name, "no-cache") {
			return minFresh
		}
		if seconds, err := strconv.Atoi(strings.Trim(value, `"`)); err == nil && strings.EqualFold(name, "max-age") {
			return min(max(time.Duration(min(seconds, 1<<30))*time.Second, minFresh), maxFresh)
		}
	}
	return defaultFresh
}

// parseKeySet reads a JWK set (RFC 7517). Keys that cannot verify an RS256
// signature, or that are too weak for it, are left out without losing the others.
func parseKeySet(body []byte) (map[string]*rsa.PublicKey, error) {
	members, err := readObject(body)
	if err != nil {
		return nil, errors.New("the answer is not a JWK set")
	}
	var set []json.RawMessage
	for _, m := range members {
		if m.name == "keys" && (m.raw[0] != '[' || json.Unmarshal(m.raw, &set) != nil) {
			return nil, errors.New("the answer is not a JWK set: keys is not an array")
		}
	}
	if set == nil {
		return nil, errors.New("the answer is not a JWK set: it has no keys")
	}
	keys := make(map[string]*rsa.PublicKey)
	twice := make(map[string]bool)
	for _, raw := range set {
		var jwk jose.JSONWebKey
		if json.Unmarshal(raw, &jwk) != nil {
			continue
		}
		public, ok := jwk.Key.(*rsa.PublicKey)
		switch {
		case !ok, jwk.KeyID == "", jwk.Use != "" && jwk.Use != "sig", jwk.Algorithm != "" && jwk.Algorithm != "RS256",
			public.N.BitLen() < 2048, public.N.BitLen() > 8192, public.E < 3, public.E%2 == 0:
			continue
		}
		// Of two keys of one name, neither can be meant.
		if keys[jwk.KeyID] != nil {
			twice[jwk.KeyID] = true
		}
		keys[jwk.KeyID] = public
	}
	for keyID := range twice {
		delete(keys, keyID)
	}
	if len(keys) == 0 {
		return nil, errors.New("the JWK set has no key that verifies RS256")
	}
	return keys, nil
}
