package layout

import (
	"testing"
	"time"

	"vzip/zipgen"
)

func TestMerge(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir, "one/a", "one/sub/x", "one/link -> a", "two/b", "two/sub/y", "two/sub/sub/z", "three/sub/x0", "three/empty/", "file", "to-a -> one/a")
	for _, tt := range []struct {
		name    string
		entries []string
		want    []string
	}{
		{"side by side", []string{"{source: one, as: .}", "{source: two, as: .}", "{source: three, as: .}"}, []string{
			"a = one/a", "b = two/b", "empty/", "link -> a",
			"sub/", "sub/sub/", "sub/sub/z = two/sub/sub/z", "sub/x = one/sub/x", "sub/x0 = three/sub/x0", "sub/y = two/sub/y"}},
		{"one inside another", []string{"{source: one}", "{source: two, as: one/sub}", "{source: file, as: one/sub/sub/file}"}, []string{
			"one/", "one/a = one/a", "one/link -> a", "one/sub/", "one/sub/b = two/b",
			"one/sub/sub/", "one/sub/sub/file = file", "one/sub/sub/sub/", "one/sub/sub/sub/z = two/sub/sub/z", "one/sub/sub/y = two/sub/y", "one/sub/x = one/sub/x"}},
		{"one source twice", []string{"{source: one, as: .}", "{source: one, as: .}", "{source: one, as: .}"}, []string{
			"a = one/a", "link -> a", "sub/", "sub/x = one/sub/x"}},
		{"a part of a source again", []string{"{source: one/sub, as: sub}", "{source: one, as: .}", "{source: one/sub/x, as: sub/x}"}, []string{
			"a = one/a", "link -> a", "sub/", "sub/x = one/sub/x"}},
		{"over a link that leads there", []string{"{source: one/a}", "{source: to-a, as: a}"}, []string{"a = one/a"}},
		{"two names for one file", []string{"{source: file, as: b}", "{source: file, as: a/file}", "{source: file}"}, []string{
			"a/", "a/file = file", "b = file", "file = file"}},
		{"files around a folder", []string{"{source: file, as: a.b}", "{source: file, as: a-b}", "{source: file, as: a/b}", "{source: file, as: a0}"}, []string{
			"a-b = file", "a.b = file", "a/", "a/b = file", "a0 = file"}},
		{"what would collide is excluded", []string{"{source: one, as: ., exclude: [sub]}", "{source: file, as: sub}"}, []string{
			"a = one/a", "link -> a", "sub = file"}},
		{"an empty folder and nothing", []string{"{source: three/empty, as: x}", "{source: one, as: x, include: [nothing]}"}, []string{"x/"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := shown(t, dir, one("", tt.entries...))
			wantLines(t, got, tt.want)
		})
	}
}

// Of folders that become one, the first source's mode and time count. A folder
// that is there only for what "as" puts below it counts last, and is as new as
// the newest that needs it.
func TestMergedFolders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir, "one/", "two/", "old", "new", "top/d/e/")
	touch(t, dir, []stamped{
		{"one", 0o700, time.Unix(1000, 0)}, {"two", 0o711, time.Unix(2000, 0)}, {"top/d", 0o722, time.Unix(2500, 0)},
		{"old", 0o600, time.Unix(3000, 0)}, {"new", 0o600, time.Unix(4000, 0)},
	})
	const (
		first, second = "{source: one, as: d}", "{source: two, as: d}"
		older, newer  = "{source: old, as: d/old}", "{source: new, as: d/new}"
		deep, above   = "{source: one, as: d/e}", "{source: top, as: .}"
	)
	for _, tt := range []struct {
		entries []string
		mode    uint32
		modTime int64
	}{
		{[]string{first, second}, 0o700, 1000},
		{[]string{second, first}, 0o711, 2000},
		{[]string{older, first, second}, 0o700, 1000},
		{[]string{first, older, second}, 0o700, 1000},
		{[]string{older, second, newer, first}, 0o711, 2000},
		{[]string{newer, second, older}, 0o711, 2000},
		{[]string{older, newer}, 0o755, 4000},
		{[]string{newer, older}, 0o755, 4000},
		{[]string{older}, 0o755, 3000},
		{[]string{older, deep, newer}, 0o755, 4000},
		{[]string{deep, older}, 0o755, 3000},
		{[]string{deep, above, first}, 0o722, 2500},
		{[]string{first, above}, 0o700, 1000},
	} {
		plans, _ := scanAll(t, load(t, dir, one("", tt.entries...)))
		want := zipgen.Entry{Name: "d/", Mode: zipgen.TypeDir | tt.mode, ModTime: tt.modTime}
		if i, ok := plans[0].Find("d/"); !ok || plans[0].Entry(i) != want {
			t.Errorf("%q: got mode %o, time %d, want %o and %d", tt.entries, plans[0].Entry(i).Mode, plans[0].Entry(i).ModTime, want.Mode, want.ModTime)
		}
	}
}
