package crccache

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const nobody = 65534

func TestRefusedFolders(t *testing.T) {
	t.Parallel()
	type refusal struct {
		name string
		make func(dir string) error
		want string // in the error
	}
	mode := func(m os.FileMode) func(string) error {
		return func(dir string) error {
			if err := os.Mkdir(dir, 0o700); err != nil {
				return err
			}
			return os.Chmod(dir, m)
		}
	}
	tests := []refusal{
		{"group may write", mode(0o770), "(mode 0770): chmod go-w it, or use --cache DIR"},
		{"others may write", mode(0o702), "(mode 0702): chmod go-w it"},
		{"link", func(dir string) error {
			if err := os.Mkdir(dir+".real", 0o700); err != nil {
				return err
			}
			return os.Symlink(dir+".real", dir)
		}, "is no folder"},
		{"dangling link", func(dir string) error { return os.Symlink("nothing", dir) }, "file exists"},
		{"file", func(dir string) error { return os.WriteFile(dir, nil, 0o600) }, "not a directory"},
		{"FIFO", func(dir string) error { return unix.Mkfifo(dir, 0o600) }, "not a directory"},
	}
	if os.Geteuid() == 0 {
		tests = append(tests, refusal{"another user's", func(dir string) error {
			if err := os.Mkdir(dir, 0o700); err != nil {
				return err
			}
			return os.Chown(dir, nobody, nobody)
		}, "it belongs to user 65534: use --cache DIR"})
	}
	for _, tt := range tests {
		dir := filepath.Join(t.TempDir(), "cache")
		must(t, tt.make(dir))
		within(t, func() {
			_, err := Open(dir)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("%s: got error %v, want the path and %q", tt.name, err, tt.want)
			}
		})
	}
}

// badFile is what may stand where a file of the cache should.
type badFile struct {
	name string
	make func(path string) error
	want string // in the error
}

func badFiles() []badFile {
	mode := func(m os.FileMode) func(string) error {
		return func(path string) error {
			if err := os.WriteFile(path, image(0, records(1, 2)...), 0o600); err != nil {
				return err
			}
			return os.Chmod(path, m)
		}
	}
	bad := []badFile{
		{"group may write", mode(0o660), "others may write to it"},
		{"others may write", mode(0o602), "others may write to it"},
		{"link", func(path string) error {
			if err := os.WriteFile(path+".real", image(0, records(1, 2)...), 0o600); err != nil {
				return err
			}
			return os.Symlink(path+".real", path)
		}, "too many levels of symbolic links"},
		{"dangling link", func(path string) error { return os.Symlink(path+".real", path) }, "too many levels of symbolic links"},
		{"FIFO", func(path string) error { return unix.Mkfifo(path, 0o600) }, "is no regular file"},
		{"folder", func(path string) error { return os.Mkdir(path, 0o700) }, ""},
		{"socket", func(path string) error { return unix.Mknod(path, unix.S_IFSOCK|0o600, 0) }, "no such device"},
	}
	if os.Geteuid() == 0 {
		bad = append(bad, badFile{"another user's", func(path string) error {
			if err := mode(0o600)(path); err != nil {
				return err
			}
			return os.Chown(path, nobody, nobody)
		}, "it belongs to user 65534"})
	}
	return bad
}

func TestRefusedFiles(t *testing.T) {
	t.Parallel()
	for _, name := range []string{FileName, lockName} {
		for _, tt := range badFiles() {
			t.Run(name+" "+tt.name, func(t *testing.T) {
				t.Parallel()
				c := open(t, filepath.Join(t.TempDir(), "cache"))
				path := filepath.Join(c.dir, name)
				must(t, tt.make(path))
				real, _ := os.ReadFile(path + ".real")
				refused := func(what string, err error) {
					t.Helper()
					if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
						t.Errorf("%s: got error %v, want the path and %q", what, err, tt.want)
					}
				}
				within(t, func() {
					_, err := c.Scan(func(r Record) { t.Errorf("got %+v", r) })
					if name == FileName {
						refused("Scan", err)
					} else if err != nil {
						t.Errorf("Scan: %v", err)
					}
					must(t, c.Add(record(1, 1)))
					first := c.Flush()
					refused("Flush", first)
					if err := c.Add(record(1, 1)); err != first {
						t.Errorf("Add later: got error %v, want the first one, %v", err, first)
					}
					if err := c.Flush(); err != first {
						t.Errorf("Flush later: got error %v, want the first one, %v", err, first)
					}
				})
				if after, _ := os.ReadFile(path + ".real"); string(after) != string(real) {
					t.Errorf("what the link leads to has changed")
				}
			})
		}
	}
}

// A user without rights fails at what isn't theirs, and says so.
func TestOrdinaryUser(t *testing.T) {
	if os.Geteuid() == 0 {
		runChild(t, asNobody(child(t, "nobody")))
		return
	}
	if _, err := Open("/usr"); err == nil || !strings.Contains(err.Error(), "/usr: it belongs to user 0") {
		t.Errorf("another user's folder: got error %v", err)
	}
	// A folder that can't be written to: the cache can be read and added to,
	// but not started or compacted.
	rs := repeated()
	dir := padded(t, 0, full-2, rs)
	path := filepath.Join(dir, FileName)
	must(t, os.WriteFile(filepath.Join(dir, lockName), nil, 0o600))
	t.Cleanup(func() { os.Chmod(dir, 0o700) })
	must(t, os.Chmod(dir, 0o500))
	add(t, open(t, dir), record(2, 0))
	c := open(t, dir)
	must(t, c.Add(record(2, 1)))
	err := c.Flush()
	if !os.IsPermission(err) || !strings.Contains(fmt.Sprint(err), c.dir) {
		t.Errorf("compacting: got error %v, want that permission is denied", err)
	}
	wantRecords(t, dir, append(rs, record(2, 0), record(2, 1)), full-2-len(rs))

	must(t, os.Chmod(path, 0))
	if _, err := open(t, dir).Scan(func(Record) {}); !os.IsPermission(err) {
		t.Errorf("Scan of an unreadable file: got error %v", err)
	}
}
