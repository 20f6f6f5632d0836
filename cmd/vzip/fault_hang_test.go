package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/faultfs"
	"vzip/internal/figure"
	"vzip/internal/require"
	"vzip/vfs"
)

// hungFiles are the sources of an archive that will hang, of another one on the
// same file system that won't, and of one elsewhere.
var hungFiles = map[string]int{"hung/file": 9 << 20, "hung/sub/file": 100, "near/file": 2 << 20, "good/file": 4 << 20}

// hungReads makes every read of the archive "hung" hang.
var hungReads = faultfs.Rule{Path: "hung/**", Ops: []faultfs.Op{faultfs.Read}, Hang: true}

const hungReaders = 1000

// mountHung mounts hung.zip, near.zip and good.zip.
func mountHung(t *testing.T, flags ...string) (f *faulty, d *served) {
	t.Helper()
	f = newFaulty(t, hungFiles)
	return f, f.mount(f.layout(f.bad, "good"), slices.Concat([]string{"--source-timeout", sourceTimeout.String()}, flags)...)
}

// A thousand readers of a source that hangs get errors in time, and keep nobody
// else waiting.
func TestFaultHungSource(t *testing.T) {
	require.Needs(t, "df", "ls")
	f, d := mountHung(t)
	hung, good := f.oracle("hung.zip"), f.oracle("good.zip")

	before := d.read("good.zip", good, readers{Threads: 4, Length: 4096, Buffered: true})
	time.Sleep(time.Second)
	quiet := timesOf(t, "before", before.outcomes())
	threadsBefore := d.threads()

	f.add(hungReads)
	stuck := d.read("hung.zip", hung, readers{Threads: hungReaders, Reads: 1, Length: 4096, Buffered: true})
	begin := time.Now()
	others := d.read("good.zip", good, readers{Threads: 4, Length: 4096, Buffered: true})
	var df, ls []time.Duration
	most := 0
	for time.Since(begin) < sourceTimeout-500*time.Millisecond {
		most = max(most, d.threads())
		df = append(df, timeOf(t, "df", d.mnt))
		ls = append(ls, timeOf(t, "ls", "-l", d.mnt))
		time.Sleep(50 * time.Millisecond)
	}
	late := sourceTimeout + slack
	var took []time.Duration
	for _, o := range stuck.outcomes() {
		took = append(took, o.Took)
		// Who comes later need not wait as long as the first one.
		if o.Errno != unix.EIO || o.At+o.Took < sourceTimeout || o.Took > late {
			t.Errorf("a hung read, %v after the first one, gave error %v after %v, want %v not before %v, and %v at most", o.At, o.Errno, o.Took, unix.EIO, sourceTimeout, late)
			break
		}
	}
	most = max(most, d.threads())
	during := timesOf(t, "good source", others.outcomes())
	if during.p99 > time.Second {
		t.Errorf("reads of the good source: %v, want p99 of less than 1s", during)
	}
	if most >= 200 {
		t.Errorf("the daemon has %d threads, want less than 200", most)
	}
	for name, s := range map[string]times{"df": timesOfAll(df), "ls -l": timesOfAll(ls)} {
		if s.p50 > 100*time.Millisecond {
			t.Errorf("%s: %v, want less than 100ms", name, s)
		}
	}
	if lines := d.lines("hung.zip", "hung/file"); len(lines) == 0 || len(lines) > 20 {
		t.Errorf("%d messages name the source that hangs, want a few: %s", len(lines), d.text())
	}

	f.clear()
	back := d.wantSoon("hung.zip", hung, 1<<20, 4096, slack)
	d.wantAll("hung.zip", hung)
	d.wantAll("good.zip", good)
	figure.Print(t, "hung source: %d readers got EIO after %v (--source-timeout %v); good source meanwhile %v (quiet: %v); daemon's threads %d (before: %d); df %v; ls -l %v; reads again %v after the release",
		hungReaders, timesOfAll(took), sourceTimeout, during, quiet, most, threadsBefore, timesOfAll(df), timesOfAll(ls), round(back))
}

// timeOf runs a program and returns how long it took.
func timeOf(t *testing.T, name string, args ...string) time.Duration {
	t.Helper()
	begin := time.Now()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Errorf("%s: %v: %s", name, err, out)
	}
	return time.Since(begin)
}

// Readers that are killed while they hang are gone at once, and leave their place
// to others, of the same file system, too.
func TestFaultHungReadersKilled(t *testing.T) {
	t.Parallel()
	f, d := mountHung(t, "--source-timeout", "30s") // nobody ends by that
	hung, near := f.oracle("hung.zip"), f.oracle("near.zip")
	f.add(hungReads)
	var gone []time.Duration
	const each = 300
	rounds := figure.N(3, 30)
	for range rounds {
		c := d.read("hung.zip", hung, readers{Threads: each, Reads: 1, Length: 4096, Buffered: true})
		time.Sleep(500 * time.Millisecond)
		begin := time.Now()
		must(t, c.cmd.Process.Kill())
		select {
		case <-c.done:
			gone = append(gone, time.Since(begin))
		case <-time.After(patience):
			t.Fatal("killed readers do not end")
		}
	}
	if s := timesOfAll(gone); s.most > sourceTimeout {
		t.Errorf("killed readers took %v to end, want less than %v", s, sourceTimeout)
	}
	free := d.wantSoon("near.zip", near, 1<<20, 4096, slack)
	if n := d.threads(); n >= 200 {
		t.Errorf("the daemon has %d threads, want less than 200", n)
	}
	f.clear()
	back := d.wantSoon("hung.zip", hung, 1<<20, 4096, slack)
	figure.Print(t, "killed readers: %d times %d that hung were gone after %v; another archive of the same file system could be read after %v, theirs %v after the release",
		rounds, each, timesOfAll(gone), round(free), round(back))
}

// Opens, lookups and getattrs hang as reads do.
func TestFaultHungRequests(t *testing.T) {
	t.Parallel()
	for _, op := range []faultfs.Op{faultfs.Open, faultfs.Lookup, faultfs.Getattr} {
		t.Run(string(op), func(t *testing.T) {
			t.Parallel()
			f, d := mountHung(t)
			hung, good := f.oracle("hung.zip"), f.oracle("good.zip")
			id := f.add(faultfs.Rule{Path: "hung{,/**}", Ops: []faultfs.Op{op}, Hang: true})
			begin := time.Now()
			err := d.check("hung.zip", hung, 1<<20, 4096)
			took := time.Since(begin)
			if f.state().Hits[id] > 0 { // the file may be open already
				wantErrno(t, "read", err, unix.EIO)
			} else if err != nil {
				t.Errorf("a read that asked for nothing failed: %v", err)
			}
			if took > sourceTimeout+slack {
				t.Errorf("the read ended after %v, want %v at most", took, sourceTimeout+slack)
			}
			d.wantAll("good.zip", good)
			f.clear()
			d.wantSoon("hung.zip", hung, 1<<20, 4096, slack)
		})
	}
}

// SIGTERM ends a daemon whose source hangs, within the time for draining.
func TestFaultHungTerm(t *testing.T) {
	t.Parallel()
	const drain = 2 * time.Second
	for _, deaf := range []bool{false, true} {
		t.Run(fmt.Sprintf("deaf=%v", deaf), func(t *testing.T) {
			t.Parallel()
			f, d := mountHung(t, "--drain", drain.String(), "--source-timeout", "1m")
			hung := f.oracle("hung.zip")
			rule := hungReads
			rule.Deaf = deaf
			f.add(rule)
			c := d.read("hung.zip", hung, readers{Threads: 100, Reads: 1, Length: 4096})
			time.Sleep(300 * time.Millisecond)
			begin := time.Now()
			must(t, d.cmd.Process.Signal(syscall.SIGTERM))
			for mounted := true; mounted; time.Sleep(5 * time.Millisecond) {
				var err error
				mounted, err = vfs.IsMounted(d.mnt)
				must(t, err)
				if time.Since(begin) > time.Second {
					t.Fatalf("still mounted a second after SIGTERM: %s", d.text())
				}
			}
			hidden := time.Since(begin)
			for _, o := range c.outcomes() {
				if o.Errno == 0 {
					t.Error("a hung read gave bytes")
					break
				}
			}
			cut := time.Since(begin)
			if cut > drain+slack {
				t.Errorf("readers were cut off after %v, want %v at most", cut, drain+slack)
			}
			// A process whose threads wait for a deaf file system can't end before that answers.
			if deaf {
				f.clear()
			}
			if !d.ended(drain + slack) {
				t.Fatalf("it goes on %v after SIGTERM", time.Since(begin))
			}
			// The last thread of a killed process may be long in ending; its code is that of a failure.
			if code := d.cmd.ProcessState.ExitCode(); code != exitFailure {
				t.Errorf("got exit code %d, want %d: %s", code, exitFailure, d.text())
			}
			figure.Print(t, "SIGTERM with 100 hung readers (--drain %v, deaf source: %v): out of sight after %v, readers cut off after %v, ended after %v", drain, deaf, round(hidden), round(cut), round(time.Since(begin)))
		})
	}
}

// A source that hangs while its CRC-32 is worked out ends the mount in time, with
// its name.
func TestFaultHungHash(t *testing.T) {
	t.Parallel()
	for _, op := range []faultfs.Op{faultfs.Read, faultfs.Open, faultfs.Lookup, faultfs.Getattr, faultfs.Opendir} {
		t.Run(string(op), func(t *testing.T) {
			t.Parallel()
			f := newFaulty(t, map[string]int{"hung/file": 1 << 20, "good/file": 1 << 20})
			name := f.bad + "/hung"
			rule := faultfs.Rule{Path: "hung/file", Ops: []faultfs.Op{op}, Hang: true}
			switch op {
			case faultfs.Opendir:
				rule.Path = "hung"
			case faultfs.Read, faultfs.Open:
				name += "/file" // what hangs earlier is the listing of its folder
			}
			f.add(rule)
			begin := time.Now()
			d := f.run(f.layout(f.bad, "good"), "--source-timeout", sourceTimeout.String())
			if !d.ended(sourceTimeout + 2*slack) {
				t.Fatalf("it goes on after %v", time.Since(begin))
			}
			took := time.Since(begin)
			if took < sourceTimeout-100*time.Millisecond || took > sourceTimeout+slack {
				t.Errorf("ended after %v, want between %v and %v", took, sourceTimeout, sourceTimeout+slack)
			}
			if code := d.cmd.ProcessState.ExitCode(); code != exitSource {
				t.Errorf("got exit code %d, want %d", code, exitSource)
			}
			if text := d.text(); !strings.Contains(text, name) {
				t.Errorf("got %q, want the name of %s", text, name)
			}
			figure.Print(t, "mounting with a source whose %s hangs (--source-timeout %v): exit code %d after %v", op, sourceTimeout, d.cmd.ProcessState.ExitCode(), round(took))
		})
	}
}

// Ctrl-C ends it at once.
func TestFaultHungHashInterrupted(t *testing.T) {
	t.Parallel()
	for _, op := range []faultfs.Op{faultfs.Read, faultfs.Open, faultfs.Lookup} {
		t.Run(string(op), func(t *testing.T) {
			t.Parallel()
			f := newFaulty(t, map[string]int{"hung/file": 1 << 20})
			f.add(faultfs.Rule{Path: "hung/file", Ops: []faultfs.Op{op}, Hang: true})
			d := f.run(f.layout(f.bad))
			for end := time.Now().Add(patience); f.state().Hung == 0; time.Sleep(10 * time.Millisecond) {
				if d.ended(0) || time.Now().After(end) {
					t.Fatalf("nothing hangs: %s", d.text())
				}
			}
			begin := time.Now()
			must(t, d.cmd.Process.Signal(syscall.SIGINT))
			if !d.ended(slack) {
				t.Fatal("it goes on after SIGINT")
			}
			if took := time.Since(begin); took > 2*time.Second {
				t.Errorf("ended %v after SIGINT, want at once", took)
			}
			if code := d.cmd.ProcessState.ExitCode(); code != exitFailure {
				t.Errorf("got exit code %d, want %d: %s", code, exitFailure, d.text())
			}
		})
	}
}

// One slow source of eight does not slow the others, which lie on the same file
// system.
func TestFaultSlowSource(t *testing.T) {
	sizes := map[string]int{}
	for i := range 8 {
		sizes[fmt.Sprintf("%d/file", i)] = 1 << 20
	}
	f := newFaulty(t, sizes)
	d := f.mount(f.layout(f.bad), "--source-timeout", "20s")
	var oracles [8][]byte
	for i := range oracles {
		oracles[i] = f.oracle(fmt.Sprintf("%d.zip", i))
	}
	others := func() (all []outcome) {
		var crowds []*crowd
		for i := 1; i < 8; i++ {
			crowds = append(crowds, d.read(fmt.Sprintf("%d.zip", i), oracles[i], readers{Threads: 1, Length: 4096}))
		}
		time.Sleep(2 * time.Second)
		for _, c := range crowds {
			all = append(all, c.outcomes()...)
		}
		return all
	}
	quiet := timesOf(t, "before", others())
	const delay = 500 * time.Millisecond
	f.add(faultfs.Rule{Path: "0/**", Ops: []faultfs.Op{faultfs.Read}, Delay: delay})
	slow := d.read("0.zip", oracles[0], readers{Threads: 16, Length: 4096})
	during := timesOf(t, "other sources", others())
	if during.p99 > delay/2 {
		t.Errorf("reads of other sources: %v, want p99 of less than %v", during, delay/2)
	}
	timesOf(t, "slow source", slow.outcomes())
	figure.Print(t, "slow source (%v a read, 16 readers): reads of 7 others %v (before: %v)", delay, during, quiet)
}

// Who looks for holes in a source that hangs is told of none, in time, and gets the error
// at the read that follows. Others go on.
func TestFaultHungSeek(t *testing.T) {
	t.Parallel()
	f := newFaulty(t, map[string]int{"hung/file": 1 << 20, "good/file": 1 << 20})
	for _, name := range []string{"hung", "good"} {
		must(t, os.Truncate(f.plain+"/"+name+"/file", 64<<20))
	}
	d := f.mount(f.layout(f.bad, "good"), "--source-timeout", sourceTimeout.String())
	seek := func(archive string, whence int) (at int64, took time.Duration, err error) {
		t.Helper()
		fd, err := unix.Open(d.mnt+"/"+archive, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		must(t, err)
		defer unix.Close(fd)
		begin := time.Now()
		at, err = unix.Seek(fd, 2<<20, whence)
		return at, time.Since(begin), err
	}
	data, _, err := seek("hung.zip", unix.SEEK_DATA)
	if err != nil || data < 64<<20 {
		t.Fatalf("got data at %d and error %v, want it behind a hole: %s", data, err, d.text())
	}
	id := f.add(faultfs.Rule{Path: "hung/**", Ops: []faultfs.Op{faultfs.Lseek, faultfs.Read}, Hang: true})
	for _, whence := range []int{unix.SEEK_HOLE, unix.SEEK_DATA} {
		want := int64(2 << 20)
		if whence == unix.SEEK_HOLE {
			want = d.size("hung.zip")
		}
		at, took, err := seek("hung.zip", whence)
		if err != nil || at != want || took > sourceTimeout+slack {
			t.Errorf("lseek of a source that hangs: got %d and error %v after %v, want %d within %v", at, err, took, want, sourceTimeout)
		}
		if at, took, err := seek("good.zip", whence); err != nil || took > sourceTimeout/2 {
			t.Errorf("lseek of another: got %d and error %v after %v", at, err, took)
		}
	}
	_, err = d.pread("hung.zip", 2<<20, 4096)
	wantErrno(t, "a read after that", err, unix.EIO)
	if f.state().Hits[id] == 0 {
		t.Error("nothing hung")
	}
	if took := timeOf(t, "ls", "-l", d.mnt); took > time.Second {
		t.Errorf("ls -l took %v", took)
	}
	d.wantLines(1, "hung.zip", `"file"`, "no answer within")
	f.clear()
	for end := time.Now().Add(slack); ; time.Sleep(50 * time.Millisecond) {
		at, _, err := seek("hung.zip", unix.SEEK_DATA)
		if err == nil && at == data {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("after the release: got %d and error %v, want %d", at, err, data)
		}
	}
}

// A source that hangs once, when holes are looked for, costs time alone. An error there
// would have GNU tar write an archive that it can't read, and exit 0.
func TestFaultHungSeekOnce(t *testing.T) {
	t.Parallel()
	require.Needs(t, "bsdtar")
	f := newFaulty(t, map[string]int{"a/a": 1 << 20, "a/b": 1 << 20})
	for _, name := range []string{"a", "b"} {
		must(t, os.Truncate(f.plain+"/a/"+name, 8<<20))
	}
	d := f.mount(f.layout(f.bad), "--source-timeout", "1s")
	must(t, os.WriteFile(f.dir+"/want", f.oracle("a.zip"), 0o644))
	for _, command := range []string{
		"cp $M/a.zip $O",
		"tar -C $M -Scf $O/a.tar a.zip && tar -C $O -xf $O/a.tar",
		"bsdtar -C $M -cf $O/a.tar a.zip && bsdtar -C $O -xf $O/a.tar",
	} {
		must(t, os.Mkdir(f.dir+"/out", 0o755))
		id := f.add(faultfs.Rule{Path: "a/b", Ops: []faultfs.Op{faultfs.Lseek}, Hang: true, Times: 1})
		cmd := exec.CommandContext(t.Context(), "sh", "-c", command+" && cmp $O/a.zip $O/../want")
		cmd.Env = append(os.Environ(), "M="+d.mnt, "O="+f.dir+"/out")
		if out, err := cmd.CombinedOutput(); err != nil || f.state().Hits[id] != 1 {
			t.Errorf("%s: error %v, the source hung %d times: %s", command, err, f.state().Hits[id], out)
		}
		f.clear()
		must(t, os.RemoveAll(f.dir+"/out"))
	}
}

// What a source's file system answers to lseek(2) is no error of the archive: it has no
// holes then.
func TestFaultSeekErrnos(t *testing.T) {
	t.Parallel()
	f := newFaulty(t, map[string]int{"a/file": 1 << 20})
	must(t, os.Truncate(f.plain+"/a/file", 4<<20))
	d := f.mount(f.layout(f.bad))
	d.hold("a.zip")
	a := f.oracle("a.zip")
	for _, errno := range []syscall.Errno{unix.EIO, unix.EINVAL, unix.ENXIO, unix.ESTALE, unix.EACCES, unix.ENOSYS /* the kernel never asks again */} {
		f.add(faultfs.Rule{Path: "a/file", Ops: []faultfs.Op{faultfs.Lseek}, Errno: errno})
		fd, err := unix.Open(d.mnt+"/a.zip", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		must(t, err)
		for _, off := range []int64{0, 2 << 20} {
			data, err := unix.Seek(fd, off, unix.SEEK_DATA)
			if err != nil || data < off || data > off && errno != unix.ENXIO { // which means that there is no data
				t.Errorf("%v: data from %d on: got %d and error %v", errno, off, data, err)
			}
		}
		must(t, unix.Close(fd))
		d.wantAll("a.zip", a)
		f.clear()
	}
}
