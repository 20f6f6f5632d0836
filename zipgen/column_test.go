package zipgen

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func column(v []uint64) *Column {
	var c Column
	for _, v := range v {
		c.Add(v)
	}
	c.Seal()
	return &c
}

// Whatever the numbers are, and at the borders of runs, they come back.
func TestColumn(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	series := map[string]func(i int) uint64{
		"equal":            func(int) uint64 { return math.MaxUint64 },
		"steps":            func(i int) uint64 { return uint64(i) * 12345 },
		"steps that wrap":  func(i int) uint64 { return math.MaxUint64 - 99 + uint64(i)*3 },
		"steps down":       func(i int) uint64 { return 1<<40 - uint64(i)*1000 },
		"one far off":      func(i int) uint64 { return uint64(i&1) * math.MaxUint64 },
		"signed":           func(i int) uint64 { return uint64(int64(i%200-100) * 1e9) },
		"signed extremes":  func(i int) uint64 { return []uint64{1 << 63, 1<<63 - 1}[i&1] },
		"last one differs": func(i int) uint64 { return uint64(i / (runLen - 1)) },
	}
	for bits := range 65 {
		series[fmt.Sprintf("random, %d bits", bits)] = func(int) uint64 { return rnd.Uint64() >> (64 - bits) }
	}
	for name, at := range series {
		for _, n := range []int{0, 1, 2, 3, 8, 9, 100, runLen - 1, runLen, runLen + 1, 2*runLen + 7} {
			want := make([]uint64, n)
			for i := range want {
				want[i] = at(i)
			}
			c := column(want)
			for i := range want {
				if got := c.At(i); got != want[i] {
					t.Fatalf("%s, %d numbers: number %d: got %d, want %d", name, n, i, got, want[i])
				}
			}
		}
	}
}

// A run takes no more bytes than its numbers differ from a line.
func TestColumnWidth(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		at   func(i int) uint64
		want int
	}{
		{"equal", func(int) uint64 { return 77 }, 0},
		{"steps", func(i int) uint64 { return 1<<50 + uint64(i)*4096 }, 0},
		{"up to 255 apart", func(i int) uint64 { return 1<<60 + uint64(i%256) }, 1},
		{"up to 256 apart", func(i int) uint64 { return 1<<60 + uint64(i%257) }, 2},
		{"near a line", func(i int) uint64 { return uint64(i)*1e6 + uint64(i%200) }, 1},
		{"all bits", func(i int) uint64 { return uint64(i) * 0x9E3779B97F4A7C15 * uint64(i) }, 8},
	} {
		v := make([]uint64, runLen)
		for i := range v {
			v[i] = test.at(i)
		}
		c := column(v)
		if r := c.runs[0]; r.width != test.want || len(r.data) != test.want*runLen || c.open != nil {
			t.Errorf("%s: got %d bytes a number, %d in all, want %d", test.name, r.width, len(r.data), test.want)
		}
	}
}

// last agrees with a walk over the numbers.
func TestColumnLast(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{0, 1, 2, runLen - 1, runLen, runLen + 1, 2*runLen + 1} {
		v := make([]uint64, n)
		for i := range v {
			v[i] = rnd.Uint64N(uint64(4*n)) + 1
		}
		slices.Sort(v)
		v = slices.Compact(v)
		c := column(v)
		for want := range uint64(4*n + 2) {
			i, found := slices.BinarySearch(v, want)
			if !found {
				i--
			}
			if got := c.last(want, len(v)); got != i {
				t.Fatalf("%d numbers, at most %d: got %d, want %d", len(v), want, got, i)
			}
		}
	}
}
