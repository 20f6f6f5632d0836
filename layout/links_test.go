package layout

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

var linkFiles = []string{
	"src/file", "src/folder/x", "src/folder/empty/", "outside",
	"src/to-file -> file", "src/to-folder -> folder", "src/folder/up -> ../file", "src/to-link -> to-file", "src/through -> to-folder/x",
}

func TestLinksStored(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	long := strings.Repeat("long/", 800)
	tree(t, dir, append(linkFiles, "src/dangling -> no such file", "src/loop -> loop", "src/out -> ../outside", "src/absolute -> /etc/passwd", "src/long -> "+long, "src/bad -> \\\x01\xff")...)
	for _, text := range []string{one("", "source: src\n        as: ."), one("symlinks: store", "source: src\n        as: .")} {
		l := load(t, dir, text)
		plans, _ := scanAll(t, l)
		wantLines(t, show(t, plans[0]), []string{
			"absolute -> /etc/passwd", "bad -> \\\x01\xff", "dangling -> no such file", "file = src/file",
			"folder/", "folder/empty/", "folder/up -> ../file", "folder/x = src/folder/x", "long -> " + long, "loop -> loop", "out -> ../outside",
			"through -> to-folder/x", "to-file -> file", "to-folder -> folder", "to-link -> to-file",
		})
		if plans[0].SkippedLinks != 0 {
			t.Errorf("got %d links left out", plans[0].SkippedLinks)
		}
	}
}

func TestLinksSkipped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir, append(linkFiles, "src/dangling -> no such file", "src/loop -> loop")...)
	plans, warnings := scanAll(t, load(t, dir, one("symlinks: skip", "source: src\n        as: .\n        exclude: [loop]")))
	wantLines(t, show(t, plans[0]), []string{"file = src/file", "folder/", "folder/empty/", "folder/x = src/folder/x"})
	wantLines(t, warnings, nil)
	if plans[0].SkippedLinks != 6 {
		t.Errorf("got %d links left out, want 6", plans[0].SkippedLinks)
	}
}

func TestLinksFollowed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir, linkFiles...)
	plans, warnings := scanAll(t, load(t, dir, one("symlinks: follow", "source: src\n        as: .")))
	wantLines(t, show(t, plans[0]), []string{
		"file = src/file",
		"folder/", "folder/empty/", "folder/up = src/file", "folder/x = src/folder/x",
		"through = src/folder/x", "to-file = src/file",
		"to-folder/", "to-folder/empty/", "to-folder/up = src/file", "to-folder/x = src/folder/x",
		"to-link = src/file",
	})
	wantLines(t, warnings, nil)
	for i := range plans[0].Len() {
		if ref, _ := plans[0].Source(i); plans[0].IsFile(i) && !ref.Follow {
			t.Errorf("%s: its source is opened without following", plans[0].Entry(i).Name)
		}
	}
	// A link is what it leads to for patterns too: a folder.
	got, _ := shown(t, dir, one("symlinks: follow", `{source: src, as: ., include: ["to-*/"], exclude: [to-folder/x, "**/empty/"]}`))
	wantLines(t, got, []string{"to-folder/", "to-folder/up = src/file"})
}

// Links in the source's own path are followed whatever the option says: the user
// wrote them.
func TestLinkAsSource(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir, "real/folder/x", "real/folder/link -> x", "real/file", "to-folder -> real/folder", "to-real -> real", "to-file -> to-real/file")
	for _, option := range []string{"store", "follow", "skip"} {
		got, _ := shown(t, dir, one("symlinks: "+option, "source: to-folder", "source: to-file", "source: to-real/file", "source: to-real/folder"))
		want := map[string][]string{
			"store":  {"to-folder/link -> x", "folder/link -> x"},
			"follow": {"to-folder/link = real/folder/x", "folder/link = real/folder/x"},
			"skip":   {},
		}[option]
		list := []string{"file = real/file", "folder/"}
		if len(want) > 0 {
			list = append(list, want[1])
		}
		list = append(list, "folder/x = real/folder/x", "to-file = real/file", "to-folder/")
		if len(want) > 0 {
			list = append(list, want[0])
		}
		wantLines(t, got, append(list, "to-folder/x = real/folder/x"))
	}
	_, err := Load(save(t, dir, one("symlinks: error", "source: to-folder", "source: to-file")), env())
	must(t, err)
}

func TestSpecialFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir, "src/a/fifo |", "src/b/fifo |", "src/b/x", "src/to-fifo -> a/fifo", "src/z/")
	must(t, unix.Mknod(dir+"/src/z/socket", unix.S_IFSOCK|0o600, 0))
	got, warnings := shown(t, dir, one("", "source: src"))
	wantLines(t, got, []string{"src/", "src/a/", "src/b/", "src/b/x = src/b/x", "src/to-fifo -> a/fifo", "src/z/"})
	wantLines(t, warnings, []string{"archive a.zip: 3 special files left out, the first is " + dir + "/src/a/fifo (a FIFO): exclude them to silence this, or set special: error"})

	got, warnings = shown(t, dir, one("symlinks: follow", "source: src\n        include: [to-fifo, z, b]"))
	wantLines(t, got, []string{"src/", "src/b/", "src/b/x = src/b/x", "src/z/"})
	wantLines(t, warnings, []string{"archive a.zip: 3 special files left out, the first is " + dir + "/src/to-fifo (a FIFO): exclude them to silence this, or set special: error"})

	_, warnings = shown(t, dir, one("", `{source: src, exclude: ["**/fifo", z/socket]}`))
	wantLines(t, warnings, nil)
	_, warnings = shown(t, dir, one("", `{source: src/z, as: .}`))
	wantLines(t, warnings, []string{
		"archive a.zip: 1 special files left out, the first is " + dir + "/src/z/socket (a socket): exclude them to silence this, or set special: error",
		"archive a.zip is empty",
	})
}

func TestSpecialKind(t *testing.T) {
	t.Parallel()
	for mode, want := range map[uint32]string{
		unix.S_IFIFO: "a FIFO", unix.S_IFSOCK | 0o7777: "a socket", unix.S_IFBLK: "a block device", unix.S_IFCHR | 0o600: "a character device", 0: "of an unknown file type",
	} {
		if got := specialKind(mode); got != want {
			t.Errorf("mode %o: got %q, want %q", mode, got, want)
		}
	}
}
