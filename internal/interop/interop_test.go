package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"vzip/internal/require"
)

// The programs that every test machine has read all light archives of a real
// mount; the whole table is for make interop.
func TestReaders(t *testing.T) {
	require.Needs(t, "fuse", "root", "unzip", "zipinfo", "funzip", "zip", "7z", "bsdtar", "bsdcpio", "python3", "go")
	dir := t.TempDir()
	vzip := filepath.Join(dir, "vzip")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", vzip, "../../cmd/vzip").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var out strings.Builder
	err := run(t.Context(), options{
		vzip: vzip, adapters: "adapters", out: dir, light: true, jobs: 2, report: filepath.Join(dir, "report.md"),
		readers: regexp.MustCompile(`^(unzip|unzip -t|zipinfo|funzip|zip -T|7z .|bsdtar|bsdtar from a pipe|bsdcpio.*|Python zipfile)$`),
		cases:   regexp.MustCompile(`^(plain|links|unicode|names|escape|times|owners|deflated|auto|long|comment|empty)$`),
	}, &out, io.Discard)
	if err != nil || strings.Contains(out.String(), "FAIL") {
		t.Errorf("%v\n%s", err, out.String())
	}
	if !strings.Contains(out.String(), "11 readers, 12 archives: ") {
		t.Errorf("got %s", out.String())
	}
	report, err := os.ReadFile(filepath.Join(dir, "report.md"))
	if err != nil || !strings.Contains(string(report), "| unzip | unzip | dmlto | ✓ |") || strings.Contains(string(report), "vzip-interop-") {
		t.Errorf("the report is %v %s", err, report)
	}
}

// A reader that is wrong about anything that it tells is found out.
func TestCompare(t *testing.T) {
	t.Parallel()
	const all = size | crc | content | modes | links | mtime | owners
	const told = all | dosTime
	tree := func() []entry {
		return []entry{
			{name: "d/", kind: 'd', mode: 0o755, mtime: 5, told: told},
			{name: "d/f", kind: 'f', size: 3, crc: 7, sha: "abc", mode: 0o644, mtime: 1001, uid: 1, gid: 2, told: told},
			{name: "l", kind: 'l', size: 1, crc: 8, sha: "t", mode: 0o777, mtime: 1002, told: told},
		}
	}
	for _, test := range []struct {
		name   string
		tells  fields
		change func(e []entry) []entry
		want   string // kind of difference
	}{
		{"nothing", all, func(e []entry) []entry { return e }, ""},
		{"order", all, func(e []entry) []entry { return []entry{e[1], e[0], e[2]} }, "order"},
		{"order does not count", all | unsorted, func(e []entry) []entry { return []entry{e[2], e[0], e[1]} }, ""},
		{"twice", all, func(e []entry) []entry { e[2] = e[1]; return e }, "order|names"},
		{"missing", all, func(e []entry) []entry { return e[1:] }, "entries"},
		{"more", all, func(e []entry) []entry { return append(e, e[2]) }, "entries"},
		{"no directories", all | noDirs, func(e []entry) []entry { return e[1:] }, ""},
		{"name", all, func(e []entry) []entry { e[1].name = "d/g"; return e }, "names"},
		{"type", all, func(e []entry) []entry { e[1].kind = 'l'; return e }, "types"},
		{"size", all, func(e []entry) []entry { e[1].size++; return e }, "sizes"},
		{"CRC", all, func(e []entry) []entry { e[1].crc++; return e }, "CRCs"},
		{"content", all, func(e []entry) []entry { e[1].sha = "abd"; return e }, "content"},
		{"content not read", all, func(e []entry) []entry { e[1].sha, e[1].told = "", all&^content; return e }, "reader"},
		{"target", all, func(e []entry) []entry { e[2].sha = "u"; return e }, "links"},
		{"a link as a file", all, func(e []entry) []entry { e[2].kind = 'f'; return e }, "types"},
		{"a link as a file, by one who knows none", all &^ links, func(e []entry) []entry { e[2].kind = 'f'; return e }, ""},
		{"mode", all, func(e []entry) []entry { e[1].mode = 0o600; return e }, "modes"},
		{"mode of a directory", all, func(e []entry) []entry { e[0].mode = 0o700; return e }, "modes"},
		{"mode of a directory, not told", all | fewDirs, func(e []entry) []entry { e[0].mode = 0o700; return e }, ""},
		{"mode of a link", all, func(e []entry) []entry { e[2].mode = 0; return e }, ""},
		{"time", all, func(e []entry) []entry { e[1].mtime++; return e }, "times"},
		{"rounded time", all, func(e []entry) []entry { e[1].mtime = 315532800; return e }, "times"},
		{"rounded time, by one who knows no other", all&^mtime | dosTime, func(e []entry) []entry {
			e[0].mtime, e[1].mtime, e[2].mtime = 315532800, 315532800, 315532800
			return e
		}, ""},
		{"time of a link, not told", all | noLinkTimes, func(e []entry) []entry { e[2].mtime = 9; return e }, ""},
		{"user", all, func(e []entry) []entry { e[1].uid = 0; return e }, "owners"},
		{"group", all, func(e []entry) []entry { e[1].gid = 0; return e }, "owners"},
	} {
		got := ""
		for _, d := range compare(&reader{tells: test.tells}, test.change(tree()), tree(), false) {
			got = strings.TrimPrefix(got+"|"+d.kind, "|")
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// Times that an extended timestamp can't tell may be rounded to what MS-DOS fields
// hold, and no others.
func TestTimes(t *testing.T) {
	t.Parallel()
	for unix, want := range map[int64]int64{-1: 315532800, 1 << 31: 1 << 31, 1<<31 + 1: 1 << 31, 4354819199: 4354819198, 7258118400: 4354819198} {
		if got := times(mtime, unix); len(got) != 2 || got[0] != unix || got[1] != want {
			t.Errorf("%d: got %d, want it or %d", unix, got, want)
		}
	}
	if got := times(mtime, 1<<31-1); len(got) != 1 {
		t.Errorf("got %d", got)
	}
}

func TestParseLine(t *testing.T) {
	t.Parallel()
	e, err := parseLine("name=612f type=d mode=40755 mtime=-1 uid=4294967294 gid=3\n")
	want := entry{name: "a/", kind: 'd', mode: 0o755, mtime: -1, uid: 4294967294, gid: 3, told: modes | mtime | dosTime | owners}
	if err != nil || e != want {
		t.Errorf("got %+v, %v; want %+v", e, err, want)
	}
	for _, line := range []string{"", "type=f", "name=61", "name=6 type=f", "name=61 type=x", "name=61 type=f size=x", "name=61 type=f crc=123456789", "name=61 type=f colour=red", "Exception: type=f"} {
		if e, err := parseLine(line); err == nil {
			t.Errorf("%q: got %+v, want an error", line, e)
		}
	}
}

// Every limit is one of a reader and an archive that there are.
func TestLimits(t *testing.T) {
	t.Parallel()
	for _, l := range limits {
		found := false
		for _, r := range allReaders {
			for _, c := range testCases {
				found = found || matches(l.reader, r.name) && matches(l.archive, c.name)
			}
		}
		if !found || l.reason == "" || l.kinds == "" {
			t.Errorf("%+v is nobody's", l)
		}
	}
	names := map[string]bool{}
	for _, r := range allReaders {
		if names[r.name] || r.from == "" || r.tells == 0 {
			t.Errorf("reader %+v: its name is another's, or something is missing", r)
		}
		names[r.name] = true
	}
	if len(names) < 60 {
		t.Errorf("got %d readers", len(names))
	}
}

// A run that goes on repeats what failed or was not read, and nothing else.
func TestResume(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "readings")
	runs := map[string]int{}
	broken := true
	make := func(names ...string) *table {
		var readers []*reader
		for _, name := range names {
			readers = append(readers, &reader{name: name, tells: lastOnly, read: func(context.Context, *workplace, string) ([]entry, error) {
				runs[name]++
				if name == "broken" && broken {
					return nil, errors.New("no")
				}
				return nil, nil
			}})
		}
		return newTable(&workplace{dir: t.TempDir(), vzip: os.Args[0]}, readers, []*prepared{{testCase: testCase{name: "plain"}}}, "mnt")
	}
	fill := func(names ...string) *table {
		tab := make(names...)
		if err := tab.load(file); err != nil {
			t.Fatal(err)
		}
		tab.fill(t.Context(), 1, io.Discard)
		if err := tab.save(file); err != nil {
			t.Fatal(err)
		}
		return tab
	}
	if n := fill("good", "broken").count(failed); n != 1 {
		t.Errorf("got %d failed, want 1", n)
	}
	fill("another")
	broken = false
	if n := fill("good", "broken", "another").count(passed); n != 3 {
		t.Errorf("got %d passed, want 3", n)
	}
	if runs["good"] != 1 || runs["another"] != 1 || runs["broken"] != 2 {
		t.Errorf("got %v runs", runs)
	}
}

// Only what a known limit explains, and what happens with another program's archive
// too, is a limit.
func TestEvidence(t *testing.T) {
	require.Needs(t, "zip", "7z", "python3")
	dir := t.TempDir()
	nodes := []node{text("a", "data\n")}
	stored := filepath.Join(dir, "stored")
	if err := errors.Join(os.Mkdir(stored, 0o755), makeTree(stored, nodes, true)); err != nil {
		t.Fatal(err)
	}
	want, err := wanted(stored, nodes)
	if err != nil {
		t.Fatal(err)
	}
	// The known limit of bsdtar is with names in the case unicode.
	read := func(ours, others []entry, fails error) outcome {
		r := &reader{name: "bsdtar", tells: size | content, read: func(_ context.Context, _ *workplace, archive string) ([]entry, error) {
			if strings.Contains(archive, "/peer/") {
				return others, fails
			}
			return ours, fails
		}}
		tab := newTable(&workplace{dir: dir, extracts: dir}, []*reader{r}, []*prepared{{testCase: testCase{name: "unicode"}, stored: stored, want: want}}, "mnt")
		tab.fill(t.Context(), 1, io.Discard)
		return tab.cells[0][0].outcome
	}
	good := want[0]
	good.told = size | content
	named, torn := good, good
	named.name, torn.sha = "A", "torn"
	both := named
	both.sha = "torn"
	for _, test := range []struct {
		name         string
		ours, others entry
		fails        error
		want         outcome
	}{
		{"right", good, named, nil, passed},
		{"the limit, and others'", named, named, nil, limited},
		{"the limit, ours alone", named, good, nil, failed},
		{"the limit, others otherwise", named, torn, nil, failed},
		{"something else", torn, torn, nil, failed},
		{"something else besides", both, both, nil, failed},
		{"an error", good, good, errors.New("no"), failed},
		{"not installed", good, good, &difference{notInstalled, "no"}, failed},
	} {
		if got := read([]entry{test.ours}, []entry{test.others}, test.fails); got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
	// Evidence that was cut off is none.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	tab := newTable(&workplace{dir: dir, extracts: dir}, []*reader{{name: "bsdtar", read: func(context.Context, *workplace, string) ([]entry, error) { return nil, ctx.Err() }}},
		[]*prepared{{testCase: testCase{name: "unicode"}, stored: stored, want: want}}, "mnt")
	if c := tab.read(ctx, tab.readers[0], tab.cases[0]); c.done || c.outcome == limited {
		t.Errorf("got %+v of a run that was cancelled", c)
	}
}
