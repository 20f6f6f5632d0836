package crccache

import (
	"reflect"
	"testing"

	"vzip/internal/checksum"
	"vzip/internal/deflate"
	"vzip/internal/source"
)

// packedRecord is that of a file of size bytes.
func packedRecord(size int64, isDeflated bool) Record {
	r := Record{Key: KeyOf("/f"), Identity: source.Identity{Size: size, Mtime: 1, Ctime: 2, Btime: 3, Ino: 4}}
	r.CRC32 = 0x12345678
	if n := checksum.Blocks(size); n > 1 {
		for i := range n {
			r.Blocks = append(r.Blocks, uint32(i*7919))
		}
	}
	for i := range deflate.Blocks(size) {
		if isDeflated {
			r.Packed = append(r.Packed, checksum.Packed{Len: uint32(i + 1), CRC32: uint32(i * 104729)})
		}
	}
	return r
}

// What is remembered of deflated files comes back, beside all else.
func TestPacked(t *testing.T) {
	t.Parallel()
	c, err := Open(t.TempDir() + "/cache")
	if err != nil {
		t.Fatal(err)
	}
	want := map[Key]Record{}
	for i, size := range []int64{1, checksum.BlockLen, checksum.BlockLen + 1, deflate.BlockLen, deflate.BlockLen + 1, 5 << 30} {
		for _, isDeflated := range []bool{false, true} {
			r := packedRecord(size, isDeflated)
			key := PackedKey("/f", 1+i, isDeflated)
			if err := c.Add(r.Pack(key)); err != nil {
				t.Fatal(err)
			}
			r.Key = key
			want[key] = r
		}
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	got := map[Key]Record{}
	damaged, err := c.Scan(func(r Record) {
		u, ok := r.Unpack()
		if !ok {
			t.Errorf("a record of %d bytes is not understood", r.Size)
		}
		got[r.Key] = u
	})
	if err != nil || damaged != 0 {
		t.Fatal(damaged, err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%d records came back, or others than %d", len(got), len(want))
	}
}

// Numbers that no file can have are refused, and so is another's record.
func TestPackedDamaged(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(v []uint32) []uint32{
		"no size":          func(v []uint32) []uint32 { v[0] = 0; return v },
		"another size":     func(v []uint32) []uint32 { v[0] += deflate.BlockLen; return v },
		"far too large":    func(v []uint32) []uint32 { v[1] = 1 << 31; return v },
		"no such count":    func(v []uint32) []uint32 { v[3]++; return v },
		"too short":        func(v []uint32) []uint32 { return v[:len(v)-1] },
		"too long":         func(v []uint32) []uint32 { return append(v, 1) },
		"only a head":      func(v []uint32) []uint32 { return v[:packedHead] },
		"less than a head": func(v []uint32) []uint32 { return v[:packedHead-1] },
		"an empty block":   func(v []uint32) []uint32 { v[len(v)-2] = 0; return v },
		"a block too long": func(v []uint32) []uint32 { v[len(v)-2] = 2 << 20; return v },
	} {
		r := packedRecord(deflate.BlockLen+1, true).Pack(Key{1})
		r.Blocks = change(r.Blocks)
		if _, ok := r.Unpack(); ok {
			t.Errorf("%s: was taken", name)
		}
	}
	if PackedKey("/f", 6, true) == PackedKey("/f", 6, false) || PackedKey("/f", 6, true) == PackedKey("/f", 5, true) {
		t.Error("two ways to deflate have one key")
	}
}

// Of a file that another version has deflated nothing is known: it makes other bytes.
func TestPackedVersion(t *testing.T) {
	t.Parallel()
	c, err := Open(t.TempDir() + "/cache")
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []int{deflate.Version - 1, deflate.Version + 1} {
		if err := c.Add(packedRecord(5, true).Pack(packedKey(version, "/f", 6, true))); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	found, all := 0, 0
	_, err = c.Scan(func(r Record) {
		all++
		if r.Key == PackedKey("/f", 6, true) {
			found++
		}
	})
	if err != nil || all != 2 || found != 0 {
		t.Errorf("%d records of other versions are taken, of %d; error %v", found, all, err)
	}
}
