package uploads

import (
	"bytes"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"vzip/internal/require"
)

// Two sparse images, as a build makes them of two machines.
const (
	linuxSize   = 85e9
	windowsSize = 70e9
)

// partSize is that of an upload in parts, as aws s3 cp chooses it for so large a
// file: no more than 10,000 parts. This part begins behind 100 GB.
const (
	partSize   = 16 << 20
	partNumber = 6001 // the first one is 1
	partOffset = (partNumber - 1) * partSize
)

// Behind 100 GB of an archive of 155 GB ranges are right, and so is a part that is
// uploaded.
func TestLargeArchive(t *testing.T) {
	t.Parallel()
	require.Needs(t, "fuse", "bash", "dd", "aws", s3Server)
	dir := t.TempDir()
	a := &archive{filepath.Join(dir, "layout.yaml"), filepath.Join(dir, "cache")}
	err := os.WriteFile(a.layout, []byte(`version: 1
archives:
  - name: `+archiveName+`
    entries:
      - {source: linux.vhdx, as: images/linux/disk.vhdx}
      - {source: windows.vhdx, as: images/windows/disk.vhdx}
    directories: false
`), 0o644)
	if err != nil {
		t.Fatal(err)
	}
	linux, windows := filepath.Join(dir, "linux.vhdx"), filepath.Join(dir, "windows.vhdx")
	if err := errors.Join(makeSparse(linux, linuxSize, 0, linuxSize-4), makeSparse(windows, windowsSize, 0, windowsSize-4)); err != nil {
		t.Fatal(err)
	}
	l := a.list(t) // offsets follow from sizes alone
	if len(l.Entries) != 2 || l.Size < linuxSize+windowsSize {
		t.Fatalf("got %+v", l)
	}
	// The part has data at its begin and its end, and a hole between.
	at := partOffset - l.Entries[1].DataOffset
	random := rand.NewChaCha8([32]byte{3})
	for _, off := range []int64{at - 1<<20, at + partSize - 3<<20} {
		if err := writeAt(windows, off, random, 4<<20); err != nil {
			t.Fatal(err)
		}
	}
	mount := a.mount(t)
	watch := watchMemory(t, mount.Pid)
	for _, r := range []struct {
		name        string
		off, n      int64
		source      string
		sourceStart int64
	}{
		{"data and a hole", partOffset - 1000, 6 << 20, windows, at - 1000},
		{"a hole", partOffset + 50e9, 1 << 20, windows, at + 50e9},
		{"the end of the first image", l.Entries[0].DataOffset + linuxSize - 5000, 5000, linux, linuxSize - 5000},
		{"the end of the second image", l.Entries[1].DataOffset + windowsSize - 5000, 5000, windows, windowsSize - 5000},
		{"the central directory", l.Size - l.directorySize(), l.directorySize(), "", 0},
	} {
		got := readAt(t, mount.Path(archiveName), r.off, r.n)
		want, err := a.cat("--range", fmt.Sprintf("%d-%d", r.off, r.off+r.n-1)).Output()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: the mount and vzip cat --range differ", r.name)
		}
		if r.source != "" && !bytes.Equal(got, readAt(t, r.source, r.sourceStart, r.n)) {
			t.Errorf("%s: the mount and the source differ", r.name)
		}
	}
	s := startServer(t, s3)
	part := filepath.Join(dir, "part")
	run(t, s, `dd if="$ARCHIVE" of="$PART" bs=16M skip="$((NUMBER - 1))" count=1 iflag=fullblock status=none
s3api() { aws --endpoint-url "$S3" --output text s3api "$@" --bucket "$BUCKET" --key "$NAME"; }
id=$(s3api create-multipart-upload --query UploadId)
etag=$(s3api upload-part --upload-id "$id" --part-number "$NUMBER" --body "$PART" --query ETag)
test "$etag" = "\"$MD5\"" || { echo "the server got a part with MD5 $etag"; exit 1; }
s3api complete-multipart-upload --upload-id "$id" --multipart-upload "{\"Parts\": [{\"PartNumber\": $NUMBER, \"ETag\": \"$MD5\"}]}"`,
		"ARCHIVE="+mount.Path(archiveName), "PART="+part, fmt.Sprint("NUMBER=", partNumber), fmt.Sprintf("MD5=%x", md5.Sum(readAt(t, windows, at, partSize))))
	if got, err := os.ReadFile(filepath.Join(s.Root, folder, archiveName)); err != nil || !bytes.Equal(got, readAt(t, windows, at, partSize)) {
		t.Errorf("the object of that part: %d bytes, not those of the source: %v", len(got), err)
	}
	watch.check(t, "ranges and a part of 155 GB")
}

func readAt(t *testing.T, path string, off, n int64) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data := make([]byte, n)
	if _, err := f.ReadAt(data, off); err != nil {
		t.Fatal(err)
	}
	return data
}

func writeAt(path string, off int64, from io.Reader, n int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.CopyN(io.NewOffsetWriter(f, off), from, n); err != nil {
		return err
	}
	return f.Close()
}
