package generation

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Tag returns what stands for the file's bytes, as [Archive.Tag] does for the archive's:
// equal wherever they are, and nothing to do with inode numbers. ok is false while not all
// CRCs of the archive are known.
func (f *File) Tag() (tag string, ok bool) {
	tag, ok = f.Archive.Tag()
	if !ok || f.kind == "" {
		return tag, ok
	}
	h := sha256.New()
	fmt.Fprintf(h, "beside\x00%s\x00%s\x00%d %d\x00%s", tag, f.kind, f.from, f.Size, f.names)
	return hex.EncodeToString(h.Sum(nil)[:tagLen]), true
}
