package rig

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
)

// checkGo reads an archive with Go's archive/zip, which compares CRC-32s.
func checkGo(b []byte) error {
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return fmt.Errorf("archive/zip: %w", err)
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			return fmt.Errorf("archive/zip: %q: %w", f.Name, err)
		}
		n, err := io.Copy(io.Discard, r)
		r.Close()
		if err != nil || uint64(n) != f.UncompressedSize64 {
			return fmt.Errorf("archive/zip: %q: %d bytes, %w", f.Name, n, err)
		}
	}
	return nil
}
