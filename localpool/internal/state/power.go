package state

import (
	"encoding/binary"
	"math/big"
	"math/bits"
)

// Powers modulo a prime of three words, by Montgomery multiplication (Handbook of Applied
// Cryptography, 14.36). math/big takes more than twice as long for numbers as small as these,
// and there are twenty-two of them in a sign-in, which they are most of.
type number [words]uint64 // the lowest word first

const (
	words = 3
	size  = words * 8 // bytes
)

func numberOf(x *big.Int) (n number) {
	var b [size]byte
	x.FillBytes(b[:])
	for i := range n {
		n[i] = binary.BigEndian.Uint64(b[size-8-8*i:])
	}
	return n
}

// modulus is an odd one, of 190 bits at most. R is 2^192.
type modulus struct {
	n    number
	low  uint64 // -1/n modulo 2^64
	unit number // R modulo n, which stands for 1
	into number // R² modulo n
}

func modulusOf(p *big.Int) *modulus {
	m := &modulus{n: numberOf(p)}
	inverse := m.n[0]
	for range 5 { // each doubles the bits that are right, of which an odd number has three
		inverse *= 2 - m.n[0]*inverse
	}
	m.low = -inverse
	r := new(big.Int).Lsh(big.NewInt(1), 8*size)
	m.unit = numberOf(new(big.Int).Mod(r, p))
	m.into = numberOf(r.Mod(r.Mul(r, r), p))
	return m
}

// sum is a·b + c + d, in two words.
func sum(a, b, c, d uint64) (high, low uint64) {
	high, low = bits.Mul64(a, b)
	low, carry := bits.Add64(low, c, 0)
	high += carry
	low, carry = bits.Add64(low, d, 0)
	return high + carry, low
}

// times is x·y/R modulo n.
func (m *modulus) times(x, y *number) number {
	var t0, t1, t2 uint64
	n0, n1, n2 := m.n[0], m.n[1], m.n[2]
	x0, x1, x2 := x[0], x[1], x[2]
	for _, word := range y {
		var c uint64
		c, t0 = sum(x0, word, t0, 0)
		c, t1 = sum(x1, word, t1, c)
		c, t2 = sum(x2, word, t2, c)
		over := c
		q := t0 * m.low // makes the lowest word 0, which is then left out
		c, _ = sum(q, n0, t0, 0)
		c, t0 = sum(q, n1, t1, c)
		c, t1 = sum(q, n2, t2, c)
		t2 = over + c // the whole is less than 2n, which has room
	}
	less0, borrow := bits.Sub64(t0, n0, 0)
	less1, borrow := bits.Sub64(t1, n1, borrow)
	less2, borrow := bits.Sub64(t2, n2, borrow)
	if borrow == 1 {
		return number{t0, t1, t2}
	}
	return number{less0, less1, less2}
}

// digitsOf are those of an exponent to the base 16, the highest first.
func digitsOf(e *big.Int) (digits []byte) {
	for _, b := range e.Bytes() {
		digits = append(digits, b>>4, b&15)
	}
	return digits
}

// power is x^e modulo n, for an x below n and the digits of e.
func (m *modulus) power(x *big.Int, digits []byte) *big.Int {
	var powers [16]number // of x
	base := numberOf(x)
	powers[0], powers[1] = m.unit, m.times(&base, &m.into)
	for i := 2; i < len(powers); i++ {
		powers[i] = m.times(&powers[i-1], &powers[1])
	}
	z := m.unit
	for i, digit := range digits {
		if i > 0 {
			for range 4 {
				z = m.times(&z, &z)
			}
		}
		if digit != 0 {
			z = m.times(&z, &powers[digit])
		}
	}
	z = m.times(&z, &number{1})
	var b [size]byte
	for i := range z {
		binary.BigEndian.PutUint64(b[size-8-8*i:], z[i])
	}
	return new(big.Int).SetBytes(b[:])
}
