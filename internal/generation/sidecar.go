package generation

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path"

	"vzip/internal/manifest"
	"vzip/layout"
)

// text fills p with the bytes of a sidecar from off on, which it has all. It may wait for
// CRCs as a read of the archive does.
type text func(d *Data, p []byte, off int64) error

// sidecar is an open sidecar.
type sidecar struct {
	*Lease
	text text
	size int64
}

// Read is [Archive.Read]: what a sidecar tells is the archive's, and can be read, waited
// for and refused like this.
func (s *sidecar) Read(ctx context.Context, off int64, n int) (*Bytes, error) {
	a := s.archive.Load()
	if a == nil {
		return nil, errExpired
	}
	off = min(off, s.size)
	n = int(min(int64(n), s.size-off))
	d, err := a.startText(ctx, off, n, s.text).result(ctx)
	if err != nil {
		return nil, err
	}
	return bytesOf(d), nil
}

// sidecars are those that the layout asks for. Their sizes depend on no CRC and no sum.
func (a *Archive) sidecars() (files []*File) {
	add := func(suffix, names string, size int64, text text) {
		f := a.beside(a.Name+suffix, suffix, names, 0, size)
		f.open = func(bool) (Handle, error) {
			l, err := a.Open(false)
			if err != nil {
				return nil, err
			}
			return &sidecar{l, text, size}, nil
		}
		files = append(files, f)
	}
	s, base := a.Plan.Sidecars(), path.Base(a.Name)
	if s.SHA256 {
		line := func(sum [sha256.Size]byte) string { return fmt.Sprintf("%x  %s\n", sum, base) }
		add(layout.SHA256Suffix, base, int64(len(line([sha256.Size]byte{}))), func(d *Data, p []byte, off int64) error {
			sum, err := d.wholeSHA256()
			copy(p, line(sum)[off:])
			return err
		})
	}
	if s.CRC32 {
		add(layout.CRC32Suffix, base, int64(len(sfvLine(base, 0))), func(d *Data, p []byte, off int64) error {
			crc, err := d.wholeCRC()
			copy(p, sfvLine(base, crc)[off:])
			return err
		})
	}
	if s.Manifest {
		m := a.manifest()
		add(layout.ManifestSuffix, a.Name, m.Size(), func(d *Data, p []byte, off int64) error {
			return m.ReadAt(p, off, func(i int) (uint32, error) {
				if err := d.crcOf(i); err != nil {
					return 0, err
				}
				return a.crcs[i], nil
			})
		})
	}
	return files
}

// manifest returns the archive's manifest, made when it is asked for first.
func (a *Archive) manifest() *manifest.Manifest {
	a.inJSON.Do(func() { a.json = manifest.New(a.Name, a.Plan.Archive) })
	return a.json
}

// sfvLine is a line of a Simple File Verification file, as cksfv and rhash read it.
func sfvLine(name string, crc uint32) string { return fmt.Sprintf("%s %08X\n", name, crc) }
