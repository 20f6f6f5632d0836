package layout

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/figure"
	"vzip/internal/require"
)

// readable is one tree as a reader is asked about it: a file with the owner and
// mode of the archive, and the sources behind that.
type readable struct {
	Archive        string
	Files, Folders []string
}

// Whoever the kernel lets read a file with an archive's owners and mode, it lets
// read every source: for random trees, and readers of several users and groups.
func TestAccessAgainstKernel(t *testing.T) {
	t.Parallel()
	if trees := os.Getenv(childVar + "_TREES"); trees != "" {
		readTrees(t, trees)
		return
	}
	require.Needs(t, "root")
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	dir := openTempDir(t)
	must(t, os.Mkdir(dir+"/archives", 0o755))
	var all []readable
	kinds := map[string]int{}
	for i := range figure.N(150, 3000) {
		at := fmt.Sprintf("%s/%d", dir, i)
		text := randomRights(t, rnd, at)
		plans, _ := scanAll(t, load(t, at, text))
		p := plans[0]
		r := readable{Archive: fmt.Sprintf("%s/archives/%d", dir, i)}
		for j := range p.Len() {
			if ref, _ := p.Source(j); p.IsFile(j) {
				r.Files = append(r.Files, ref.Path())
			} else if name, isDir := strings.CutSuffix(p.Entry(j).Name, "/"); isDir {
				r.Folders = append(r.Folders, filepath.Join(at, "top/up", name))
			}
		}
		a := p.Access()
		must(t, os.WriteFile(r.Archive, nil, 0o600))
		must(t, os.Chown(r.Archive, int(a.UID), int(a.GID)))
		must(t, unix.Chmod(r.Archive, a.Mode))
		kinds[fmt.Sprintf("%04o user %v group %v", a.Mode, a.HasUID, a.HasGID)]++
		all = append(all, r)
	}
	for _, kind := range []string{"0444 user false group false", "0440 user true group true", "0440 user false group true", "0400 user true group false", "0400 user false group false"} {
		if kinds[kind] == 0 {
			t.Errorf("no tree gave %s: %v", kind, kinds)
		}
	}
	list, err := json.Marshal(all)
	must(t, err)
	must(t, os.WriteFile(dir+"/trees", list, 0o644))
	granted, could := 0, 0
	for _, uid := range []uint32{1001, 1002, 1003} {
		for _, groups := range [][]uint32{{3000}, {2001}, {2002}, {3000, 2001}, {3000, 2001, 2002}} {
			g, c := askReader(t, dir+"/trees", uid, groups)
			granted, could = granted+g, could+c
		}
	}
	if granted == 0 || granted > could {
		t.Errorf("got %d archives that could be read, of %d whose sources could be", granted, could)
	}
	figure.Print(t, "archives' rights against the kernel's: %d trees, 15 readers: %d reads of archives granted, all of them of sources that the reader could read (of %d such)", len(all), granted, could)
}

// randomRights makes a tree below dir with random owners and permissions, most of
// them plain, and returns a layout that stores it.
func randomRights(t *testing.T, rnd *rand.Rand, dir string) string {
	t.Helper()
	tree(t, dir, "top/up/src/a", "top/up/src/b", "top/up/src/d/c", "top/up/src/d/e/f", "top/up/src/empty/", "top/up/src/g/h", "top/up/src/g/i")
	tree(t, dir, "top/up/src/d/to-h -> ../g/h", "top/up/src/to-i -> d/../g/i", "top/up/src/g/hop -> ../d/to-h")
	must(t, os.Chmod(dir, 0o755))
	strange := rnd.IntN(6) * rnd.IntN(2) // how many of ten have strange permissions
	users, groups := 1+rnd.IntN(2), 1+rnd.IntN(2)
	style := rnd.IntN(3) // open, group's, private
	must(t, filepath.WalkDir(dir+"/top", func(p string, d os.DirEntry, err error) error {
		if err != nil || d.Type() == os.ModeSymlink {
			return err
		}
		mode := []uint32{0o644, 0o640, 0o600}[min(style, rnd.IntN(3))]
		if rnd.IntN(10) < strange {
			mode = rnd.Uint32N(0o1000)
		}
		if d.IsDir() {
			mode |= mode >> 2 & 0o111
			if rnd.IntN(20) == 0 {
				mode = []uint32{0o711, 0o701, 0o750, 0o700, 0o555}[rnd.IntN(5)]
			}
		}
		if err := os.Chown(p, 1001+rnd.IntN(users), 2001+rnd.IntN(groups)); err != nil {
			return err
		}
		return unix.Chmod(p, mode)
	}))
	options := []string{"", "symlinks: follow", "directories: false", "symlinks: follow\n    directories: false"}[rnd.IntN(4)]
	entry := []string{"source: top/up/src", "source: top/up/src", `{source: top/up/src, include: ["**/c", "d/to-h", "to-i"]}`, `{source: top/up/src, exclude: [g]}`}[rnd.IntN(4)]
	if strings.Contains(options, "follow") && strings.Contains(entry, "exclude") {
		entry = "source: top/up/src"
	}
	return one(options, entry)
}

// askReader asks a child process that is another user how many archives and how
// many trees of sources it can read. No archive may be readable whose sources are
// not.
func askReader(t *testing.T, trees string, uid uint32, groups []uint32) (granted, could int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: groups[0], Groups: groups[1:]}}
	cmd.Env = append(os.Environ(), childVar+"_TREES="+trees)
	out, err := cmd.CombinedOutput()
	_, counts, found := bytes.Cut(out, []byte("counts "))
	if err == nil && found {
		_, err = fmt.Sscan(string(counts), &granted, &could)
	}
	if err != nil || !found {
		t.Fatalf("user %d, groups %v: %v\n%s", uid, groups, err, out)
	}
	return granted, could
}

// readTrees is the child.
func readTrees(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	must(t, err)
	var all []readable
	must(t, json.Unmarshal(text, &all))
	granted, could := 0, 0
	for _, r := range all {
		archive := canOpen(r.Archive)
		closed := ""
		for _, p := range r.Files {
			if err := canOpen(p); err != nil {
				closed = err.Error()
			}
		}
		for _, p := range r.Folders {
			if _, err := os.ReadDir(p); err != nil {
				closed = err.Error()
			}
		}
		if closed == "" {
			could++
		}
		if archive == nil {
			granted++
			if closed != "" {
				t.Errorf("%s can be read, but: %s", r.Archive, closed)
			}
		}
	}
	fmt.Println("counts", granted, could)
}

func canOpen(p string) error {
	f, err := os.Open(p)
	if err == nil {
		f.Close()
	}
	return err
}
