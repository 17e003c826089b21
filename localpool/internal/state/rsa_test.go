package state

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"testing"
)

// TestKeys: what is made is a key as any of 2,048 bits to who verifies, and files of before have
// keys with two primes, with four, and with eight.
func TestKeys(t *testing.T) {
	keys := make(map[string]int)
	for range 20 {
		made, err := makeKey()
		if err != nil {
			t.Fatal(err)
		}
		keys[made] = keyPrimes
	}
	for _, primes := range []int{2, 4, 8} {
		der, err := x509.MarshalPKCS8PrivateKey(keyOf(t, primes))
		if err != nil {
			t.Fatal(err)
		}
		keys[string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))] = primes
	}
	for text, primes := range keys {
		key, err := parseKey(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := key.private.Validate(); err != nil || len(key.private.Primes) != primes || key.private.N.BitLen() != 2048 || key.private.E != 65537 {
			t.Errorf("a key of %d primes, %d bits, exponent %d (%v)", len(key.private.Primes), key.private.N.BitLen(), key.private.E, err)
		}
		for n := range 50 {
			sum := sha256.Sum256(fmt.Append(nil, n))
			if err := rsa.VerifyPKCS1v15(&key.private.PublicKey, crypto.SHA256, sum[:], key.signHash(sum)); err != nil {
				t.Fatalf("%d primes, message %d: %v", primes, n, err)
			}
		}
	}
}

// keyOf makes a key of so many primes.
func keyOf(t *testing.T, primes int) *rsa.PrivateKey {
	t.Helper()
	for {
		n, totient := big.NewInt(1), big.NewInt(1)
		var all []*big.Int
		for range primes {
			p, err := rand.Prime(rand.Reader, keyBits/primes)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, p)
			n.Mul(n, p)
			totient.Mul(totient, new(big.Int).Sub(p, big.NewInt(1)))
		}
		if d := new(big.Int).ModInverse(big.NewInt(keyExponent), totient); d != nil && n.BitLen() == keyBits {
			return &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n, E: keyExponent}, D: d, Primes: all}
		}
	}
}
