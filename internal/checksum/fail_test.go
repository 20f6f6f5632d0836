package checksum

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/source"
)

func openFile(t testing.TB, d *folder, i int) *source.File {
	t.Helper()
	f, err := source.Open(d.refs[i], d.ids[i])
	must(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

// failing is files small and large. Every third is to fail, the first and not
// the second of each pair of large ones.
func failing() []file {
	files := smallFiles(90)
	for i := range files {
		if i%45 < 2 {
			files[i] = file{fmt.Sprint("large ", i), 3 * partLen, []span{{0, 64 * kib}, {2 * partLen, 64 * kib}}}
		}
	}
	return files
}

func TestErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, tt := range []struct {
		name   string
		change func(*Files)
		want   error
	}{
		{"Open", func(f *Files) {
			open := f.Open
			f.Open = func(ctx context.Context, i int) (*source.File, error) {
				if file, err := open(ctx, i); i%3 != 0 || err != nil {
					return file, err
				} else {
					file.Close()
				}
				return nil, fmt.Errorf("file %d: %w", i, broken)
			}
		}, broken},
		{"Check", func(f *Files) {
			check := f.Check
			f.Check = func(i int, file *source.File) error {
				if i%3 == 0 {
					return fmt.Errorf("file %d: %w", i, broken)
				}
				return check(i, file)
			}
		}, broken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := makeFiles(t, failing())
			for _, workers := range []int{1, 2, 8} {
				got, err := d.run(testContext(t), workers, tt.change)
				must(t, err)
				for i, f := range d.files {
					switch {
					case got.done[i] != 1:
						t.Errorf("%d workers, %s: Done %d times, want once", workers, f.name, got.done[i])
					case i%3 == 0 && (!errors.Is(got.err[i], tt.want) || !strings.Contains(got.err[i].Error(), fmt.Sprintf("file %d:", i))):
						t.Errorf("%d workers, %s: got error %v, want %v", workers, f.name, got.err[i], tt.want)
					case i%3 != 0 && (got.err[i] != nil || !equal(got.sum[i], d.plainSum(t, i))):
						t.Errorf("%d workers, %s: %s and error %v", workers, f.name, brief(got.sum[i], d.plainSum(t, i)), got.err[i])
					}
				}
			}
			wantClosed(t, d.dir)
		})
	}
}

// changing is what happens to a file after its first bytes were read.
var changing = []struct {
	name    string
	do      func(t *testing.T, path string, size int64)
	byCheck bool // only Check can see it
}{
	{"truncated", func(t *testing.T, path string, _ int64) { must(t, os.Truncate(path, mib+mib/2)) }, false},
	{"emptied", func(t *testing.T, path string, _ int64) { must(t, os.Truncate(path, 0)) }, true},
	{"grown", func(t *testing.T, path string, size int64) { must(t, os.Truncate(path, size+1)) }, false},
	{"rewritten", func(t *testing.T, path string, _ int64) {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		must(t, err)
		defer f.Close()
		_, err = f.WriteAt([]byte("other"), 0)
		must(t, err)
	}, true},
}

// The holes that a truncated file seems to end with must not pass as its bytes.
func TestChangeWhileRunning(t *testing.T) {
	t.Parallel()
	for _, f := range []file{
		{"small", 3 * mib, []span{{0, 3 * mib}}},
		{"large", 3 * partLen, []span{{0, 2 * mib}, {partLen, mib}, {3*partLen - mib, mib}}},
	} {
		for _, tt := range changing {
			for _, workers := range []int{1, 4} {
				t.Run(fmt.Sprintf("%s %s, %d workers", f.name, tt.name, workers), func(t *testing.T) {
					t.Parallel()
					d := makeFiles(t, []file{f})
					time.Sleep(25 * time.Millisecond) // older kernels' time stamps are that coarse
					var changed atomic.Bool
					got, err := d.run(testContext(t), workers, func(files *Files) {
						files.Progress = func(int64) {
							if changed.CompareAndSwap(false, true) {
								tt.do(t, d.refs[0].Path(), d.files[0].size)
							}
						}
						// Of a large file other workers may have read what changes.
						if !tt.byCheck && (workers == 1 || f.name == "small") {
							files.Check = func(int, *source.File) error { return nil }
						}
					})
					must(t, err)
					if got.done[0] != 1 || !errors.Is(got.err[0], unix.ESTALE) {
						t.Errorf("got error %v, %d times; want %v once", got.err[0], got.done[0], unix.ESTALE)
					}
					wantClosed(t, d.dir)
				})
			}
		}
	}
}

// wantEnded fails the test if a worker of Run lives or a file is open.
func wantEnded(t *testing.T, dir string) {
	t.Helper()
	stacks := make([]byte, 4*mib)
	stacks = stacks[:runtime.Stack(stacks, true)]
	if strings.Contains(string(stacks), "checksum.(*run)") {
		t.Errorf("a worker is left behind:\n%s", stacks)
	}
	wantClosed(t, dir)
}

// The tests of cancelling don't run in parallel: they look at the goroutines.
func TestCancelBefore(t *testing.T) {
	d := makeFiles(t, smallFiles(5))
	ctx, cancel := context.WithCancel(testContext(t))
	cancel()
	for _, workers := range []int{1, 8} {
		got, err := d.run(ctx, workers, nil)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got error %v, want %v", err, context.Canceled)
		}
		if got.mostOpen != 0 || got.done[0] != 0 {
			t.Errorf("%d files were opened, want none", got.mostOpen)
		}
	}
	wantEnded(t, d.dir)
}

func TestCancelWhileRunning(t *testing.T) {
	whole := int64(2*partLen + 6*mib)
	dense := file{"dense", whole, []span{{0, whole}}}
	large := file{"large", 9 * partLen, []span{{0, mib}, {3 * partLen, mib}, {9*partLen - mib, mib}}}
	for _, tt := range []struct {
		name  string
		files []file
		after int64 // bytes of progress after which to cancel
	}{
		{"first small file", smallFiles(300), 1},
		{"small files", smallFiles(300), 2 * mib},
		{"start of a large file", []file{dense}, 1},
		{"middle of a large file", []file{dense}, 40 * mib},
		{"hole", []file{large, large, large}, 2 * mib},
		{"last byte", []file{dense}, whole},
		{"large files and small", append([]file{large, dense, large}, smallFiles(50)...), partLen},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := makeFiles(t, tt.files)
			for _, workers := range []int{1, 2, 8} {
				ctx, cancel := context.WithCancel(testContext(t))
				defer cancel()
				var bytes, readAfter, openedAfter atomic.Int64
				var cancelled atomic.Bool
				got, err := d.run(ctx, workers, func(f *Files) {
					f.Progress = func(n int64) {
						if cancelled.Load() && n <= bufferLen {
							readAfter.Add(n)
						}
						if bytes.Add(n) >= tt.after {
							cancel()
							cancelled.Store(true)
						}
					}
					open := f.Open
					f.Open = func(ctx context.Context, i int) (*source.File, error) {
						if cancelled.Load() {
							openedAfter.Add(1)
						}
						return open(ctx, i)
					}
				})
				if !errors.Is(err, context.Canceled) {
					t.Errorf("%d workers: got error %v, want %v", workers, err, context.Canceled)
				}
				if got.open != 0 {
					t.Errorf("%d workers: %d files were opened and never done", workers, got.open)
				}
				for i, n := range got.done {
					if n > 1 {
						t.Errorf("%d workers, %s: Done %d times", workers, d.files[i].name, n)
					}
					if n == 1 && got.err[i] == nil && !equal(got.sum[i], d.plainSum(t, i)) {
						t.Errorf("%d workers, %s: %s", workers, d.files[i].name, brief(got.sum[i], d.plainSum(t, i)))
					}
					if n == 1 && got.err[i] != nil && !errors.Is(got.err[i], context.Canceled) {
						t.Errorf("%d workers, %s: got error %v, want %v", workers, d.files[i].name, got.err[i], context.Canceled)
					}
				}
				// What a worker had begun it may end: a file's open, a read.
				if n := openedAfter.Load(); n > int64(workers) {
					t.Errorf("%d workers: %d files opened after the end", workers, n)
				}
				if n := readAfter.Load(); n > int64(workers)*bufferLen {
					t.Errorf("%d workers: %d bytes read after the end", workers, n)
				}
				wantEnded(t, d.dir)
			}
		})
	}
}

func TestCancelWhileOpening(t *testing.T) {
	d := makeFiles(t, smallFiles(20))
	for _, workers := range []int{1, 2, 8} {
		ctx, cancel := context.WithCancel(testContext(t))
		defer cancel()
		var opening atomic.Int64
		got, err := d.run(ctx, workers, func(f *Files) {
			f.Open = func(ctx context.Context, _ int) (*source.File, error) {
				if opening.Add(1) == int64(workers) {
					cancel()
				}
				<-ctx.Done()
				return nil, ctx.Err()
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%d workers: got error %v, want %v", workers, err, context.Canceled)
		}
		done := 0
		for i, n := range got.done {
			done += n
			if n > 0 && !errors.Is(got.err[i], context.Canceled) {
				t.Errorf("file %d: got error %v, want %v", i, got.err[i], context.Canceled)
			}
		}
		if done != workers {
			t.Errorf("%d workers: Done of %d files, want one a worker", workers, done)
		}
		wantEnded(t, d.dir)
	}
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	d := makeFiles(t, smallFiles(1))
	_, err := d.run(ctx, 1, func(f *Files) {
		f.Open = func(ctx context.Context, _ int) (*source.File, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got error %v, want %v", err, context.DeadlineExceeded)
	}
}

// A panic in a callback is an error of the run, and no worker is left waiting.
func TestPanic(t *testing.T) {
	t.Parallel()
	for workers := range 5 {
		err := Run(t.Context(), 1+workers, Files{
			Len:  10,
			Open: func(_ context.Context, i int) (*source.File, error) { panic("the sky falls") },
			Done: func(int, Sum, error) {},
		})
		if err == nil || !strings.Contains(err.Error(), "a defect in vzip: the sky falls") {
			t.Errorf("%d workers: got error %v", 1+workers, err)
		}
	}
}
