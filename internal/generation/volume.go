package generation

import (
	"context"

	"vzip/internal/seeded"
	"vzip/layout"
)

// volumeKind is the [File] kind of volumes.
const volumeKind = "volume"

// volume is an open volume: a run of the archive's bytes.
type volume struct {
	*Lease
	window
}

// volumes are the archive in parts that a program can join again, as 7-Zip's raw volumes
// are.
func (a *Archive) volumes() []*File {
	split, count := a.Plan.Volumes()
	files := make([]*File, count)
	for i := range files {
		from := int64(i) * split
		size := min(split, a.Size()-from)
		files[i] = a.beside(a.Name+layout.VolumeSuffix(i), volumeKind, "", from, size)
		files[i].open = func(ahead bool) (Handle, error) {
			l, err := a.Open(ahead)
			if err != nil {
				return nil, err
			}
			l.Until(from + size)
			return &volume{l, window{from, size}}, nil
		}
	}
	return files
}

// Read reads no byte of the volume after this one.
func (v *volume) Read(ctx context.Context, off int64, n int) (*Bytes, error) {
	if !seeded.On("volume-end") {
		n = int(max(0, min(int64(n), v.size-off)))
	}
	return v.Lease.Read(ctx, v.from+off, n)
}
