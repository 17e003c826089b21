package state

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"math/big"
	"slices"
)

// The keys have eleven primes in place of two (RFC 8017, section 3.2), each of which fits three
// words. Who verifies sees no difference: 2,048 bits, and the usual exponent. They are made
// several times as fast, and sign twenty times as fast, which is most of what a start and a
// sign-in take. They withstand less, both who factors numbers and who measures time: a key of a
// local pool guards nothing from people who could not just read the codes of everybody.
const (
	keyBits     = 2048
	keyPrimes   = 11
	primeBits   = 186
	longer      = 4 // of the primes, which have a bit more
	keyExponent = 65537
)

func makeRSA() (*rsa.PrivateKey, error) {
	one, e := big.NewInt(1), big.NewInt(keyExponent)
	for {
		n, totient := big.NewInt(1), big.NewInt(1)
		var primes []*big.Int
		for i := range keyPrimes {
			size := primeBits
			if i < longer {
				size++
			}
			p, err := rand.Prime(rand.Reader, size)
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

// part is what one prime contributes to a signature, by the Chinese remainder theorem.
type part struct {
	prime, exponent *big.Int
	factor          *big.Int // 1 modulo the prime, 0 modulo the others
	small           *modulus // nil: a prime of keys that files of before have
	digits          []byte   // of the exponent, for small
	padding         *big.Int // of what is signed, modulo the prime
}

func (p *part) power(x *big.Int) *big.Int {
	if p.small == nil {
		return new(big.Int).Exp(x, p.exponent, p.prime)
	}
	return p.small.power(x, p.digits)
}

func partsOf(key *rsa.PrivateKey) []part {
	parts := make([]part, 0, len(key.Primes))
	for _, p := range key.Primes {
		others := new(big.Int).Quo(key.N, p)
		inverse := new(big.Int).ModInverse(others, p)
		one := part{prime: p, padding: new(big.Int).Mod(padding(key.N.BitLen()), p), exponent: new(big.Int).Mod(key.D, new(big.Int).Sub(p, big.NewInt(1))), factor: inverse.Mul(inverse, others)}
		if p.BitLen() <= primeBits+1 {
			one.small, one.digits = modulusOf(p), digitsOf(one.exponent)
		}
		parts = append(parts, one)
	}
	return parts
}

// sha256Prefix says of a hash in a signature that it is one of SHA-256 (RFC 8017, section 9.2).
var sha256Prefix, _ = hex.DecodeString("3031300d060960864801650304020105000420")

// padding is what is signed of a hash, all but the hash (RFC 8017, section 9.2).
func padding(bits int) *big.Int {
	padded := make([]byte, (bits+7)/8)
	padded[1] = 1
	end := len(padded) - len(sha256Prefix) - sha256.Size
	for i := 2; i < end-1; i++ {
		padded[i] = 0xff
	}
	copy(padded[end:], sha256Prefix)
	return new(big.Int).SetBytes(padded)
}

// signHash is the signature of a hash by RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2.1).
func (k *signingKey) signHash(hash [sha256.Size]byte) []byte {
	x, term, total, number := new(big.Int), new(big.Int), new(big.Int), new(big.Int).SetBytes(hash[:])
	for _, p := range k.parts {
		x.Mod(x.Add(number, p.padding), p.prime)
		total.Add(total, term.Mul(p.power(x), p.factor))
	}
	return total.Mod(total, k.private.N).FillBytes(make([]byte, (k.private.N.BitLen()+7)/8))
}
