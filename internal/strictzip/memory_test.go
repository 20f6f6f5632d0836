package strictzip

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

// long is an archive of entries with names of 65,535 bytes, rendered as it is
// read: one of them is in memory at a time.
type long struct {
	n, local, central int64 // number of entries, lengths of their headers
	end               []byte
}

func longEntry(i int64) *rawEntry {
	e := newFile(strings.Repeat("n", 65530)+fmt.Sprintf("%05d", i), "")
	e.both(func(h *rawHeader) { h.nameLen, h.extraLen = 65535, 9 })
	return e
}

func newLong(n int64) *long {
	e := longEntry(0)
	l := &long{n: n, local: int64(len(e.localBytes())), central: int64(len(e.centralBytes()))}
	a := new(raw)
	a.layOut()
	a.end = rawEnd{here: uint16(n), total: uint16(n), offset: uint32(n * l.local), length: uint32(n * l.central)}
	l.end = a.render().bytes()
	return l
}

func (l *long) size() int64 { return l.n*(l.local+l.central) + int64(len(l.end)) }

func (l *long) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) && err == nil {
		var b []byte
		switch directory, end := l.n*l.local, l.n*(l.local+l.central); {
		case off < directory:
			b = longEntry(off / l.local).localBytes()[off%l.local:]
		case off < end:
			e := longEntry((off - directory) / l.central)
			e.offset = uint32((off - directory) / l.central * l.local)
			b = e.centralBytes()[(off-directory)%l.central:]
		case off < l.size():
			b = l.end[off-end:]
		default:
			err = io.EOF
		}
		k := copy(p[n:], b)
		n, off = n+k, off+int64(k)
	}
	return n, err
}

func liveHeap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Not parallel: other tests' memory would count.
func TestScanMemory(t *testing.T) {
	l := newLong(500)
	before, most, n := liveHeap(), int64(0), 0
	a, err := Scan(l, l.size(), func(e Entry) error {
		if n++; n%100 == 0 {
			most = max(most, liveHeap())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if a.Count != 500 || n != 500 || a.Entries != nil {
		t.Errorf("got %d entries, %d visits, %d kept", a.Count, n, len(a.Entries))
	}
	if got := most - before; got > 2<<20 {
		t.Errorf("%d bytes of memory for a directory of %d", got, a.DirectoryLen)
	}
}

// allocated returns the bytes that a function allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// What an archive claims takes no memory before it proves true.
func TestClaimsTakeNoMemory(t *testing.T) {
	for _, test := range []struct {
		name string
		set  func(a *raw)
	}{
		{"entries", func(a *raw) { a.end64.here, a.end64.total = 1<<62, 1<<62 }},
		{"data", func(a *raw) {
			a.entries[0].both(func(h *rawHeader) { setField(h, le64(1<<62, 1<<62)) })
		}},
		{"extra fields", func(a *raw) { a.entries[0].both(func(h *rawHeader) { h.extraLen = 0xffff }) }},
	} {
		a := bySize()
		test.set(a)
		s := a.render()
		var err error
		got := allocated(func() { _, err = Parse(s, s.size) })
		if err == nil {
			t.Errorf("%s: got no error", test.name)
		}
		if got > 1<<20 {
			t.Errorf("%s: %d bytes allocated", test.name, got)
		}
	}
}
