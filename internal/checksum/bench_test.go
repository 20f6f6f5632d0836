package checksum

import (
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"testing"

	fast "github.com/klauspost/crc32"
)

// What joining costs: time/op of "join" over that of "crc", both for one block.
func BenchmarkBlock(b *testing.B) {
	p := make([]byte, BlockLen)
	b.Run("crc", func(b *testing.B) {
		b.SetBytes(BlockLen)
		for b.Loop() {
			fast.ChecksumIEEE(p)
		}
	})
	b.Run("join", func(b *testing.B) {
		crc := uint32(0)
		for b.Loop() {
			crc = JoinBlock(crc, 12345, BlockLen)
		}
	})
}

// Compare "Run" with "plain", which is io.Copy into hash/crc32.
func BenchmarkRun(b *testing.B) {
	for _, bm := range []struct {
		name  string
		files []file
	}{
		{"one large file", []file{{"large", 256 * mib, []span{{0, 256 * mib}}}}},
		{"small files", smallFiles(1000)},
		{"sparse file", []file{{"sparse", tib, []span{{tib / 2, mib}}}}},
		{"sparse file of 155 GB", []file{{"sparse", 155e9, []span{{77e9, mib}}}}},
	} {
		d := makeFiles(b, bm.files)
		total := int64(0)
		for _, f := range d.files {
			total += f.size
		}
		if total < 1e9 {
			b.Run(bm.name+"/plain", func(b *testing.B) {
				b.SetBytes(total)
				for b.Loop() {
					for _, r := range d.refs {
						f, err := os.Open(r.Path())
						must(b, err)
						_, err = io.Copy(crc32.NewIEEE(), f)
						must(b, err)
						f.Close()
					}
				}
			})
		}
		for _, workers := range []int{1, 2, 8} {
			b.Run(fmt.Sprintf("%s/Run with %d workers", bm.name, workers), func(b *testing.B) {
				b.SetBytes(total)
				for b.Loop() {
					_, err := d.run(b.Context(), workers, nil)
					must(b, err)
				}
			})
		}
	}
}
