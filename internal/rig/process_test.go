package rig

import (
	"bytes"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"vzip/internal/figure"
	"vzip/zipgen"
)

// folder gives zipgen the data of entries from files.
type folder struct {
	crcs  []uint32
	files []*os.File // nil for what has no file
	links []string
}

func (f *folder) CRC32(i int) (uint32, error) { return f.crcs[i], nil }

func (f *folder) ReadEntryAt(i int, p []byte, off int64) error {
	if f.files[i] == nil {
		copy(p, f.links[i][off:])
		return nil
	}
	_, err := f.files[i].ReadAt(p, off)
	return err
}

// Whatever part of an archive zipgen makes, from an oracle's list of entries and
// the tree's files, is that part of the oracle, which was written from end to end.
func TestReadsInProcess(t *testing.T) {
	t.Parallel()
	s := newSite(t, "", 5, Sizes)
	o := s.oracle()
	a, content := rebuild(t, s, o)
	if a.Size() != o.Size() {
		t.Fatalf("the size is %d, want %d", a.Size(), o.Size())
	}
	reader := a.NewReader(content)
	short := 1_000_000
	if raceEnabled {
		short = 200_000
	}
	n := figure.N(short, 1_000_000_000)
	workers := runtime.GOMAXPROCS(0)
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(5, uint64(worker)))
			buf := make([]byte, 4*BlockLen)
			for range n / workers {
				most := 300
				if rnd.IntN(1000) == 0 {
					most = len(buf)
				}
				off, length := o.Draw(rnd, most)
				got, err := reader.ReadAt(buf[:length], off)
				end := min(off+int64(length), o.Size())
				want := o.Bytes[min(off, end):end]
				if !bytes.Equal(buf[:got], want) || err != nil && (err != io.EOF || got == length) {
					t.Errorf("seed 5, %d: ReadAt of %d at %d (%s): got %d bytes and %v, want %d", worker, length, off, o.Where(min(off, end-1)), got, err, len(want))
					return
				}
			}
		})
	}
	wg.Wait()
	if !t.Failed() {
		figure.Print(t, "random reads in process: %d, 0 mismatches", n/workers*workers)
	}
}

// rebuild lays out the archive of an oracle again.
func rebuild(t *testing.T, s *site, o *Oracle) (*zipgen.Archive, *folder) {
	t.Helper()
	b := zipgen.NewBuilder(zipgen.Options{})
	f := &folder{}
	for i := range o.Zip.Entries {
		e := &o.Zip.Entries[i]
		must(t, b.Add(zipgen.Entry{Name: e.Name, Mode: e.ExternalAttributes >> 16, Size: e.Size, ModTime: *e.ModTime}))
		path := filepath.Join(s.src, strings.TrimPrefix(e.Name, inside))
		var file *os.File
		link, err := os.Readlink(path)
		data := []byte(link)
		if err != nil && !strings.HasSuffix(e.Name, "/") {
			data, err = os.ReadFile(path)
			must(t, err)
			file, err = os.Open(path)
			must(t, err)
			t.Cleanup(func() { file.Close() })
		}
		f.crcs, f.files, f.links = append(f.crcs, crc32.ChecksumIEEE(data)), append(f.files, file), append(f.links, link)
	}
	a, err := b.Archive()
	must(t, err)
	return a, f
}
