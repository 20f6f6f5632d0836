package generation

import (
	"fmt"
	"slices"
	"testing"

	"vzip/internal/crccache"
)

// Every number is found by its key, in the order in which those of one key came, and
// no other.
func TestWanted(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 3, 7, 8, 1000, 5000} {
		w := newWanted(n)
		want := map[crccache.Key][]uint32{}
		for i := range n {
			k := crccache.KeyOf(fmt.Sprint(i % (n/3 + 1)))
			if i%5 == 0 {
				clear(k[:8]) // all of them in one bucket
			}
			w.add(k, uint32(i))
			want[k] = append(want[k], uint32(i))
		}
		w.index()
		for k, numbers := range want {
			if got := slices.Collect(w.find(&k)); !slices.Equal(got, numbers) {
				t.Errorf("%d keys: got %v, want %v", n, got, numbers)
			}
		}
		other := crccache.KeyOf("other")
		if got := slices.Collect(w.find(&other)); got != nil {
			t.Errorf("%d keys: got %v for one that is not there", n, got)
		}
	}
}
