package generation

import (
	"context"
	"crypto/sha256"
	"fmt"
)

// File is what is shown of a generation: an archive, one of its volumes, or a sidecar.
type File struct {
	Archive *Archive // that it is, or is of: its time and its readers are this one's
	Path    string   // below the mountpoint, slash-separated
	Size    int64
	Inode   uint64 // stands for its content at its path

	// What its bytes follow from besides the archive's, for Tag. kind is "" for the archive.
	kind, names string
	from        int64 // of a volume: where it starts in the archive

	open func(ahead bool) (Handle, error)
}

// Handle is an open File.
type Handle interface {
	// Read is [Archive.Read]. The error wraps ESTALE where a source is no longer what it
	// was, and once the generation was expired.
	Read(ctx context.Context, off int64, n int) (*Bytes, error)
	// Seek returns the smallest offset from off on, 0 <= off < Size, that is in a hole
	// (unix.SEEK_HOLE) or is not (unix.SEEK_DATA); Size where there is none. An error
	// wraps context.Canceled: where a source fails all is data, and a read tells why. GNU
	// tar takes an error here for a part of the file's map, and exits 0.
	Seek(ctx context.Context, off int64, whence int) (int64, error)
	// Until says that no byte from end on will be wanted: none is read ahead.
	Until(end int64)
	Close()
}

// Open is [Archive.Open]. Where an archive can't be opened, nothing that is of it can.
func (f *File) Open(ahead bool) (Handle, error) { return f.open(ahead) }

// Files returns all that is shown of the generation, in the order of the layout: each
// archive, then its volumes, then its sidecars. Date has to have been called where inode
// numbers are of interest.
func (g *Generation) Files() []*File {
	files := make([]*File, 0, len(g.Archives))
	for _, a := range g.Archives {
		files = append(files, &File{Archive: a, Path: a.Name, Size: a.Size(), Inode: a.Inode, open: func(ahead bool) (Handle, error) {
			l, err := a.Open(ahead)
			if err != nil {
				return nil, err // not a nil *Lease
			}
			return l, nil
		}})
		files = append(files, a.volumes()...)
		files = append(files, a.sidecars()...)
	}
	return files
}

// beside returns a file that stands beside the archive and whose bytes follow from the
// archive's, from those two numbers, and from names that they have in them.
func (a *Archive) beside(path, kind, names string, from, size int64) *File {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%d %d %d", path, a.Inode, from, size)
	return &File{Archive: a, Path: path, Size: size, Inode: inodeOf(h), kind: kind, names: names, from: from}
}
