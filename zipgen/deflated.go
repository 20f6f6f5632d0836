package zipgen

import "fmt"

// deflate makes a record that of a deflated file, with a compressed size in bytes.
func (r *record) deflate(size uint64) {
	r.packed = size
	r.mode |= deflated
}

// Deflated returns the archive as it is with other data: size tells how many bytes entry
// i has when it is deflated, or 0 for one that is stored. It is asked for each file that
// has data, in order. Names and all else stay; a keeps its own layout. The error wraps
// [ErrSize].
func (a *Archive) Deflated(size func(i int) int64) (*Archive, error) {
	// Numbers that do not change are shared, but for the mode.
	c := columns{size: a.size, modTime: a.modTime, uid: a.uid, gid: a.gid}
	var end edge
	for i := range a.count {
		r, nameLen := a.record(i), a.names.at(i).len()
		if r.mode&TypeMask == TypeFile && r.size > 0 {
			n := size(i)
			if n < 0 {
				return nil, fmt.Errorf("%q: %w: %d is negative", clip(a.EntryName(i)), ErrSize, n)
			}
			if r.packed, r.mode = r.size, r.mode&^deflated; n > 0 {
				r.deflate(uint64(n))
			}
		}
		central := end.dir
		if !end.add(&r, nameLen) {
			return nil, fmt.Errorf("%q: %w: %s", clip(a.EntryName(i)), ErrSize, tooLarge)
		}
		c.offset.Add(r.offset)
		c.central.Add(central)
		c.packed.Add(r.packed - r.size)
		c.mode.Add(uint64(r.mode))
	}
	for _, c := range []*Column{&c.offset, &c.central, &c.packed, &c.mode} {
		c.Seal()
	}
	return end.archive(c, a.names, a.count, a.Comment())
}
