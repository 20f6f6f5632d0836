package strictzip

import (
	"bytes"
	"errors"
	"testing"
)

var sentinels = []error{
	ErrTruncated, ErrGap, ErrOverlap, ErrSignature, ErrMismatch, ErrEnd, ErrDisk, ErrZIP64, ErrVersion, ErrFlags, ErrMethod,
	ErrDeflate, ErrSize, ErrCRC, ErrName, ErrOrder, ErrDuplicate, ErrExtra, ErrTime, ErrAttributes, ErrComment,
}

// FuzzParse: any bytes are refused with an error of the package and little
// memory, or are an archive that archive/zip reads in the same way.
func FuzzParse(f *testing.F) {
	for _, a := range []*raw{empty(), plain(), without(), counted(1), deflated()} {
		f.Add(a.render().bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		var a *Archive
		var err error
		if got, most := allocated(func() { a, err = Parse(r, r.Size()) }), uint64(4<<20+100*len(b)); got > most {
			t.Errorf("%d bytes allocated for an archive of %d", got, len(b))
		}
		if err != nil {
			for _, known := range sentinels {
				if errors.Is(err, known) {
					return
				}
			}
			t.Fatalf("unknown error %v", err)
		}
		sameAsArchiveZip(t, a, r, r.Size())
		at := int64(0)
		for i := range a.Entries {
			e := &a.Entries[i]
			if e.HeaderAt != at || e.DataAt <= e.HeaderAt || e.Size < 0 {
				t.Fatalf("entry %d: %+v, want its header at %d", i, e, at)
			}
			at = e.DataAt + e.CompressedSize
		}
		if err := a.CheckData(); err != nil && !errors.Is(err, ErrCRC) && !errors.Is(err, ErrDeflate) {
			t.Errorf("data: %v", err)
		}
	})
}
