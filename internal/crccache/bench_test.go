package crccache

import (
	"bufio"
	"bytes"
	"testing"

	"vzip/internal/checksum"
)

func BenchmarkScan(b *testing.B) {
	whole := record(1, 1)
	whole.Size = 155e9
	whole.Blocks = make([]uint32, checksum.Blocks(whole.Size))
	whole.CRC32 = checksum.Join(whole.Blocks, whole.Size)
	for _, bm := range []struct {
		name string
		file []byte
	}{
		{"100000 small files", image(0, records(1, 100_000)...)},
		{"file of 155 GB", image(0, whole)},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.SetBytes(int64(len(bm.file)))
			for b.Loop() {
				n := 0
				s := scanner{blocks: true, each: func(int64, Record) { n++ }}
				must(b, s.scan(bufio.NewReaderSize(bytes.NewReader(bm.file), bufferLen)))
				if n == 0 || s.damaged > 0 {
					b.Fatalf("got %d records and %d damaged", n, s.damaged)
				}
			}
		})
	}
}
