package state

import (
	"math/big"
	"testing"
)

// FuzzPower compares powers with those of math/big, for each odd modulus of 256 bits.
func FuzzPower(f *testing.F) {
	full := make([]byte, 32)
	for i := range full {
		full[i] = 0xff
	}
	f.Add(full, full, full)
	f.Add([]byte{3}, []byte{2}, []byte{0})
	f.Add(full, []byte{1}, []byte{0x80})
	f.Fuzz(func(t *testing.T, n, x, e []byte) {
		if len(n) > 32 || len(e) > 32 {
			return
		}
		p := new(big.Int).SetBytes(n)
		p.SetBit(p, 0, 1)
		p.SetBit(p, 255, 1)
		base := new(big.Int).Mod(new(big.Int).SetBytes(x), p)
		exponent := new(big.Int).SetBytes(e)
		got := modulusOf(p).power(base, exponent.FillBytes(make([]byte, 32)))
		if want := new(big.Int).Exp(base, exponent, p); got.Cmp(want) != 0 {
			t.Fatalf("%v^%v mod %v = %v, want %v", base, exponent, p, got, want)
		}
	})
}
