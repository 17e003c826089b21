package api

import (
	"crypto/rand"
	"math/big"
	"testing"
)

func TestRaised(t *testing.T) {
	power := func(bits uint) *big.Int { return new(big.Int).Lsh(big.NewInt(1), bits) }
	less := func(n *big.Int) *big.Int { return new(big.Int).Sub(n, big.NewInt(1)) }
	exponents := []*big.Int{
		new(big.Int), big.NewInt(1), big.NewInt(15), big.NewInt(16), big.NewInt(0xf0f0), power(255), less(power(256)), power(256),
		power(511), less(power(512)), power(512), less(power(513)), srpN,
	}
	for _, bits := range []uint{64, 255, 256, 400, 512} {
		for range 8 {
			n, err := rand.Int(rand.Reader, power(bits))
			if err != nil {
				t.Fatal(err)
			}
			exponents = append(exponents, n)
		}
	}
	for _, exponent := range exponents {
		if got, want := raised(exponent), new(big.Int).Exp(srpG, exponent, srpN); got.Cmp(want) != 0 {
			t.Errorf("raised(%x) = %x, want %x", exponent, got, want)
		}
	}
}
