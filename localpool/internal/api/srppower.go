package api

import (
	"math/big"
	"sync"
)

// A sign-in raises the generator to three powers. They are products of powers that are made
// once, one for each value of each four bits of the exponent: a sixth of the work of squaring.
const (
	windowBits = 4
	windows    = 2 * 256 / windowBits // a product of two hashes is the longest exponent
)

var windowPowers = sync.OnceValue(func() *[windows][1<<windowBits - 1]*big.Int {
	var table [windows][1<<windowBits - 1]*big.Int
	base := srpG
	for w := range table {
		power := base
		for i := range table[w] {
			table[w][i] = power
			power = new(big.Int).Mul(power, base)
			power.Mod(power, srpN)
		}
		base = power // to the power of 2 to the windowBits
	}
	return &table
})

// raised is the generator to a power, modulo N.
func raised(exponent *big.Int) *big.Int {
	if exponent.Sign() < 0 || exponent.BitLen() > windows*windowBits {
		return new(big.Int).Exp(srpG, exponent, srpN)
	}
	power, product := big.NewInt(1), new(big.Int)
	table := windowPowers()
	for w := 0; w*windowBits < exponent.BitLen(); w++ {
		digit := uint(0)
		for i := range windowBits {
			digit |= exponent.Bit(w*windowBits+i) << i
		}
		if digit != 0 {
			product.Mul(power, table[w][digit-1])
			power.Mod(product, srpN)
		}
	}
	return power
}
