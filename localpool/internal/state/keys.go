package state

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"sync"
)

// Keys are the two key pairs of a pool: Cognito signs ID tokens with one and
// access tokens with the other, so their kids differ.
type Keys struct {
	ID     string `json:"id"`     // PEM, PKCS #8
	Access string `json:"access"` // PEM, PKCS #8

	id, access *signingKey
}

type signingKey struct {
	kid     string
	header  string // of what it signs, encoded
	private *rsa.PrivateKey
	parts   []part
}

// spare are the keys of pools that were in the memory of this process only, and are
// closed: making keys is most of what a short test with a pool takes. Two pools
// never have the same ones at a time, and a pool that is kept has keys of its own.
var spare struct {
	mu   sync.Mutex // guards keys
	keys []*Keys
}

const maxSpare = 64

// newKeys returns keys that no other pool has.
func (s *State) newKeys() (*Keys, error) {
	if s.path == "" {
		spare.mu.Lock()
		defer spare.mu.Unlock()
		if last := len(spare.keys) - 1; last >= 0 {
			k := spare.keys[last]
			spare.keys = spare.keys[:last]
			return k, nil
		}
	}
	return makeKeys()
}

// spareKeys gives away the keys of pools that are closed. The caller holds the lock.
func (s *State) spareKeys() {
	spare.mu.Lock()
	defer spare.mu.Unlock()
	for _, p := range s.pools {
		if s.path == "" && p.Keys != nil && len(spare.keys) < maxSpare {
			spare.keys = append(spare.keys, p.Keys)
		}
	}
}

func makeKeys() (*Keys, error) {
	k := &Keys{}
	var both sync.WaitGroup
	var faults [2]error
	for i, target := range []*string{&k.ID, &k.Access} {
		both.Go(func() { *target, faults[i] = makeKey() })
	}
	both.Wait()
	return k, errors.Join(faults[:]...)
}

func makeKey() (string, error) {
	private, err := makeRSA()
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), err
}

// keysOf returns the keys of a pool. To make them takes longer than all else at the start,
// so they are made when they are first needed. The caller holds the lock.
func (s *State) keysOf(p *Pool) (*Keys, error) {
	if p.Keys != nil {
		return p.Keys, nil
	}
	keys, err := s.newKeys()
	if err == nil {
		err = keys.parse()
	}
	if err != nil {
		return nil, fmt.Errorf("make keys of pool %s: %w", p.ID, err)
	}
	p.Keys = keys
	return keys, nil
}

// allKeys makes the keys of every pool, which a file and a snapshot have to have. The
// caller holds the lock.
func (s *State) allKeys() error {
	for _, p := range s.pools {
		if _, err := s.keysOf(p); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keys) parse() (err error) {
	if k.id, err = parseKey(k.ID); err != nil {
		return err
	}
	k.access, err = parseKey(k.Access)
	return err
}

func parseKey(text string) (*signingKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("a key is not PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	private, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("a key is not RSA")
	}
	// Cognito's key ids are base64 of 32 bytes, so they end in an equals sign.
	sum := sha256.Sum256(private.PublicKey.N.Bytes())
	key := &signingKey{kid: base64.StdEncoding.EncodeToString(sum[:]), private: private, parts: partsOf(private)}
	header, err := json.Marshal(struct {
		KeyID string `json:"kid"`
		Alg   string `json:"alg"`
	}{key.kid, "RS256"})
	key.header = base64.RawURLEncoding.EncodeToString(header)
	return key, err
}

func (k *signingKey) jwk() map[string]string {
	enc := base64.RawURLEncoding
	return map[string]string{
		"alg": "RS256", "e": enc.EncodeToString(big.NewInt(int64(k.private.E)).Bytes()), "kid": k.kid,
		"kty": "RSA", "n": enc.EncodeToString(k.private.N.Bytes()), "use": "sig",
	}
}

// JWKS returns the pool's public keys.
func (s *State) JWKS(poolID string) (map[string]any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return nil, err
	}
	keys, err := s.keysOf(p)
	if err != nil {
		return nil, err
	}
	return map[string]any{"keys": []map[string]string{keys.id.jwk(), keys.access.jwk()}}, nil
}

// RotateKeys replaces both key pairs. Tokens signed before no longer verify.
func (s *State) RotateKeys(poolID string) error {
	keys, err := makeKeys()
	if err == nil {
		err = keys.parse()
	}
	if err != nil {
		return fmt.Errorf("make keys of pool %s: %w", poolID, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return err
	}
	p.Keys = keys
	return s.saveLocked()
}

// Sign makes a token of any claims, with the key for its token_use. The header is
// Cognito's: kid and alg, and no typ.
func (s *State) Sign(poolID string, claims map[string]any) (string, error) {
	keys, err := s.keys(poolID)
	if err != nil {
		return "", err
	}
	if claims["token_use"] == "access" {
		return keys.access.sign(claims)
	}
	return keys.id.sign(claims)
}

func (s *State) keys(poolID string) (*Keys, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return nil, err
	}
	return s.keysOf(p)
}

func (k *signingKey) sign(claims map[string]any) (string, error) {
	enc := base64.RawURLEncoding
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	token := make([]byte, 0, len(k.header)+2+enc.EncodedLen(len(payload))+enc.EncodedLen(k.private.Size()))
	token = enc.AppendEncode(append(append(token, k.header...), '.'), payload)
	sum := sha256.Sum256(token)
	return string(enc.AppendEncode(append(token, '.'), k.signHash(sum))), nil
}

// PublicKey returns the key that verifies the pool's tokens of a use, id or access.
func (s *State) PublicKey(poolID, use string) (*rsa.PublicKey, error) {
	keys, err := s.keys(poolID)
	if err != nil {
		return nil, err
	}
	if use == "access" {
		return &keys.access.private.PublicKey, nil
	}
	return &keys.id.private.PublicKey, nil
}
