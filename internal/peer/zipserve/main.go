// Command zipserve measures package zipgen beside github.com/martin-sucha/zipserve. It
// is a module of its own, so that vzip does not depend on that library: `make
// bench-peer` runs it where the library can be downloaded.
package main

import (
	"fmt"
	"os"

	"github.com/martin-sucha/zipserve"

	"vzip/internal/peer/measure"
)

func main() { measure.Main(measure.Peer{Name: "zipserve", Build: build}) }

// build makes an archive of all entries, stored.
func build(in *measure.Input) func() measure.Archive {
	template := &zipserve.Template{}
	for i, name := range in.Names {
		h := &zipserve.FileHeader{
			Name: name, Modified: measure.Modified, CRC32: uint32(i), Content: in.Data(),
			CompressedSize64: measure.EntrySize, UncompressedSize64: measure.EntrySize,
		}
		h.SetMode(0o644)
		template.Entries = append(template.Entries, h)
	}
	return func() measure.Archive {
		a, err := zipserve.NewArchive(template)
		if err != nil {
			fmt.Fprintln(os.Stderr, "zipserve:", err)
			os.Exit(1)
		}
		template = nil // as a caller would that is done with it
		return measure.Archive{ReaderAt: a, Size: a.Size()}
	}
}
