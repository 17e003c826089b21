package verify

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

const maxKeySetSize = 256 << 10 // bytes; Cognito's two keys take less than one

// remoteKeys are the keys that a pool serves as a JWK set (RFC 7517).
type remoteKeys struct {
	set *remote[map[string]*rsa.PublicKey]
}

func newRemoteKeys(c Config) *remoteKeys {
	return &remoteKeys{&remote[map[string]*rsa.PublicKey]{
		url: c.JWKSURL, client: noRedirects(c.HTTPClient), limit: maxKeySetSize,
		maxAge: c.MaxKeyAge, interval: c.RefetchInterval, parse: parseKeySet, now: c.Now,
	}}
}

// Key implements [KeySet].
func (k *remoteKeys) Key(ctx context.Context, keyID string) (*rsa.PublicKey, error) {
	keys, err := k.set.get(ctx)
	if err != nil {
		return nil, err
	}
	if key, ok := keys[keyID]; ok {
		return key, nil
	}
	// The pool may have a new one.
	if keys, err = k.set.again(ctx); err != nil {
		return nil, err
	}
	if key, ok := keys[keyID]; ok {
		return key, nil
	}
	return nil, ErrUnknownKey
}

// Warm fetches the keys if there are none.
func (k *remoteKeys) Warm(ctx context.Context) error {
	_, err := k.set.get(ctx)
	return err
}

// parseKeySet reads a JWK set. Keys that cannot be for RS256, or are too weak for
// it, are left out without losing the others; so are all keys of a name that
// several have.
func parseKeySet(body []byte) (map[string]*rsa.PublicKey, error) {
	members, err := readOuterObject(string(body))
	if err != nil {
		return nil, fmt.Errorf("the answer is not a JWK set: %w", err)
	}
	at := slices.IndexFunc(members, func(m member) bool { return m.name == "keys" })
	if at < 0 || members[at].raw[0] != '[' {
		return nil, errors.New("the answer is not a JWK set: it has no list of keys")
	}
	keys := make(map[string]*rsa.PublicKey)
	ambiguous := make(map[string]bool)
	for raw := range elements(members[at].raw) {
		keyID, key, ok := parseKey(raw)
		if !ok {
			continue
		}
		if keys[keyID] != nil {
			ambiguous[keyID] = true
		}
		keys[keyID] = key
	}
	for keyID := range ambiguous {
		delete(keys, keyID)
	}
	if len(keys) == 0 {
		return nil, errors.New("the JWK set has no key that could verify RS256")
	}
	return keys, nil
}

const (
	minModulus  = 2048 // bits
	maxModulus  = 8192
	maxExponent = 1<<31 - 1 // what crypto/rsa takes
)

// parseKey reads one JWK (RFC 7517, section 4; RFC 7518, section 6.3.1) and
// reports whether it can verify RS256 signatures.
func parseKey(raw string) (keyID string, key *rsa.PublicKey, ok bool) {
	members, err := readObject(raw)
	if err != nil {
		return "", nil, false
	}
	var n, e *big.Int
	kind := ""
	for _, m := range members {
		ok := true
		switch m.name {
		case "kty":
			kind, ok = asText(m.raw)
		case "kid":
			keyID, ok = asText(m.raw)
		case "use":
			ok = m.raw == `"sig"`
		case "alg":
			ok = m.raw == `"RS256"`
		case "key_ops":
			operations, isList := asTexts(m.raw)
			ok = isList && slices.Contains(operations, "verify")
		case "n":
			n, ok = asNumber(m.raw)
		case "e":
			e, ok = asNumber(m.raw)
		case "d", "p", "q", "dp", "dq", "qi", "oth", "k":
			ok = false // a private key that is published is nobody's
		}
		if !ok {
			return "", nil, false
		}
	}
	switch {
	case kind != "RSA", keyID == "", n == nil, e == nil,
		n.BitLen() < minModulus, n.BitLen() > maxModulus, n.Bit(0) == 0,
		e.Cmp(big.NewInt(3)) < 0, e.Cmp(big.NewInt(maxExponent)) > 0, e.Bit(0) == 0:
		return "", nil, false
	}
	return keyID, &rsa.PublicKey{N: n, E: int(e.Int64())}, true
}

// asNumber takes a Base64urlUInt (RFC 7518, section 2).
func asNumber(raw string) (*big.Int, bool) {
	text, ok := asText(raw)
	if !ok || text == "" {
		return nil, false
	}
	b, err := strictBase64.DecodeString(text)
	return new(big.Int).SetBytes(b), err == nil
}
