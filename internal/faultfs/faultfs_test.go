package faultfs

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestFaultNone(t *testing.T) {
	t.Parallel()
	m, dir := start(t, 0)
	r := newReader(t)
	r.want(0, "", "open %s/a", m.Dir)
	r.want(0, `"5678"`, "pread 5 4")
	r.want(0, `"89"`, "pread 9998 10")
	r.want(0, `""`, "pread 10000 10")
	r.want(0, "a link sub ", "list %s", m.Dir)
	r.want(0, "a", "readlink %s/link", m.Dir)
	r.want(0, "", "statfs %s", m.Dir)
	r.want(unix.ENOENT, "0 0 0.000000000 0.000000000", "stat %s/none", m.Dir)
	for _, name := range []string{"a", "link", "sub", "sub/b"} {
		r.want(0, r.do("stat %s/%s", dir, name).text, "stat %s/%s", m.Dir, name)
	}
	s := state(t, m)
	if got := s.Sum("a", Read); got != 3 {
		t.Errorf("got %d reads, want 3", got)
	}
	if got := s.Counts["a"].Bytes; got != 6 {
		t.Errorf("got %d bytes, want 6", got)
	}
	if got := s.Sum("sub/b", Read) + s.Sum("sub/b", Open); got != 0 {
		t.Errorf("got %d requests to a file that nobody opened", got)
	}
	if _, err := m.Reset(); err != nil || state(t, m).Sum("**", Read) != 0 {
		t.Errorf("counters are not 0 after a reset; error %v", err)
	}
}

// What happens to the folder is seen at once.
func TestFaultFollows(t *testing.T) {
	t.Parallel()
	m, dir := start(t, 0)
	r, held := newReader(t), newReader(t)
	held.want(0, "", "open %s/a", m.Dir)
	before := held.do("fstat").text
	must(t, os.WriteFile(dir+"/new", []byte("new"), 0o644))
	must(t, os.Rename(dir+"/new", dir+"/a"))
	r.want(0, "", "open %s/a", m.Dir)
	r.want(0, `"new"`, "pread 0 10")
	r.want(0, r.do("stat %s/a", dir).text, "fstat")
	held.want(0, `"0123"`, "pread 0 4")
	if now := held.do("fstat").text; strings.Fields(now)[0] != strings.Fields(before)[0] {
		t.Errorf("the replaced file was %q, is %q: want one inode number", before, now)
	}
	must(t, os.WriteFile(dir+"/a", []byte("changed"), 0o644))
	r.want(0, `"changed"`, "pread 0 10")
	r.want(0, r.do("stat %s/a", dir).text, "fstat")
	must(t, os.Remove(dir+"/a"))
	r.want(unix.ENOENT, "", "open %s/a", m.Dir)
}

func TestFaultErrno(t *testing.T) {
	t.Parallel()
	m, _ := start(t, 0)
	r := newReader(t)
	r.want(0, "", "open %s/a", m.Dir)

	id := add(t, m, Rule{Path: "a", Ops: []Op{Read}, Errno: unix.EIO, Skip: 2, Times: 1})
	r.want(0, `"0"`, "pread 0 1")
	r.want(0, `"0"`, "pread 0 1")
	r.want(unix.EIO, `""`, "pread 0 1")
	r.want(0, `"0"`, "pread 0 1")
	if got := state(t, m).Hits[id]; got != 1 {
		t.Errorf("got %d hits, want 1", got)
	}
	must(t, m.Remove(id))

	id = add(t, m, Rule{Path: "a", Ops: []Op{Read}, Errno: unix.EIO, Offset: 5000, Length: 100})
	r.want(0, `"9"`, "pread 4999 1")
	r.want(unix.EIO, `""`, "pread 4999 2")
	r.want(unix.EIO, `""`, "pread 5099 10")
	r.want(0, `"0"`, "pread 5100 1")
	must(t, m.Remove(id))
	r.want(0, `"90"`, "pread 4999 2")

	// Every kind of request, every error, and only the path that is meant.
	for _, tt := range []struct {
		op      Op
		errno   unix.Errno
		command string
	}{
		{Lookup, unix.EIO, "stat %s/a"}, {Getattr, unix.EIO, "fstat"}, {Getattr, unix.ESTALE, "fstat"},
		{Open, unix.EIO, "open %s/a"}, {Open, unix.ESTALE, "open %s/a"}, {Open, unix.EINTR, "open %s/a"}, {Open, unix.EACCES, "open %s/a"},
		{Read, unix.ESTALE, "pread 0 1"}, {Read, unix.EINTR, "pread 0 1"},
		{Opendir, unix.EIO, "list %s/sub"}, {Readlink, unix.EIO, "readlink %s/link"}, {Statfs, unix.EIO, "statfs %s"},
	} {
		r.want(0, "", "open %s/a", m.Dir)
		command := strings.ReplaceAll(tt.command, "%s", m.Dir)
		id := add(t, m, Rule{Path: "{.,a,link,sub}", Ops: []Op{tt.op}, Errno: tt.errno})
		if got := r.do("%s", command); got.errno != tt.errno {
			t.Errorf("%s: %s: got error %v, want %v", tt.op, tt.command, got.errno, tt.errno)
		}
		must(t, m.Remove(id))
		if tt.op == Open {
			r.want(0, "", "open %s/a", m.Dir)
		}
		if got := r.do("%s", command); got.errno != 0 {
			t.Errorf("%s: %s: got error %v after the rule", tt.op, tt.command, got.errno)
		}
	}
	add(t, m, Rule{Path: "sub/**", Errno: unix.EIO, For: 200 * time.Millisecond})
	r.want(0, `"0"`, "pread 0 1")
	r.want(unix.EIO, "", "open %s/sub/b", m.Dir)
	time.Sleep(300 * time.Millisecond)
	r.want(0, "", "open %s/sub/b", m.Dir)
}

func TestFaultHang(t *testing.T) {
	t.Parallel()
	m, _ := start(t, 0)
	for _, tt := range []struct {
		op      Op
		command string
	}{{Read, "pread 0 1"}, {Open, "open %s/a"}, {Getattr, "fstat"}, {Lookup, "stat %s/a"}} {
		r, other := newReader(t), newReader(t)
		r.want(0, "", "open %s/a", m.Dir)
		id := add(t, m, Rule{Path: "a", Ops: []Op{tt.op}, Hang: true})
		r.ask("%s", strings.ReplaceAll(tt.command, "%s", m.Dir))
		if !r.waits() {
			t.Errorf("%s does not hang", tt.op)
		}
		if got := state(t, m).Hung; got != 1 {
			t.Errorf("%s: %d requests hang, want 1", tt.op, got)
		}
		other.want(0, "", "open %s/sub/b", m.Dir)
		other.want(0, `"bbbb"`, "pread 0 10")
		must(t, m.Remove(id))
		if got := r.answer(); got.errno != 0 {
			t.Errorf("%s: got error %v after the rule", tt.op, got.errno)
		}
	}
	wantHung(t, m, 0)

	// A killed reader is gone, unless the file system is deaf.
	for _, deaf := range []bool{false, true} {
		r := newReader(t)
		r.want(0, "", "open %s/a", m.Dir)
		id := add(t, m, Rule{Path: "a", Ops: []Op{Read}, Hang: true, Deaf: deaf})
		r.ask("pread 0 1")
		wantHung(t, m, 1)
		must(t, r.cmd.Process.Kill())
		if !deaf {
			wantHung(t, m, 0)
			must(t, m.Remove(id))
			continue
		}
		time.Sleep(100 * time.Millisecond)
		if got := state(t, m).Hung; got != 1 {
			t.Errorf("deaf: %d requests hang, want 1", got)
		}
		must(t, m.Clear())
		wantHung(t, m, 0)
	}
}

// wantHung waits until n requests hang.
func wantHung(t *testing.T, m *Mount, n int) {
	t.Helper()
	got := -1
	for end := time.Now().Add(patience); got != n; time.Sleep(5 * time.Millisecond) {
		if got = state(t, m).Hung; time.Now().After(end) {
			t.Fatalf("%d requests hang, want %d", got, n)
		}
	}
}

// Closing ends what hangs.
func TestFaultCloseWhileHanging(t *testing.T) {
	t.Parallel()
	m, _ := start(t, 0)
	r := newReader(t)
	r.want(0, "", "open %s/a", m.Dir)
	add(t, m, Rule{Hang: true, Deaf: true})
	r.ask("pread 0 1")
	wantHung(t, m, 1)
	must(t, m.stdin.Close()) // as the death of this process would
	r.answer()
}

func TestFaultDelay(t *testing.T) {
	t.Parallel()
	m, _ := start(t, 0)
	r := newReader(t)
	r.want(0, "", "open %s/a", m.Dir)
	add(t, m, Rule{Path: "a", Ops: []Op{Read, Lookup}, Delay: 200 * time.Millisecond})
	for command, want := range map[string]time.Duration{"pread 0 1": 200 * time.Millisecond, "stat " + m.Dir + "/a": 200 * time.Millisecond, "stat " + m.Dir + "/sub": 0} {
		begin := time.Now()
		if got := r.do("%s", command); got.errno != 0 {
			t.Errorf("%s: %v", command, got.errno)
		}
		if took := time.Since(begin); took < want || took > want+2*time.Second {
			t.Errorf("%s took %v, want %v", command, took, want)
		}
	}
}

func TestFaultShort(t *testing.T) {
	t.Parallel()
	m, _ := start(t, 0)
	r := newReader(t)
	r.want(0, "", "open %s/a", m.Dir)
	id := add(t, m, Rule{Path: "a", Short: Max(3), Offset: 5000, Length: 10})
	r.want(0, `"0123456789"`, "pread 0 10")
	r.want(0, `"012"`, "pread 5000 10")
	r.want(0, `"890"`, "pread 4998 4000")
	must(t, m.Remove(id))
	add(t, m, Rule{Path: "a", Short: Max(0), Times: 1})
	r.want(0, `""`, "pread 5000 10")
	r.want(0, `"0123456789"`, "pread 5000 10")
	if got := strings.Fields(r.do("fstat").text)[1]; got != "10000" {
		t.Errorf("the size is %s after short reads, want 10000", got)
	}
}

// Bytes rot, nothing else changes.
func TestFaultFlip(t *testing.T) {
	t.Parallel()
	m, _ := start(t, 0)
	r := newReader(t)
	r.want(0, "", "open %s/a", m.Dir)
	before := r.do("fstat").text
	id := add(t, m, Rule{Path: "a", Flip: true, Offset: 100, Length: 2})
	r.want(0, `"9\x10\x112"`, "pread 99 4")
	r.want(0, `"\x112"`, "pread 101 2")
	r.want(0, `"23"`, "pread 102 2")
	r.want(0, before, "fstat")
	must(t, m.Remove(id))
	r.want(0, `"9012"`, "pread 99 4")
}

// The content changes, its attributes don't; and then they do.
func TestFaultFreeze(t *testing.T) {
	t.Parallel()
	m, dir := start(t, 0)
	r, held := newReader(t), newReader(t)
	held.want(0, "", "open %s/a", m.Dir)
	before := held.do("fstat").text
	id := add(t, m, Rule{Path: "a", Freeze: true})
	must(t, os.WriteFile(dir+"/a", []byte("other content"), 0o600))
	held.want(0, before, "fstat")
	held.want(0, before, "stat %s/a", m.Dir)
	held.want(0, `"other"`, "pread 0 5")
	must(t, os.WriteFile(dir+"/new", []byte("yet another"), 0o644))
	must(t, os.Rename(dir+"/new", dir+"/a"))
	r.want(0, before, "stat %s/a", m.Dir)
	r.want(0, "", "open %s/a", m.Dir)
	r.want(0, `"yet"`, "pread 0 3")
	r.want(0, before, "fstat")
	must(t, m.Remove(id))
	r.want(0, r.do("stat %s/a", dir).text, "stat %s/a", m.Dir)

	before = r.do("stat %s/sub/b", m.Dir).text
	add(t, m, Rule{Freeze: true, For: 300 * time.Millisecond})
	must(t, os.WriteFile(dir+"/sub/b", nil, 0o644))
	r.want(0, before, "stat %s/sub/b", m.Dir)
	time.Sleep(400 * time.Millisecond)
	r.want(0, r.do("stat %s/sub/b", dir).text, "stat %s/sub/b", m.Dir)
}

func TestFaultGrain(t *testing.T) {
	t.Parallel()
	m, dir := start(t, 0)
	r := newReader(t)
	at := time.Unix(1700000001, 987654321)
	must(t, os.Chtimes(dir+"/a", at, at))
	for grain, want := range map[time.Duration]string{
		time.Second:           "1700000001.000000000",
		2 * time.Second:       "1700000000.000000000",
		10 * time.Millisecond: "1700000001.980000000",
	} {
		id := add(t, m, Rule{Grain: grain})
		if got := strings.Fields(r.do("stat %s/a", m.Dir).text); got[2] != want || grain >= time.Second && !strings.HasSuffix(got[3], ".000000000") {
			t.Errorf("%v: got times %v, want %s", grain, got[2:], want)
		}
		must(t, m.Remove(id))
	}
	before := time.Unix(-1, 5)
	must(t, os.Chtimes(dir+"/a", before, before))
	add(t, m, Rule{Grain: 2 * time.Second})
	if got := strings.Fields(r.do("stat %s/a", m.Dir).text); got[2] != "-2.000000000" {
		t.Errorf("before 1970: got %s, want -2", got[2])
	}
}

func TestFaultInodes(t *testing.T) {
	t.Parallel()
	m, _ := start(t, 0)
	r := newReader(t)
	number := func(command string) string {
		t.Helper()
		return strings.Fields(r.do("%s", command).text)[0]
	}
	stat := "stat " + m.Dir + "/a"
	r.want(0, "", "open %s/a", m.Dir)
	before := number(stat)
	id := add(t, m, Rule{Inodes: InodesOnce})
	once := number(stat)
	if once == before || number(stat) != once || number("fstat") != once {
		t.Errorf("once: was %s, is %s, then %s, open %s", before, once, number(stat), number("fstat"))
	}
	must(t, m.Remove(id))
	add(t, m, Rule{Inodes: InodesByLookup})
	if a, b := number(stat), number(stat); a == b || a == before {
		t.Errorf("by lookup: was %s, is %s, then %s", before, a, b)
	}
	r.want(0, "", "open %s/a", m.Dir)
	if a, b := number("fstat"), number("fstat"); a != b || a == number(stat) {
		t.Errorf("of an open file: got %s and %s, want one of its own", a, b)
	}
	r.want(0, `"0123"`, "pread 0 4")
}

// With a cache the kernel does not ask again.
func TestFaultCache(t *testing.T) {
	t.Parallel()
	m, _ := start(t, time.Minute)
	r := newReader(t)
	r.want(0, "", "open %s/a", m.Dir)
	for range 3 {
		r.want(0, `"0123"`, "pread 0 4")
		r.do("stat %s/a", m.Dir)
	}
	s := state(t, m)
	if reads, lookups := s.Sum("a", Read), s.Sum("a", Lookup); reads != 1 || lookups != 1 {
		t.Errorf("got %d reads and %d lookups, want 1 of each", reads, lookups)
	}
}

// A thousand readers that hang are no thousand threads.
func TestFaultManyHang(t *testing.T) {
	t.Parallel()
	m, _ := start(t, 0)
	add(t, m, Rule{Path: "a", Ops: []Op{Read}, Hang: true})
	const readers = 100
	var cmds []*exec.Cmd
	for range readers {
		cmd := exec.Command("head", "-c", "1", m.Dir+"/a")
		must(t, cmd.Start())
		cmds = append(cmds, cmd)
	}
	wantHung(t, m, readers)
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", m.Pid()))
	must(t, err)
	if len(tasks) > 60 {
		t.Errorf("the file system has %d threads for %d hung reads", len(tasks), readers)
	}
	must(t, m.Clear())
	for _, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
}

func TestFaultRuleErrors(t *testing.T) {
	t.Parallel()
	m, _ := start(t, 0)
	for _, r := range []Rule{
		{}, {Path: "["}, {Path: "[", Hang: true}, {Ops: []Op{"write"}, Hang: true}, {Inodes: "odd"}, {Flip: true},
	} {
		if id, err := m.Add(r); err == nil {
			t.Errorf("%+v: got rule %d, want an error", r, id)
		}
	}
	if _, err := Start([]string{"/proc/self/exe"}, "/", "/nowhere", 0); err == nil || !strings.Contains(err.Error(), "/nowhere") {
		t.Errorf("starting at a mountpoint that does not exist: got error %v", err)
	}
}
