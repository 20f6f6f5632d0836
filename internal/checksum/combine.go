// Package checksum works out the CRC-32 of files as fast as the machine reads
// them: several files at once, several parts of a large file at once, holes of
// sparse files not read at all.
//
// The CRC is that of APPNOTE 4.4.7: polynomial 0x04C11DB7, bits reflected,
// inverted before and after, as in hash/crc32's IEEE table.
package checksum

import "hash/crc32"

// A CRC is a polynomial over GF(2), bit-reflected: the top bit is the
// coefficient of x^0.
const one = 1 << 31

// multiply returns a*b modulo the CRC's polynomial.
func multiply(a, b uint32) uint32 {
	var p uint32
	for m := uint32(one); m != 0; m >>= 1 {
		if a&m != 0 {
			p ^= b
		}
		if b&1 != 0 {
			b = b>>1 ^ crc32.IEEE
		} else {
			b >>= 1
		}
	}
	return p
}

// power2[k] is x^(2^k).
var power2 = func() (t [67]uint32) {
	t[0] = one >> 1
	for k := 1; k < len(t); k++ {
		t[k] = multiply(t[k-1], t[k-1])
	}
	return t
}()

// shift returns x^(8n): multiplying by it is what n zero bytes do to a CRC's
// register.
func shift(n int64) uint32 {
	p := uint32(one)
	for k := 3; n > 0; k, n = k+1, n>>1 {
		if n&1 != 0 {
			p = multiply(power2[k], p)
		}
	}
	return p
}

// Combine returns the CRC-32 of A followed by B from the CRC-32 of A, that of
// B, and B's length in bytes.
func Combine(a, b uint32, lenB int64) uint32 { return multiply(shift(lenB), a) ^ b }

// AppendZeros returns the CRC-32 of A followed by n zero bytes from that of A.
func AppendZeros(a uint32, n int64) uint32 { return ^multiply(shift(n), ^a) }
