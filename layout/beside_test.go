package layout

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestParseSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"0": 0, "65536": 65536, "65536B": 65536, "1kB": 1000, "1KiB": 1024, "700MB": 700e6, "700 MiB": 700 << 20,
		"2GiB": 2 << 30, "4GB": 4e9, "1TB": 1e12, "8388607TiB": 8388607 << 40, "9223372036854775807": math.MaxInt64, "007MiB": 7 << 20,
	} {
		if got, err := ParseSize(text); got != want || err != nil {
			t.Errorf("%q: got %d and error %v, want %d", text, got, err, want)
		}
	}
	for text, want := range map[string]error{
		"": errNoSize, "GiB": errNoSize, "2G": errNoSize, "2g": errNoSize, "2gib": errNoSize, "2GIB": errNoSize, "1.5GiB": errNoSize, "1,000": errNoSize,
		"-1": errNoSize, "+1": errNoSize, " 1": errNoSize, "1 ": errNoSize, "1  GiB": errNoSize, "1GiB ": errNoSize, "0x10": errNoSize, "1e6": errNoSize,
		"1_000": errNoSize, "1PiB": errNoSize, "1KB": errNoSize, "٣MB": errNoSize, "9223372036854775808": errHugeSize, "8388608TiB": errHugeSize,
	} {
		if got, err := ParseSize(text); err != want || got != 0 {
			t.Errorf("%q: got %d and error %v, want %v", text, got, err, want)
		}
	}
}

// FuzzParseSize: what is taken is a number and a unit, and what they stand for fits.
func FuzzParseSize(f *testing.F) {
	for _, text := range []string{"0", "65536", "2GiB", "2 GiB", "9223372036854775807", "8388608TiB", "1.5", "-1", "1 ", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseSize(text)
		if err != nil {
			if got != 0 {
				t.Errorf("%q: got %d beside error %v", text, got, err)
			}
			return
		}
		number := strings.TrimRight(text, " BkMGTKi")
		n, err := strconv.ParseUint(number, 10, 63)
		if err != nil || got < 0 || n > 0 && (got%int64(n) != 0 || got < int64(n)) {
			t.Errorf("%q: got %d of the number %q (%v)", text, got, number, err)
		}
	})
}

// What is shown beside an archive is found by name, and nothing else is.
func TestArchiveOf(t *testing.T) {
	t.Parallel()
	l := parse(&Problems{}, "/", []byte(`version: 1
archives:
  - {name: d/a.zip, split: 64KiB, sidecars: [sha256, manifest], entries: []}
  - {name: b.zip, entries: []}
`), env())
	for file, want := range map[string]string{
		"d/a.zip": "d/a.zip", "d/a.zip.001": "d/a.zip", "d/a.zip.999": "d/a.zip", "d/a.zip.sha256": "d/a.zip", "d/a.zip.json": "d/a.zip", "b.zip": "b.zip",
		"d/a.zip.000": "", "d/a.zip.1000": "", "d/a.zip.crc32": "", "b.zip.001": "", "b.zip.sha256": "", "d/a": "", "d": "", "": "", ".001": "", "d/a.zip.001.sha256": "",
	} {
		if got := l.ArchiveOf(file); got != want {
			t.Errorf("%q: got %q, want %q", file, got, want)
		}
	}
}

// 999 volumes are shown, and one more is an error that says what would do.
func TestManyVolumes(t *testing.T) {
	t.Parallel()
	const most = MaxVolumes * minSplit
	for _, size := range []int64{1000, minSplit, minSplit + 1, most, most + 1, 10 * most} {
		dir := t.TempDir()
		tree(t, dir, "src/a")
		l := load(t, dir, one("split: 64KiB", "source: src"))
		plans, _ := scanAll(t, l)
		must(t, os.Truncate(dir+"/src/a", size-plans[0].Size()+int64(len("src/a"))))
		plans, err := l.Scan(t.Context(), ScanOptions{})
		if size > most {
			want := fmt.Sprintf("%s:3:", l.File)
			least := (size + MaxVolumes - 1) / MaxVolumes
			if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), fmt.Sprintf("set split to %d or more", least)) {
				t.Errorf("%d bytes: got error %v", size, err)
			}
			continue
		}
		must(t, err)
		split, count := plans[0].Volumes()
		if got := plans[0].Size(); got != size || split != minSplit || int64(count-1)*split >= size || int64(count)*split < size {
			t.Errorf("an archive of %d bytes, %d wanted: got %d volumes of %d", got, size, count, split)
		}
	}
}
