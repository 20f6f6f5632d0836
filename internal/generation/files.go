package generation

import "context"

// File is what is shown of a generation: an archive, under its name.
type File struct {
	Archive *Archive
	Path    string // below the mountpoint, slash-separated
	Size    int64
	Inode   uint64 // stands for its content at its path
}

// Handle is an open File.
type Handle interface {
	// Read is [Archive.Read]. The error wraps ESTALE where a source is no longer what it
	// was, and once the generation was expired.
	Read(ctx context.Context, off int64, n int) (*Bytes, error)
	Close()
}

// Open is [Archive.Open].
func (f *File) Open(ahead bool) (Handle, error) {
	l, err := f.Archive.Open(ahead)
	if err != nil {
		return nil, err // not a nil *Lease
	}
	return l, nil
}

// Files returns all that is shown of the generation, in the order of the layout. Date
// has to have been called.
func (g *Generation) Files() []*File {
	files := make([]*File, len(g.Archives))
	for i, a := range g.Archives {
		files[i] = &File{Archive: a, Path: a.Name, Size: a.Size(), Inode: a.Inode}
	}
	return files
}
