package strictzip

import (
	"bytes"
	"slices"
	"testing"
)

// free returns which bytes of an archive may change alone: the comment, and the
// mode that only the directory tells. All others are fixed, or told twice.
func free(a *Archive, size int64) map[int64]byte {
	bits := make(map[int64]byte)
	for i := range len(a.Comment) {
		bits[size-1-int64(i)] = 0xff
	}
	for _, e := range a.Entries {
		if e.ExternalAttributes == linkAttributes {
			bits[e.CentralAt+41] = 0x20 // a regular file
		} else {
			bits[e.CentralAt+40], bits[e.CentralAt+41] = 0xff, 0x0f
		}
	}
	return bits
}

// Every single bit of the headers counts.
func TestEveryBit(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]func() *raw{"empty": empty, "plain": plain, "deflated": deflated, "ZIP64": byBoth} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := good().render()
			a, err := Parse(s, s.size)
			if err != nil {
				t.Fatal(err)
			}
			bits := free(a, s.size)
			inData := func(off int64) bool {
				return slices.ContainsFunc(a.Entries, func(e Entry) bool { return e.DataAt <= off && off < e.DataAt+e.CompressedSize })
			}
			for _, p := range s.pieces {
				for i := range p.b {
					off := p.at + int64(i)
					if inData(off) {
						continue
					}
					for bit := byte(1); bit != 0; bit <<= 1 {
						p.b[i] ^= bit
						_, err := Parse(s, s.size)
						p.b[i] ^= bit
						if got, want := err == nil, bits[off]&bit != 0; got != want {
							t.Errorf("byte %d, bit %#02x: accepted %v, want %v: %v", off, bit, got, want, err)
						}
					}
				}
			}
		})
	}
}

// So does every byte's presence.
func TestEveryLength(t *testing.T) {
	t.Parallel()
	b := plain().render().bytes()
	for n := range b {
		if _, err := Parse(bytes.NewReader(b[:n]), int64(n)); err == nil {
			t.Errorf("the first %d of %d bytes are accepted", n, len(b))
		}
		if n > 0 {
			if _, err := Parse(bytes.NewReader(b[n:]), int64(len(b)-n)); err == nil {
				t.Errorf("all bytes after %d are accepted", n)
			}
		}
		more := slices.Insert(slices.Clone(b), n, 0)
		if a, err := Parse(bytes.NewReader(more), int64(len(more))); err == nil {
			t.Errorf("a byte at %d more is accepted: %+v", n, a)
		}
	}
}
