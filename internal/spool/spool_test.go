package spool

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// data returns the bytes of a block, which tell which one it is.
func data(k Key) []byte {
	r := rand.New(rand.NewPCG(uint64(k.Entry), uint64(k.Block)))
	b := make([]byte, 1+r.IntN(5000))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// fails is told of failures where there should be none.
func fails(t *testing.T) func(error) {
	return func(err error) { t.Error(err) }
}

// Blocks come back as they were, by many at once, while older ones make room.
func TestSpool(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const most = 100_000
	s := New(dir, most, fails(t))
	var wg sync.WaitGroup
	for seed := range uint64(8) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, 1))
			hits := 0
			for range 3000 {
				k := Key{r.IntN(10), r.IntN(8)}
				if b := s.Get(k); b == nil {
					s.Put(k, data(k))
				} else if hits++; !bytes.Equal(b, data(k)) {
					t.Errorf("%v came back as %d other bytes", k, len(b))
				}
			}
			if hits == 0 {
				t.Error("nothing came back")
			}
		})
	}
	wg.Wait()
	if fi, err := s.file.Stat(); err != nil || fi.Size() > most {
		t.Errorf("the file has %d bytes (%v), more than %d", fi.Size(), err, most)
	}
	if list, _ := os.ReadDir(dir); len(list) > 0 {
		t.Errorf("%s is in the folder", list[0].Name())
	}
	s.Close()
	s.Close()
	if s.Put(Key{}, []byte{1}); s.Get(Key{}) != nil || s.file != nil {
		t.Error("it is in use after Close")
	}
}

// The block that was put last is there, whatever the sizes of those before.
func TestLap(t *testing.T) {
	t.Parallel()
	for most := range int64(60) {
		s := New(t.TempDir(), most, fails(t))
		for i := range 200 {
			k := Key{0, i}
			b := bytes.Repeat([]byte{byte(i)}, 1+i*7%23)
			s.Put(k, b)
			if got := s.Get(k); int64(len(b)) <= most && !bytes.Equal(got, b) || int64(len(b)) > most && got != nil {
				t.Fatalf("%d bytes at most: block %d of %d bytes came back as %v", most, i, len(b), got)
			}
			kept := int64(0)
			for _, x := range s.blocks {
				kept += x.len
			}
			if kept > most {
				t.Fatalf("%d bytes are kept, %d at most", kept, most)
			}
		}
		s.Close()
	}
}

// Bytes that are damaged on disk don't come back, and the block can be put again.
func TestDamaged(t *testing.T) {
	t.Parallel()
	s := New(t.TempDir(), 1<<20, fails(t))
	defer s.Close()
	k := Key{1, 2}
	s.Put(k, data(k))
	if _, err := s.file.WriteAt([]byte{data(k)[0] + 1}, 0); err != nil {
		t.Fatal(err)
	}
	if s.Get(k) != nil {
		t.Fatal("damaged bytes came back")
	}
	if s.Put(k, data(k)); !bytes.Equal(s.Get(k), data(k)) {
		t.Fatal("it is not there again")
	}
}

// A folder or disk that can't be used is told once, and costs nothing but time.
func TestFails(t *testing.T) {
	t.Parallel()
	var told []error
	warn := func(err error) { told = append(told, err) }
	gone := New(filepath.Join(t.TempDir(), "gone"), 1<<20, warn)
	full := New(t.TempDir(), 1<<20, warn)
	full.Put(Key{9, 9}, []byte{1})
	full.file.Close()
	full.file, _ = os.OpenFile("/dev/full", os.O_RDWR, 0)
	for i, s := range []*Spool{gone, full} {
		for range 3 {
			if s.Put(Key{}, []byte{1}); s.Get(Key{}) != nil {
				t.Error("a byte came back")
			}
		}
		if len(told) != i+1 || told[i] == nil {
			t.Fatalf("told %v", told)
		}
		s.Close()
	}
	if !errors.Is(told[0], os.ErrNotExist) {
		t.Error(told[0])
	}
	if want := fmt.Sprintf("spool %s: ", full.dir); !bytes.HasPrefix([]byte(told[1].Error()), []byte(want)) {
		t.Error(told[1])
	}
}
