// Command peer measures package zipgen beside the way in which other Go libraries
// give a ZIP file's bytes at any offset: with every header in memory. The library
// that it stands for is github.com/martin-sucha/zipserve; what is measured is a model
// of it that keeps and hashes as many bytes for each entry, in as many pieces, but
// renders them with less work: without a look at the name's encoding, and with one
// look at the date. Command zipserve, beside it, measures the library itself.
package main

import (
	"archive/zip"

	"vzip/internal/peer/measure"
)

func main() {
	measure.Main(measure.Peer{Name: "headers in memory (model)", Build: build, Whole: whole})
}

// build builds with every header in memory.
func build(in *measure.Input) func() measure.Archive {
	sources := sourcesOf(in)
	return func() measure.Archive {
		m := newModel(sources, false)
		return measure.Archive{ReaderAt: m, Size: m.size}
	}
}

// whole returns the CPU seconds that the model takes with its ETag.
func whole(in *measure.Input) float64 {
	sources := sourcesOf(in)
	begin := measure.CPU()
	newModel(sources, true)
	return measure.CPU() - begin
}

func sourcesOf(in *measure.Input) []source {
	sources := make([]source, len(in.Names))
	for i, name := range in.Names {
		sources[i] = source{&zip.FileHeader{
			Name: name, Modified: measure.Modified, CRC32: uint32(i),
			CompressedSize64: measure.EntrySize, UncompressedSize64: measure.EntrySize,
		}, in.Data()}
	}
	return sources
}
