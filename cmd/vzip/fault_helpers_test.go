package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/faultfs"
	"vzip/internal/require"
	"vzip/vfs"
)

// This test binary is the faulty file system and the readers of its archives, too.
func init() {
	switch {
	case faultfs.Asked():
		os.Exit(faultfs.Main(os.Args[1:]))
	case os.Getenv(readersVariable) != "":
		if err := readersMain(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

const (
	// block is the unit in which sources are checked, in bytes.
	block = 128 << 10
	// sourceTimeout is what tests let vzip wait for a source, and slack how much
	// later than that it may give up.
	sourceTimeout = 3 * time.Second
	slack         = 5 * time.Second
)

// faulty is a folder of sources seen through a file system with faults. Its
// archives are those of plain, but for what the faults do.
type faulty struct {
	t          *testing.T
	dir        string // a folder of the test's
	plain, bad string // the sources, and the sources with faults
	fs         *faultfs.Mount
}

// newFaulty makes sources: of each name, a path, that many random bytes.
func newFaulty(t *testing.T, sizes map[string]int) *faulty {
	t.Helper()
	require.Needs(t, "fuse")
	dir := t.TempDir()
	f := &faulty{t: t, dir: dir, plain: dir + "/plain", bad: dir + "/bad"}
	must(t, os.Mkdir(f.bad, 0o755))
	for name, size := range sizes {
		f.write(name, randomBytes(name, size))
	}
	f.start()
	t.Cleanup(func() {
		if f.fs != nil {
			must(t, f.fs.Close())
		}
	})
	return f
}

// randomBytes are the same at each run.
func randomBytes(seed string, size int) []byte {
	var key [32]byte
	copy(key[:], seed)
	data := make([]byte, size)
	rand.NewChaCha8(key).Read(data)
	return data
}

func (f *faulty) write(name string, data []byte) {
	f.t.Helper()
	must(f.t, os.MkdirAll(filepath.Dir(f.plain+"/"+name), 0o755))
	must(f.t, os.WriteFile(f.plain+"/"+name, data, 0o644))
}

// start mounts the file system with faults, none so far.
func (f *faulty) start() {
	f.t.Helper()
	self, err := os.Executable()
	must(f.t, err)
	f.fs, err = faultfs.Start([]string{self}, f.plain, f.bad, 0)
	must(f.t, err)
}

func (f *faulty) add(r faultfs.Rule) (id int) {
	f.t.Helper()
	id, err := f.fs.Add(r)
	must(f.t, err)
	return id
}

func (f *faulty) clear() {
	f.t.Helper()
	must(f.t, f.fs.Clear())
}

func (f *faulty) state() faultfs.State {
	f.t.Helper()
	s, err := f.fs.State()
	must(f.t, err)
	return s
}

// layout writes a layout with an archive of each of the sources' folders, and
// returns its path. Those that plain names have no faults.
func (f *faulty) layout(root string, plain ...string) string {
	f.t.Helper()
	folders, err := os.ReadDir(f.plain)
	must(f.t, err)
	text := "version: 1\narchives:\n"
	for _, folder := range folders {
		from := root
		if slices.Contains(plain, folder.Name()) {
			from = f.plain
		}
		text += fmt.Sprintf("  - {name: %s.zip, entries: [{source: %s/%[1]s, as: .}]}\n", folder.Name(), from)
	}
	file, err := os.CreateTemp(f.dir, "*.yaml")
	must(f.t, err)
	defer file.Close()
	_, err = file.WriteString(text)
	must(f.t, err)
	return file.Name()
}

// oracle is what an archive's bytes have to be, from the sources without faults.
func (f *faulty) oracle(archive string) []byte {
	f.t.Helper()
	return f.vzip("cat", "--no-cache", f.layout(f.plain), archive)
}

func (f *faulty) vzip(args ...string) []byte {
	f.t.Helper()
	cmd := exec.CommandContext(f.t.Context(), "vzip", args...)
	out, err := cmd.Output()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		f.t.Fatalf("vzip %s: %v: %s", args, err, exit.Stderr)
	}
	must(f.t, err)
	return out
}

// dataAt is where an entry's data starts in its archive.
func (f *faulty) dataAt(archive, entry string) int64 {
	f.t.Helper()
	var list struct {
		Entries []struct {
			Name       string
			DataOffset int64 `json:"data_offset"`
		}
	}
	must(f.t, json.Unmarshal(f.vzip("list", "--json", f.layout(f.plain), archive), &list))
	for _, e := range list.Entries {
		if e.Name == entry {
			return e.DataOffset
		}
	}
	f.t.Fatalf("%s has no entry %s", archive, entry)
	return 0
}

// served is "vzip mount", running.
type served struct {
	t    *testing.T
	f    *faulty
	mnt  string
	log  string // the file of its messages
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error
	held map[string]int // archives that the test has open
}

// run starts "vzip mount" and does not wait for anything.
func (f *faulty) run(layout string, flags ...string) *served {
	f.t.Helper()
	mnt, err := os.MkdirTemp(f.dir, "mnt")
	must(f.t, err)
	d := &served{t: f.t, f: f, mnt: mnt, log: mnt + ".log", done: make(chan struct{}), held: map[string]int{}}
	log, err := os.Create(d.log)
	must(f.t, err)
	defer log.Close()
	if !slices.Contains(flags, "--cache") {
		flags = append(flags, "--no-cache")
	}
	d.cmd = exec.Command("vzip", slices.Concat([]string{"mount"}, flags, []string{layout, mnt})...)
	d.cmd.Stderr = log
	must(f.t, d.cmd.Start())
	go func() {
		d.err = d.cmd.Wait()
		close(d.done)
	}()
	// What hangs for good would hang the test's own reads, too.
	watchdog := time.AfterFunc(3*patience, func() {
		_ = f.fs.Clear()
		_ = d.cmd.Process.Kill()
		_ = vfs.Unmount(mnt, true)
	})
	f.t.Cleanup(func() {
		watchdog.Stop()
		_ = f.fs.Clear()
		d.stop()
	})
	return d
}

// mount starts "vzip mount" and waits until its archives are there.
func (f *faulty) mount(layout string, flags ...string) *served {
	f.t.Helper()
	d := f.run(layout, flags...)
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		mounted, err := vfs.IsMounted(d.mnt)
		must(f.t, err)
		if mounted {
			return d
		}
		if d.ended(0) || time.Now().After(end) {
			f.t.Fatalf("vzip mount %s: %v: %s", flags, d.err, d.text())
		}
	}
}

// ended tells whether the program ends in that time.
func (d *served) ended(within time.Duration) bool {
	select {
	case <-d.done:
		return true
	default:
	}
	select {
	case <-d.done:
		return true
	case <-time.After(within):
		return false
	}
}

// hold opens an archive for all reads of it to come: one that is known to be stale
// can't be opened any more.
func (d *served) hold(archive string) {
	d.t.Helper()
	fd, err := unix.Open(d.mnt+"/"+archive, unix.O_RDONLY|unix.O_DIRECT|unix.O_CLOEXEC, 0)
	must(d.t, err)
	d.held[archive] = fd
}

// letGo closes what hold opened.
func (d *served) letGo() {
	for _, fd := range d.held {
		unix.Close(fd)
	}
	clear(d.held)
}

// stop unmounts and waits for the end.
func (d *served) stop() {
	d.t.Helper()
	d.letGo()
	for end := time.Now().Add(patience); !d.ended(0) && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		// Another test's mount namespace may have a copy of the mount, which a signal ends.
		if err := vfs.Unmount(d.mnt, false); err == nil && !d.ended(slack) {
			_ = d.cmd.Process.Signal(syscall.SIGTERM)
			d.ended(slack)
		}
	}
	if !d.ended(0) {
		d.t.Errorf("vzip does not end after unmounting: %s", d.text())
		_ = d.cmd.Process.Kill()
		_ = vfs.Unmount(d.mnt, true)
		<-d.done
	}
	if mounted, err := vfs.IsMounted(d.mnt); mounted || err != nil {
		d.t.Errorf("%s is left mounted; error %v", d.mnt, err)
		_ = vfs.Unmount(d.mnt, true)
	}
}

// text is what the program has said.
func (d *served) text() string {
	text, _ := os.ReadFile(d.log)
	return string(text)
}

// lines are the messages that have all these words.
func (d *served) lines(words ...string) (found []string) {
	for line := range strings.Lines(d.text()) {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
			found = append(found, line)
		}
	}
	return found
}

// wantLines fails unless there are that many messages with all these words.
func (d *served) wantLines(n int, words ...string) {
	d.t.Helper()
	if got := d.lines(words...); len(got) != n {
		d.t.Errorf("%d messages have the words %q, want %d; all messages: %s", len(got), words, n, d.text())
	}
}

// threads is how many threads the program has.
func (d *served) threads() int {
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", d.cmd.Process.Pid))
	return len(tasks)
}

// pread reads a part of an archive with one pread(2). Never from the kernel's
// memory, so that the daemon has to answer.
func (d *served) pread(archive string, off int64, n int) ([]byte, error) {
	fd, held := d.held[archive]
	if !held {
		var err error
		if fd, err = unix.Open(d.mnt+"/"+archive, unix.O_RDONLY|unix.O_DIRECT|unix.O_CLOEXEC, 0); err != nil {
			return nil, err
		}
		defer unix.Close(fd)
	}
	return preadOnce(fd, off, n)
}

func preadOnce(fd int, off int64, n int) ([]byte, error) {
	p := make([]byte, n)
	for {
		n, err := unix.Pread(fd, p, off)
		if err != unix.EINTR { // which only the runtime's own signals give
			return p[:max(n, 0)], err
		}
	}
}

// preadFull reads until it has n bytes, or an error, which is io.EOF at an end.
func preadFull(fd int, off int64, n int) (data []byte, err error) {
	for len(data) < n {
		p, err := preadOnce(fd, off+int64(len(data)), n-len(data))
		if err == nil && len(p) == 0 {
			err = io.EOF
		}
		if data = append(data, p...); err != nil {
			return data, err
		}
	}
	return data, nil
}

// check reads a part of an archive and fails if that gives other bytes, or less
// of them. It returns the error of the read.
func (d *served) check(archive string, want []byte, off int64, n int) error {
	d.t.Helper()
	want = want[off:min(off+int64(n), int64(len(want)))]
	got, err := d.pread(archive, off, n)
	switch {
	case err != nil:
	case len(got) != len(want):
		d.t.Errorf("%s: pread of %d at %d gives %d bytes, want %d", archive, n, off, len(got), len(want))
	case !bytes.Equal(got, want):
		i := 0
		for got[i] == want[i] {
			i++
		}
		d.t.Errorf("%s: pread of %d at %d gives wrong bytes from %d on: %x, want %x", archive, n, off, i, got[i:min(i+32, n)], want[i:min(i+32, n)])
	}
	return err
}

// checkAll reads an archive from end to end, and returns how many of its parts
// were right and how many gave which error.
func (d *served) checkAll(archive string, want []byte) (right int, errs map[error]int) {
	d.t.Helper()
	errs = map[error]int{}
	for off := int64(0); off < int64(len(want)); off += block {
		if err := d.check(archive, want, off, block); err != nil {
			errs[err]++
		} else {
			right++
		}
	}
	return right, errs
}

// wantAll fails unless an archive has these bytes.
func (d *served) wantAll(archive string, want []byte) {
	d.t.Helper()
	if _, errs := d.checkAll(archive, want); len(errs) > 0 {
		d.t.Errorf("%s: got errors %v, want none; messages: %s", archive, errs, d.text())
	}
}

// wantSoon reads a part again and again until it can be read, and returns how
// long that took.
func (d *served) wantSoon(archive string, want []byte, off int64, n int, within time.Duration) time.Duration {
	d.t.Helper()
	begin := time.Now()
	for {
		err := d.check(archive, want, off, n)
		took := time.Since(begin)
		switch {
		case took > within:
			d.t.Errorf("%s: a read at %d gave error %v after %v, want its bytes within %v; messages: %s", archive, off, err, took, within, d.text())
			return took
		case err == nil:
			return took
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// wantErrno fails unless an error is one of these.
func wantErrno(t *testing.T, what string, err error, want ...unix.Errno) {
	t.Helper()
	if !slices.ContainsFunc(want, func(w unix.Errno) bool { return err == w }) {
		t.Errorf("%s: got error %v, want %v", what, err, want)
	}
}

// readersVariable in the environment makes this binary a process of readers, and
// holds a readers as JSON.
const readersVariable = "VZIP_FAULT_READERS"

// readers are threads that read an archive.
type readers struct {
	Path, Oracle string // the archive, and a file with its bytes
	Threads      int
	Reads        int  // of each thread; 0 for as many as there is time for, until standard input ends
	Length       int  // of each read
	Buffered     bool // every other thread reads through the kernel's memory
}

// outcome is what a read gave.
type outcome struct {
	At    time.Duration // since the first read of them all
	Took  time.Duration
	Errno unix.Errno
	Wrong bool
}

// readersMain reads, says "reading" when all threads are about to, and at the end
// prints a list of outcomes.
func readersMain() error {
	var r readers
	if err := json.Unmarshal([]byte(os.Getenv(readersVariable)), &r); err != nil {
		return err
	}
	want, err := os.ReadFile(r.Oracle)
	if err != nil {
		return err
	}
	fds := make([]int, r.Threads)
	for i := range fds {
		flags := unix.O_RDONLY
		if !r.Buffered || i%2 == 0 {
			flags |= unix.O_DIRECT
		}
		if fds[i], err = unix.Open(r.Path, flags, 0); err != nil {
			return fmt.Errorf("%s: %w", r.Path, err)
		}
		_ = unix.Fadvise(fds[i], 0, 0, unix.FADV_RANDOM)
	}
	stop := make(chan struct{})
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); close(stop) }()
	results := make([][]outcome, r.Threads)
	done := make(chan int)
	first := time.Now()
	for i, fd := range fds {
		go func() {
			results[i] = r.read(fd, i, want, first, stop)
			done <- i
		}()
	}
	fmt.Println("reading")
	for range fds {
		<-done
	}
	return json.NewEncoder(os.Stdout).Encode(slices.Concat(results...))
}

// read is thread i of r: no two threads that read once read the same pages.
func (r *readers) read(fd, i int, want []byte, first time.Time, stop chan struct{}) (all []outcome) {
	rnd := rand.New(rand.NewPCG(1, uint64(i)))
	for n := 0; r.Reads == 0 || n < r.Reads; n++ {
		select {
		case <-stop:
			return all
		default:
		}
		places := (len(want) - r.Length) / 8192
		off := i % places * 8192
		if n > 0 || r.Reads == 0 {
			off = rnd.IntN(places) * 8192
			time.Sleep(time.Millisecond)                                          // what is measured is no throughput
			_ = unix.Fadvise(fd, int64(off), int64(r.Length), unix.FADV_DONTNEED) // the daemon has to answer
		}
		begin := time.Now()
		got, err := preadOnce(fd, int64(off), r.Length)
		o := outcome{At: begin.Sub(first), Took: time.Since(begin)}
		o.Errno, _ = err.(unix.Errno)
		o.Wrong = err == nil && !bytes.Equal(got, want[off:off+r.Length])
		all = append(all, o)
	}
	return all
}

// crowd is a process of readers.
type crowd struct {
	t    *testing.T
	cmd  *exec.Cmd
	in   io.Closer
	out  bytes.Buffer
	done chan error
}

// read starts a process that reads an archive whose bytes are want.
func (d *served) read(archive string, want []byte, r readers) *crowd {
	d.t.Helper()
	r.Path, r.Oracle = d.mnt+"/"+archive, filepath.Join(d.f.dir, archive+".oracle")
	must(d.t, os.WriteFile(r.Oracle, want, 0o644))
	job, err := json.Marshal(r)
	must(d.t, err)
	self, err := os.Executable()
	must(d.t, err)
	c := &crowd{t: d.t, cmd: exec.Command(self), done: make(chan error, 1)}
	c.cmd.Env = append(os.Environ(), readersVariable+"="+string(job))
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.cmd.Stderr = os.Stderr
	c.in, err = c.cmd.StdinPipe()
	must(d.t, err)
	stdout, err := c.cmd.StdoutPipe()
	must(d.t, err)
	must(d.t, c.cmd.Start())
	d.t.Cleanup(func() { _ = c.cmd.Process.Kill() })
	begun := make([]byte, len("reading\n"))
	if _, err := io.ReadFull(stdout, begun); err != nil {
		d.t.Fatalf("readers of %s: %v", archive, errors.Join(err, c.cmd.Wait()))
	}
	go func() {
		_, err := io.Copy(&c.out, stdout)
		c.done <- errors.Join(err, c.cmd.Wait())
	}()
	return c
}

// outcomes lets readers stop, and returns what each of their reads gave.
func (c *crowd) outcomes() (all []outcome) {
	c.t.Helper()
	c.in.Close()
	select {
	case err := <-c.done:
		must(c.t, err)
	case <-time.After(2 * patience):
		c.t.Fatal("the readers do not end")
	}
	must(c.t, json.Unmarshal(c.out.Bytes(), &all))
	return all
}

// times are how long reads took: the middle, 99 of 100, and the longest.
type times struct{ p50, p99, most time.Duration }

func (s times) String() string {
	return fmt.Sprintf("p50 %v, p99 %v, most %v", round(s.p50), round(s.p99), round(s.most))
}

func round(d time.Duration) time.Duration {
	if d > 100*time.Millisecond {
		return d.Round(time.Millisecond)
	}
	return d.Round(10 * time.Microsecond)
}

// timesOf fails the test unless all reads were right.
func timesOf(t *testing.T, what string, all []outcome) times {
	t.Helper()
	var took []time.Duration
	for _, o := range all {
		if o.Errno != 0 || o.Wrong {
			t.Errorf("%s: a read gave error %v, wrong bytes: %v", what, o.Errno, o.Wrong)
			break
		}
		took = append(took, o.Took)
	}
	return timesOfAll(took)
}

func timesOfAll(took []time.Duration) times {
	if len(took) == 0 {
		return times{}
	}
	slices.Sort(took)
	return times{took[len(took)/2], took[len(took)*99/100], took[len(took)-1]}
}
