package checksum

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/crc32"

	"vzip/internal/source"
)

// smallFiles is many files around the size of a read.
func smallFiles(n int) []file {
	files := make([]file, n)
	for i := range files {
		size := int64(i * 37)
		switch i % 50 {
		case 7:
			size = mib
		case 8:
			size = mib + 1
		}
		files[i] = file{fmt.Sprint("small ", i), size, []span{{0, size}}}
	}
	return files
}

// edgeFiles is files of sizes around those of reads and parts, with data at
// every edge.
func edgeFiles() []file {
	var files []file
	for _, edge := range []int64{bufferLen, partLen, 2 * partLen} {
		for _, size := range []int64{edge - 1, edge, edge + 1} {
			files = append(files, file{fmt.Sprint("edge of ", edge, ": ", size), size, []span{
				{0, 100}, {bufferLen - 4*kib, 5 * kib}, {size / 2, 10}, {size - 3, 3},
			}})
		}
	}
	for i := range files {
		if f := &files[i]; f.size < mib {
			f.data = []span{{0, f.size}}
		}
	}
	// Data across the bounds of parts, wherever the holes before move those.
	var across []span
	for n := int64(1); n < 5; n++ {
		across = append(across, span{n*partLen - 8*kib, 16 * kib})
	}
	return append(files,
		file{"across parts", 5*partLen + 1, append(across, span{5 * partLen, 1})},
		file{"hole at begin", 3 * partLen, []span{{2*partLen + 64*kib, partLen - 64*kib}}},
		file{"hole at begin, part and a bit", 4 * partLen, []span{{12345, 40 * mib}, {100 * mib, mib}}},
		file{"hole at end", 3 * partLen, []span{{0, 64 * kib}}},
		file{"data to a part's end", 3 * partLen, []span{{0, 64 * kib}, {partLen - 64*kib, 64 * kib}}},
		file{"all hole, 1 read", mib, nil},
		file{"all hole, small", 2 * partLen, nil},
		file{"all hole, large", 2*partLen + 1, nil},
		file{"no hole", 2*partLen + 3*mib + 5, []span{{0, 2*partLen + 3*mib + 5}}},
	)
}

func TestRun(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		files []file
	}{
		{"none", nil},
		{"one empty", []file{{name: "empty"}}},
		{"one byte", []file{{"one", 1, []span{{0, 1}}}}},
		{"one large", []file{{"large", 100 * mib, []span{{50 * mib, mib}}}}},
		{"small", smallFiles(300)},
		{"edges, then small", append(edgeFiles(), smallFiles(60)...)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := makeFiles(t, tt.files)
			total := int64(0)
			for _, f := range d.files {
				total += f.size
			}
			for _, workers := range []int{1, 2, 8} {
				got, err := d.run(testContext(t), workers, nil)
				if err != nil {
					t.Errorf("%d workers: %v", workers, err)
				}
				for i, f := range d.files {
					want := d.plainSum(t, i)
					if got.done[i] != 1 || got.err[i] != nil || !equal(got.sum[i], want) {
						t.Errorf("%d workers, %s: %s; error %v, %d times, want once",
							workers, f.name, brief(got.sum[i], want), got.err[i], got.done[i])
					}
				}
				if got.progress != total {
					t.Errorf("%d workers: progress adds up to %d, want %d", workers, got.progress, total)
				}
				if got.mostOpen > workers {
					t.Errorf("%d workers: %d files were open at once", workers, got.mostOpen)
				}
			}
			wantClosed(t, d.dir)
		})
	}
}

func TestRunDefaults(t *testing.T) {
	t.Parallel()
	d := makeFiles(t, append(smallFiles(3), edgeFiles()[len(edgeFiles())-2]))
	got, err := d.run(testContext(t), 0, func(f *Files) { f.Progress = nil })
	must(t, err)
	for i := range d.files {
		if want := d.plainSum(t, i); !equal(got.sum[i], want) || got.err[i] != nil {
			t.Errorf("%s: %s; error %v", d.files[i].name, brief(got.sum[i], want), got.err[i])
		}
	}
}

// Holes are not read, else a tebibyte would take minutes.
func TestRunHugeHoles(t *testing.T) {
	t.Parallel()
	d := makeFiles(t, []file{
		{"all hole", tib, nil},
		{"two islands", tib + 1, []span{{tib / 2, 64 * kib}, {tib, 1}}},
	})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	got, err := d.run(ctx, 2, nil)
	must(t, err)
	island := make([]byte, 64*kib)
	f := openFile(t, d, 1)
	must(t, f.ReadFull(island, tib/2))
	two := crc32.Update(AppendZeros(0, tib/2), crc32.IEEETable, island)
	two = AppendZeros(two, tib/2-64*kib)
	must(t, f.ReadFull(island[:1], tib))
	two = crc32.Update(two, crc32.IEEETable, island[:1])
	for i, want := range []uint32{AppendZeros(0, tib), two} {
		if got.sum[i].CRC32 != want || got.err[i] != nil {
			t.Errorf("%s: got %08x and error %v, want %08x", d.files[i].name, got.sum[i].CRC32, got.err[i], want)
		}
	}
	if want := int64(2*tib + 1); got.progress != want {
		t.Errorf("progress adds up to %d, want %d", got.progress, want)
	}
}

// Each hole is dealt with in one step, in small files and within parts as well.
func TestHolesAreNotRead(t *testing.T) {
	t.Parallel()
	d := makeFiles(t, []file{
		{"small", 2 * partLen, []span{{partLen, 64 * kib}}},
		{"large", 3 * partLen, []span{{0, 64 * kib}, {2*partLen - 64*kib, 64 * kib}}},
	})
	var steps atomic.Int64
	_, err := d.run(testContext(t), 2, func(f *Files) { f.Progress = func(int64) { steps.Add(1) } })
	must(t, err)
	if got := steps.Load(); got > 3+6 {
		t.Errorf("got %d steps, want 3 for the small file and 6 for the large one", got)
	}
}

// The parts of one large file are read by several workers at once.
func TestLargeFileIsShared(t *testing.T) {
	t.Parallel()
	d := makeFiles(t, []file{{"large", 3 * partLen, []span{{0, kib}, {partLen, kib}, {2 * partLen, kib}}}})
	var inside sync.WaitGroup
	inside.Add(2)
	var mu sync.Mutex
	waiting := 0
	met := make(chan struct{})
	go func() { inside.Wait(); close(met) }()
	_, err := d.run(testContext(t), 2, func(f *Files) {
		open := f.Open
		f.Open = func(ctx context.Context, i int) (*source.File, error) {
			time.Sleep(50 * time.Millisecond) // the other worker finds nothing to do yet
			return open(ctx, i)
		}
		f.Progress = func(n int64) {
			if n > mib {
				return // a hole, which isn't read
			}
			mu.Lock()
			waiting++
			first := waiting <= 2
			mu.Unlock()
			if !first {
				return
			}
			inside.Done()
			select {
			case <-met:
			case <-time.After(time.Minute):
				t.Error("a second worker never came")
			}
		}
	})
	must(t, err)
}
