package zipgen_test

import (
	"archive/zip"
	"fmt"
	"hash/crc32"
	"io"
	"log"

	"vzip/zipgen"
)

// texts is content in memory: the data of entry i is texts[i].
type texts []string

func (c texts) CRC32(i int) (uint32, error) {
	return crc32.ChecksumIEEE([]byte(c[i])), nil
}

func (c texts) ReadEntryAt(i int, p []byte, off int64) error {
	copy(p, c[i][off:])
	return nil
}

// letter lays out an archive of a directory and two files.
func letter() (*zipgen.Archive, texts) {
	b := zipgen.NewBuilder(zipgen.Options{Comment: "a letter"})
	var c texts
	for _, f := range []struct {
		name string
		mode uint32
		text string
	}{
		{"letter/", zipgen.TypeDir | 0o755, ""},
		{"letter/1 greeting", zipgen.TypeFile | 0o644, "Dear reader,\n"},
		{"letter/2 farewell", zipgen.TypeFile | 0o600, "yours, ZIP\n"},
	} {
		e := zipgen.Entry{Name: f.name, Mode: f.mode, Size: int64(len(f.text)), ModTime: 1709210096}
		if err := b.Add(e); err != nil {
			log.Fatal(err)
		}
		c = append(c, f.text)
	}
	a, err := b.Archive()
	if err != nil {
		log.Fatal(err)
	}
	return a, c
}

// An archive of texts in memory, read back with archive/zip.
func Example() {
	a, c := letter()
	z, err := zip.NewReader(a.NewReader(c), a.Size())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(a.Size(), "bytes:", z.Comment)
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			log.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%v %s %q %q\n", f.Mode(), f.Modified.UTC().Format("2006-01-02 15:04:05"), f.Name, text)
	}
	// Output:
	// 418 bytes: a letter
	// drwxr-xr-x 2024-02-29 12:34:56 "letter/" ""
	// -rw-r--r-- 2024-02-29 12:34:56 "letter/1 greeting" "Dear reader,\n"
	// -rw------- 2024-02-29 12:34:56 "letter/2 farewell" "yours, ZIP\n"
}

// Any range can be read by itself, with nothing before it made.
func ExampleReader() {
	a, c := letter()
	i, ok := a.Find("letter/2 farewell")
	if !ok {
		log.Fatal("not found")
	}
	r := io.NewSectionReader(a.NewReader(c), a.DataOffset(i), a.EntrySize(i))
	text, err := io.ReadAll(r)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("bytes %d-%d/%d: %s", a.DataOffset(i), a.DataOffset(i)+a.EntrySize(i)-1, a.Size(), text)
	// Output:
	// bytes 171-181/418: yours, ZIP
}

// What an archive is made of.
func ExampleArchive_Extents() {
	a, _ := letter()
	kinds := map[zipgen.Kind]string{
		zipgen.LocalHeader: "local header", zipgen.Data: "data",
		zipgen.CentralHeader: "central header", zipgen.End: "end",
	}
	for x := range a.Extents(0, a.Size()) {
		name := ""
		if x.Kind != zipgen.End {
			name = a.Entry(x.Entry).Name
		}
		fmt.Printf("%3d +%2d %-14s %q\n", x.Offset, x.Len, kinds[x.Kind], name)
	}
	// Output:
	//   0 +46 local header   "letter/"
	//  46 +56 local header   "letter/1 greeting"
	// 102 +13 data           "letter/1 greeting"
	// 115 +56 local header   "letter/2 farewell"
	// 171 +11 data           "letter/2 farewell"
	// 182 +62 central header "letter/"
	// 244 +72 central header "letter/1 greeting"
	// 316 +72 central header "letter/2 farewell"
	// 388 +30 end            ""
}
