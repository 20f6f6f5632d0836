// Command vzip-interop prints an archive's entries as Go's archive/zip reads them,
// in the format of ../../reader.go. It is a module of its own so that vzip's needs
// nothing for the sake of these tests.
package main

import (
	"archive/zip"
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
)

func main() {
	log.SetFlags(0)
	out := bufio.NewWriter(os.Stdout)
	if err := list(out, os.Args[len(os.Args)-1]); err != nil {
		log.Fatal(err)
	}
	if err := out.Flush(); err != nil {
		log.Fatal(err)
	}
}

func list(w io.Writer, archive string) error {
	r, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer r.Close()
	for _, f := range r.File {
		if err := entry(w, f); err != nil {
			return fmt.Errorf("%q: %w", f.Name, err)
		}
	}
	return nil
}

func entry(w io.Writer, f *zip.File) error {
	kind := 'f'
	switch f.Mode().Type() {
	case fs.ModeDir:
		kind = 'd'
	case fs.ModeSymlink:
		kind = 'l'
	}
	fmt.Fprintf(w, "name=%x type=%c size=%d crc=%08x mode=%o mtime=%d",
		f.Name, kind, f.UncompressedSize64, f.CRC32, permissions(f.Mode()), f.Modified.Unix())
	if kind != 'd' {
		data, err := f.Open()
		if err != nil {
			return err
		}
		defer data.Close()
		sum := sha256.New()
		if _, err := io.Copy(sum, data); err != nil { // tests the CRC
			return err
		}
		fmt.Fprintf(w, " sha=%x", sum.Sum(nil))
	}
	_, err := fmt.Fprintln(w)
	return err
}

// permissions turns Go's mode bits back into Unix's.
func permissions(mode fs.FileMode) uint32 {
	unix := uint32(mode.Perm())
	for _, bit := range []struct {
		mode fs.FileMode
		unix uint32
	}{
		{fs.ModeSetuid, 0o4000},
		{fs.ModeSetgid, 0o2000},
		{fs.ModeSticky, 0o1000},
	} {
		if mode&bit.mode != 0 {
			unix |= bit.unix
		}
	}
	return unix
}
