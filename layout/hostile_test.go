package layout

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/require"
)

const manyValues = "the layout file has more than 200,000 keys, list items and comments: split it"

// fill repeats a text up to the largest file that is read.
func fill(before, text string) string {
	return before + strings.Repeat(text, (maxFileLen-len(before))/len(text))
}

// hostile are layout files that mean to take time and memory. Nothing that is said
// of them takes more than a line.
var hostile = []struct {
	name string
	text func() string // made when it is needed: the memory of one counts
	want string
}{
	{"100 MB", func() string { return strings.Repeat("# comment\n", 10_000_000) }, "the layout file has more than 4 MiB: split it"},
	{"flow lists", func() string { return fill("a: [", "[],") }, manyValues},
	{"flow mappings", func() string { return fill("a: [", "{},") }, manyValues},
	{"flow items", func() string { return fill("a: [", "a,") }, manyValues},
	{"flow keys", func() string { return fill("{", "a: b,") }, manyValues},
	{"items", func() string { return fill("", "- a\n") }, manyValues},
	{"empty items", func() string { return fill("", "-\n") }, manyValues},
	{"nested items", func() string { return fill("", "- - - -\n") }, manyValues},
	{"keys", func() string { return fill("", "a: b\n") }, manyValues},
	{"empty keys", func() string { return fill("", "?\n") }, manyValues},
	{"comments", func() string { return fill("", "#\n") }, manyValues},
	{"tag directives", func() string {
		var b strings.Builder
		for i := 0; b.Len() < 1<<20; i++ {
			fmt.Fprintf(&b, "%%TAG !%d! a:\n", i)
		}
		return b.String()
	}, manyValues},
	{"items, as many as may be", func() string { return "a: [" + strings.Repeat("a,", maxValues-2) + "]" }, "1:1: unknown key"},
	{"tagged items", func() string { return "a: [" + strings.Repeat("!!str a,", maxValues-2) + "]" }, "1:1: unknown key"},
	{"anchors", func() string { return "a: [" + strings.Repeat("&a a,", maxValues-2) + "]" }, "1:1: unknown key"},
	{"keys, as many as may be", func() string { return strings.Repeat("a: b\n", maxValues) }, "1:1: unknown key"},
	{"empty keys, as many as may be", func() string { return strings.Repeat("?\n", maxValues) }, `1:2: unknown key ""`},
	{"items behind deep lists", func() string {
		return strings.Repeat("[", 9_000) + strings.Repeat("a,", 190_000) + strings.Repeat("]", 9000)
	}, "1:1: the layout must be a mapping"},
	{"comments, as many as may be", func() string { return strings.Repeat("- a #b\n", maxValues/2) }, "1:1: the layout must be a mapping"},
	{"deep lists", func() string { return fill("", "[") }, manyValues},
	{"deep lists that fit", func() string { return strings.Repeat("[", 190_000) }, "1:1: this is not YAML: exceeded max depth of 10000"},
	{"deep indentation", func() string {
		var b strings.Builder
		for i := 0; b.Len() < maxFileLen-4000; i++ {
			b.WriteString(strings.Repeat(" ", i) + "a:\n")
		}
		return b.String()
	}, "1:1: unknown key"},
	{"documents", func() string { return fill("", "---\n") }, "1:1: the file is empty"},
	{"documents of a key", func() string { return fill("", "--- a\n") }, "2:1: a second document starts here"},
	{"long comment", func() string { return fill("#", "a") }, "1:1: the file is empty"},
	{"long scalar", func() string { return fill("a: ", "a") }, `1:1: unknown key "a"`},
	{"long key", func() string { return fill("", "a")[1:] + ":" }, "1:1: this is not YAML"},
	{"words", func() string { return fill("a: ", "a ") }, `1:1: unknown key "a"`},
	{"lines in quotes", func() string { return fill(`a: "`, "a\n") }, "this is not YAML"},
	{"lines of a scalar", func() string { return fill("a:\n", " a\n") }, `1:1: unknown key "a"`},
	{"literal", func() string { return fill("a: |\n", " a\n") }, `1:1: unknown key "a"`},
	{"line ends", func() string { return fill("", "\n") }, "1:1: the file is empty"},
	{"blanks", func() string { return fill("", " ") }, "1:1: the file is empty"},
	{"line ends of Unicode", func() string { return fill("", "-\u2028") }, manyValues},
	{"NUL bytes", func() string { return fill("", "\x00") }, "1:1: this is not YAML: control characters are not allowed"},
	{"not UTF-8", func() string { return fill("", "\xff") }, "1:1: the file is not UTF-8 here"},
	{"values of aliases", func() string {
		return one("", "&s {source: nothing, exclude: ["+strings.Repeat("a,", 3000)+"]}"+strings.Repeat("\n      - *s", 3000))
	}, "the file's aliases stand for too many values"},
	{"aliases of aliases", func() string {
		var b strings.Builder
		b.WriteString("a: &a [x,x,x,x,x,x,x,x,x]\n")
		for c := byte('b'); c <= 'i'; c++ {
			fmt.Fprintf(&b, "%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat("*"+string(c-1)+",", 9), ","))
		}
		return b.String() + "version: 1\narchives: *i\n"
	}, `1:1: unknown key "a"`},
	{"alias to what it is in", func() string { return "version: 1\narchives: &a [*a]\n" }, "2:11: an archive must be a mapping"},
}

// However hostile a layout file is, it is refused within a second of CPU time and
// 256 MiB of memory, with a line.
func TestHostileFiles(t *testing.T) {
	t.Parallel()
	if file := os.Getenv(childVar + "_LOAD"); file != "" {
		loadInChild(file)
		return
	}
	dir := t.TempDir()
	program := "/proc/self/exe"
	if require.RaceDetector {
		program = withoutRaceDetector(t, dir)
	}
	for _, tt := range hostile {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(dir, "layout.yaml")
			must(t, os.WriteFile(file, []byte(tt.text()), 0o644))
			cpu, memory, says := costs(t, program, file)
			for range 2 { // a busy machine makes programs take more
				if cpu > time.Second {
					cpu, memory, says = costs(t, program, file)
				}
			}
			t.Logf("%4d ms, %3d MiB", cpu.Milliseconds(), memory>>20)
			first, _, _ := strings.Cut(says, "\n")
			if !strings.Contains(first, tt.want) || len(first) > 2000 {
				t.Errorf("got %.500q, want %q", first, tt.want)
			}
			if cpu > time.Second || memory > 256<<20 {
				t.Errorf("takes %v of CPU time and %d MiB, should take at most 1 s and 256 MiB", cpu, memory>>20)
			}
		})
	}
}

// withoutRaceDetector builds these tests again: with it the parser takes ten times as
// long.
func withoutRaceDetector(t *testing.T, dir string) string {
	t.Helper()
	require.Needs(t, "go")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "go", "test", "-c", "-o", dir+"/layout.test", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir + "/layout.test"
}

// costs loads a layout file in a process of its own, and returns the CPU time and
// memory (bytes) it took, and what was said.
func costs(t *testing.T, program, file string) (cpu time.Duration, memory int64, says string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "-test.run=^TestHostileFiles$")
	cmd.Env = append(os.Environ(), childVar+"_LOAD="+file)
	out, err := cmd.Output()
	before, after, found := bytes.Cut(out, []byte("\nKILOBYTES "))
	if err == nil && found {
		_, err = fmt.Sscan(string(after), &memory)
	}
	if err != nil || !found {
		t.Fatalf("%v\n%.2000s", err, out)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), memory << 10, string(before)
}

// loadInChild is the child. Its own high-water mark is told: ru_maxrss has that of
// the process it was forked from.
func loadInChild(file string) {
	_, err := Load(file, env())
	status, _ := os.ReadFile("/proc/self/status")
	_, hwm, _ := bytes.Cut(status, []byte("VmHWM:"))
	line, _, _ := bytes.Cut(hwm, []byte("kB"))
	fmt.Printf("%v\nKILOBYTES %s\n", err, bytes.TrimSpace(line))
}

// What is no regular file is read to its end or refused, and never waited for
// without end.
func TestOddFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir, "src/a", "fifo |", "folder/")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(fd)
	must(t, unix.Bind(fd, &unix.SockaddrUnix{Name: dir + "/socket"}))
	for _, tt := range []struct{ file, want string }{
		{"/dev/zero", "/dev/zero: the layout file has more than 4 MiB: split it"},
		{"/dev/null", "/dev/null:1:1: the file is empty: write \"version: 1\" and a list of archives"},
		{dir + "/fifo", dir + "/fifo:1:1: the file is empty: write \"version: 1\" and a list of archives"},
		{dir + "/folder", dir + "/folder: the layout file can't be read: is a directory: check the path and its permissions"},
		{dir + "/socket", dir + "/socket: the layout file can't be read: no such device or address: check the path and its permissions"},
	} {
		within(t, 10*time.Second, func() {
			if _, err := Load(tt.file, env()); err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// A pipe's text comes when its writer has it.
func TestPipes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir, "src/a", "fifo |")
	text := one("", "source: "+dir+"/src")
	wantLayout := func(file string) {
		t.Helper()
		within(t, 20*time.Second, func() {
			l, err := Load(file, env())
			if err != nil || len(l.Archives) != 1 {
				t.Errorf("%s: got %v, want an archive", file, err)
			}
		})
	}
	slow := func(open func() (*os.File, error)) {
		w, err := open()
		if err != nil {
			t.Error(err)
			return
		}
		for _, part := range []string{text[:10], text[10:]} {
			time.Sleep(2 * fifoGrace / 3) // in sum longer than nobody is waited for
			_, err = w.WriteString(part)
		}
		if err := errors.Join(err, w.Close()); err != nil {
			t.Error(err)
		}
	}
	r, w, err := os.Pipe()
	must(t, err)
	defer r.Close()
	go slow(func() (*os.File, error) { return w, nil })
	wantLayout(fmt.Sprintf("/dev/fd/%d", r.Fd()))
	go slow(func() (*os.File, error) { return os.OpenFile(dir+"/fifo", os.O_WRONLY, 0) })
	wantLayout(dir + "/fifo")
}
