package strictzip

import (
	"fmt"
	"strings"
)

// checkName refuses names that are not safe to extract, or that one directory
// tree can't hold (4.4.17).
func checkName(name string) error {
	if strings.IndexByte(name, 0) >= 0 {
		return fmt.Errorf("%w: a NUL byte", ErrName)
	}
	// An absolute name starts with an empty component; so does the empty name.
	for part := range strings.SplitSeq(strings.TrimSuffix(name, "/"), "/") {
		switch part {
		case "", ".", "..":
			return fmt.Errorf("%w: component %q", ErrName, part)
		}
	}
	return nil
}

// order checks names against those that came before. It keeps the last one: in
// bytewise order, names with a common beginning stand together.
type order struct {
	last  string
	files []int // lengths of the beginnings of last that are files' names
}

func (o *order) add(name string) error {
	if name == o.last {
		return fmt.Errorf("%q: %w", clip(name), ErrDuplicate)
	}
	if name < o.last {
		return fmt.Errorf("%q after %q: %w", clip(name), clip(o.last), ErrOrder)
	}
	same := 0
	for same < len(o.last) && name[same] == o.last[same] {
		same++
	}
	for len(o.files) > 0 && o.files[len(o.files)-1] > same {
		o.files = o.files[:len(o.files)-1]
	}
	// Shorter ones went on with the same byte in the last name already.
	if k := len(o.files); k > 0 && o.files[k-1] == same && name[same] == '/' {
		return fmt.Errorf("%q: %w: %q is a file", clip(name), ErrDuplicate, clip(name[:same]))
	}
	if !isDir(name) {
		o.files = append(o.files, len(name))
	}
	o.last = name
	return nil
}
