package state

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"math/big"
	"slices"
)

// The keys have eight primes in place of two (RFC 8017, section 3.2). Who verifies sees no
// difference: 2,048 bits, and the usual exponent. They are made several times as fast, and sign
// ten times as fast, which is most of what a start and a sign-in take. They withstand less,
// both who factors numbers and who measures time: a key of a local pool guards nothing from
// people who could not just read the codes of everybody.
const (
	keyBits     = 2048
	keyPrimes   = 8
	keyExponent = 65537
)

func makeRSA() (*rsa.PrivateKey, error) {
	one, e := big.NewInt(1), big.NewInt(keyExponent)
	for {
		n, totient := big.NewInt(1), big.NewInt(1)
		var primes []*big.Int
		for range keyPrimes {
			p, err := primeOfKey()
			if err != nil {
				return nil, err
			}
			if slices.ContainsFunc(primes, func(other *big.Int) bool { return other.Cmp(p) == 0 }) {
				break
			}
			primes = append(primes, p)
			n.Mul(n, p)
			totient.Mul(totient, new(big.Int).Sub(p, one))
		}
		d := new(big.Int).ModInverse(e, totient)
		if n.BitLen() == keyBits && d != nil {
			return &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n, E: keyExponent}, D: d, Primes: primes}, nil
		}
	}
}

// primeOfKey draws one of the upper quarter, so that the product is mostly long enough.
func primeOfKey() (*big.Int, error) {
	const size = keyBits / keyPrimes
	for {
		p, err := rand.Prime(rand.Reader, size)
		if err != nil || p.Bit(size-3) == 1 {
			return p, err
		}
	}
}

// part is what one prime contributes to a signature, by the Chinese remainder theorem.
type part struct {
	prime, exponent *big.Int
	factor          *big.Int // 1 modulo the prime, 0 modulo the others
	small           *modulus // nil: a prime of keys that files of before have
}

func (p *part) power(x *big.Int) *big.Int {
	if p.small == nil {
		return x.Exp(x, p.exponent, p.prime)
	}
	return p.small.power(x, p.exponent.FillBytes(make([]byte, keyBits/keyPrimes/8)))
}

func partsOf(key *rsa.PrivateKey) []part {
	parts := make([]part, 0, len(key.Primes))
	for _, p := range key.Primes {
		others := new(big.Int).Quo(key.N, p)
		inverse := new(big.Int).ModInverse(others, p)
		one := part{prime: p, exponent: new(big.Int).Mod(key.D, new(big.Int).Sub(p, big.NewInt(1))), factor: inverse.Mul(inverse, others)}
		if p.BitLen() == keyBits/keyPrimes {
			one.small = modulusOf(p)
		}
		parts = append(parts, one)
	}
	return parts
}

// sha256Prefix says of a hash in a signature that it is one of SHA-256 (RFC 8017, section 9.2).
var sha256Prefix, _ = hex.DecodeString("3031300d060960864801650304020105000420")

// signHash is the signature of a hash by RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2.1).
func (k *signingKey) signHash(hash []byte) []byte {
	padded := make([]byte, (k.private.N.BitLen()+7)/8)
	padded[1] = 1
	end := len(padded) - len(sha256Prefix) - len(hash)
	for i := 2; i < end-1; i++ {
		padded[i] = 0xff
	}
	copy(padded[end:], sha256Prefix)
	copy(padded[end+len(sha256Prefix):], hash)
	message, sum := new(big.Int).SetBytes(padded), new(big.Int)
	for _, p := range k.parts {
		power := p.power(new(big.Int).Mod(message, p.prime))
		sum.Add(sum, power.Mul(power, p.factor))
	}
	return sum.Mod(sum, k.private.N).FillBytes(padded)
}
