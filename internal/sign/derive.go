package sign

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"math/big"

	"github.com/codegrant/codegrant/session"
)

// Derive makes signing keys of the sealing keys of a ring, for a purpose. They rotate with
// them, and every process with the same ring has the same. Those for RS256, which take a
// moment, are made where algorithm is that alone.
func Derive(ring *session.Keyring, purpose, algorithm string) (Keys, error) {
	keys := Keys{Algorithm: algorithm}
	seeds, err := ring.Derive(purpose)
	if err != nil {
		return Keys{}, err
	}
	for _, seed := range seeds {
		if len(seed) != ed25519.SeedSize {
			return Keys{}, fmt.Errorf("a seed has %d bytes", len(seed))
		}
		keys.Ed25519 = append(keys.Ed25519, ed25519.NewKeyFromSeed(seed))
	}
	if seeds, err = ring.Derive(purpose + " " + ES256); err != nil {
		return Keys{}, err
	}
	for _, seed := range seeds {
		private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed)
		for err != nil { // one of four billion is none
			next := sha256.Sum256(seed)
			seed = next[:]
			private, err = ecdsa.ParseRawPrivateKey(elliptic.P256(), seed)
		}
		keys.EC = append(keys.EC, private)
	}
	if algorithm != RS256 {
		return keys, nil
	}
	if seeds, err = ring.Derive(purpose + " " + RS256); err != nil {
		return Keys{}, err
	}
	for _, seed := range seeds {
		private, err := rsaOf(seed)
		if err != nil {
			return Keys{}, err
		}
		keys.RSA = append(keys.RSA, private)
	}
	return keys, nil
}

const (
	primeBits = 1024
	exponent  = 65537
)

// rsaOf makes a key of 2048 bits of a seed of 32 random bytes, always the same:
// [rsa.GenerateKey] makes another one each time.
func rsaOf(seed []byte) (*rsa.PrivateKey, error) {
	e, one := big.NewInt(exponent), big.NewInt(1)
	var primes []*big.Int
	for i := 0; len(primes) < 2; i++ {
		raw, err := hkdf.Key(sha256.New, seed, nil, fmt.Sprintf("codegrant RSA prime %d", i), primeBits/8)
		if err != nil {
			return nil, err
		}
		raw[0] |= 0xc0 // so that the product of two has all its bits
		raw[len(raw)-1] |= 1
		p := new(big.Int).SetBytes(raw)
		less := new(big.Int).Sub(p, one)
		if new(big.Int).GCD(nil, nil, e, less).Cmp(one) == 0 && p.ProbablyPrime(20) {
			primes = append(primes, p)
		}
	}
	p, q := primes[0], primes[1]
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	private := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: exponent},
		D:         new(big.Int).ModInverse(e, phi),
		Primes:    primes,
	}
	private.Precompute()
	if err := private.Validate(); err != nil {
		return nil, fmt.Errorf("derive an RSA key: %w", err)
	}
	return private, nil
}
