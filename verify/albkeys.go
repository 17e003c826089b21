package verify

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	maxALBKeySize = 8 << 10        // bytes; AWS's take a few hundred
	maxALBKeys    = 64             // known at a time; a region has a handful
	maxALBKeyAge  = 24 * time.Hour // also of a key that AWS has taken away

	// maxNewALBKeys in each interval are fetched of those that nobody has heard
	// of: who sends ids at random must not make us flood AWS.
	maxNewALBKeys  = 8
	albKeyInterval = 10 * time.Second
)

// albKeys are the public keys of load balancers, by URL.
type albKeys struct {
	client *http.Client
	now    func() time.Time

	mu      sync.Mutex // guards the fields below
	known   map[string]*albKey
	since   time.Time // when the running interval began
	fetched int       // new keys in it
}

type albKey struct {
	*remote[*ecdsa.PublicKey]
	used time.Time // guarded by albKeys.mu
}

func newALBKeys(client *http.Client, now func() time.Time) *albKeys {
	return &albKeys{client: noRedirects(client), now: now, known: make(map[string]*albKey)}
}

// get returns the key at a URL.
func (k *albKeys) get(ctx context.Context, url string) (*ecdsa.PublicKey, error) {
	found, err := k.find(url)
	if err != nil {
		return nil, err
	}
	key, err := found.get(ctx)
	if err == nil || ctx.Err() != nil {
		return key, err
	}
	if found.current.Load() == nil {
		k.mu.Lock()
		delete(k.known, url) // it takes no room from keys that exist
		k.mu.Unlock()
	}
	var status statusError
	if errors.As(err, &status) && status == http.StatusNotFound {
		return nil, ErrUnknownKey
	}
	return nil, err
}

// find returns the place of a key, and makes one for a new key, as often as that
// may be done.
func (k *albKeys) find(url string) (*albKey, error) {
	now := k.now()
	k.mu.Lock()
	defer k.mu.Unlock()
	key, ok := k.known[url]
	if !ok {
		if now.Sub(k.since) >= albKeyInterval {
			k.since, k.fetched = now, 0
		}
		if k.fetched >= maxNewALBKeys {
			return nil, fmt.Errorf("%w: more than %d unknown keys in %v", ErrUnavailable, maxNewALBKeys, albKeyInterval)
		}
		k.fetched++
		if len(k.known) >= maxALBKeys {
			k.forget()
		}
		key = &albKey{remote: &remote[*ecdsa.PublicKey]{
			url: url, client: k.client, limit: maxALBKeySize,
			maxAge: maxALBKeyAge, parse: parseALBKey, now: k.now, lane: lane{interval: albKeyInterval},
		}}
		k.known[url] = key
	}
	key.used = now
	return key, nil
}

// forget makes room for a key: by one that had no answer yet, and may not exist,
// else by the one that was not used for longest.
func (k *albKeys) forget() {
	var oldest string
	for url, key := range k.known {
		if key.current.Load() == nil {
			delete(k.known, url)
			return
		}
		if oldest == "" || key.used.Before(k.known[oldest].used) {
			oldest = url
		}
	}
	delete(k.known, oldest)
}

// parseALBKey reads a public key for ES256 in PEM.
func parseALBKey(body []byte) (*ecdsa.PublicKey, error) {
	block, _ := pem.Decode(body)
	if block == nil {
		return nil, errors.New("the answer is not a PEM block")
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, errors.New("the answer is not a public key")
	}
	key, ok := public.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("the answer is not a key for ES256")
	}
	return key, nil
}
