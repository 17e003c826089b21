package state

import (
	"math/big"
	"testing"
)

// FuzzPower compares powers with those of math/big, for odd moduli of three words.
func FuzzPower(f *testing.F) {
	full := make([]byte, size)
	for i := range full {
		full[i] = 0xff
	}
	f.Add(full, full, full)
	f.Add(full, append([]byte{0x3f}, full[:size-2]...), full)
	f.Add([]byte{3}, []byte{2}, []byte{0})
	f.Add(full, []byte{1}, []byte{0x80})
	f.Fuzz(func(t *testing.T, n, x, e []byte) {
		if len(n) > size || len(e) > size {
			return
		}
		p := new(big.Int).SetBytes(n)
		p.SetBit(p, 0, 1)
		p.SetBit(p, 191, 0)
		p.SetBit(p, 190, 0)
		if p.Cmp(big.NewInt(1)) == 0 {
			return // modulo which everything is 0
		}
		base := new(big.Int).Mod(new(big.Int).SetBytes(x), p)
		exponent := new(big.Int).SetBytes(e)
		got := modulusOf(p).power(base, digitsOf(exponent))
		if want := new(big.Int).Exp(base, exponent, p); got.Cmp(want) != 0 {
			t.Fatalf("%v^%v mod %v = %v, want %v", base, exponent, p, got, want)
		}
	})
}
