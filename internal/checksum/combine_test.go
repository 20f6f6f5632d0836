package checksum

import (
	"hash/crc32"
	"math/rand/v2"
	"testing"
)

func TestCombine(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		a, b := make([]byte, rnd.IntN(300)), make([]byte, rnd.IntN(300))
		for _, p := range [][]byte{a, b} {
			for i := range p {
				p[i] = byte(rnd.Uint32())
			}
		}
		want := crc32.ChecksumIEEE(append(append([]byte(nil), a...), b...))
		if got := Combine(crc32.ChecksumIEEE(a), crc32.ChecksumIEEE(b), int64(len(b))); got != want {
			t.Fatalf("Combine of %x and %x: got %08x, want %08x", a, b, got, want)
		}
		n := rnd.IntN(5000)
		want = crc32.Update(crc32.ChecksumIEEE(a), crc32.IEEETable, make([]byte, n))
		if got := AppendZeros(crc32.ChecksumIEEE(a), int64(n)); got != want {
			t.Fatalf("AppendZeros of %x and %d: got %08x, want %08x", a, n, got, want)
		}
	}
}

// Long runs can't be summed byte by byte in a test. Two facts hold at any
// length: runs of zeros add up, and 2^32-1 zeros have the CRC 0 (the
// polynomial's x has that order).
func TestAppendZerosLong(t *testing.T) {
	t.Parallel()
	if got := AppendZeros(0, 1<<32-1); got != 0 {
		t.Errorf("CRC of 2^32-1 zeros: got %08x, want 0", got)
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		crc, m, n := rnd.Uint32(), rnd.Int64N(1<<45), rnd.Int64N(1<<45)
		if got, want := AppendZeros(AppendZeros(crc, m), n), AppendZeros(crc, m+n); got != want {
			t.Fatalf("%d and %d zeros after %08x: got %08x, want %08x", m, n, crc, got, want)
		}
		if got, want := Combine(crc, AppendZeros(0, n), n), AppendZeros(crc, n); got != want {
			t.Fatalf("Combine with %d zeros after %08x: got %08x, want %08x", n, crc, got, want)
		}
	}
}
