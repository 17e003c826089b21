package state

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"testing"
)

// TestKeys: what is made is a key as any of 2,048 bits to who verifies, and a file of before has
// keys with two primes.
func TestKeys(t *testing.T) {
	made, err := makeKey()
	if err != nil {
		t.Fatal(err)
	}
	two, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(two)
	if err != nil {
		t.Fatal(err)
	}
	for text, primes := range map[string]int{made: 4, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})): 2} {
		key, err := parseKey(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := key.private.Validate(); err != nil || len(key.private.Primes) != primes || key.private.N.BitLen() != 2048 || key.private.E != 65537 {
			t.Errorf("a key of %d primes, %d bits, exponent %d (%v)", len(key.private.Primes), key.private.N.BitLen(), key.private.E, err)
		}
		for n := range 50 {
			sum := sha256.Sum256(fmt.Append(nil, n))
			if err := rsa.VerifyPKCS1v15(&key.private.PublicKey, crypto.SHA256, sum[:], key.signHash(sum[:])); err != nil {
				t.Fatalf("%d primes, message %d: %v", primes, n, err)
			}
		}
	}
}
