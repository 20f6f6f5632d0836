// Package snapshot keeps clones of sources for as long as a generation of archives is
// read from them, and sees to it that none outlives its process for long.
//
// Each generation has a folder of its own in the folder that the user names, which may be
// writable by others. It has a name that nobody can guess, mode 0700, and is held with
// flock(2): the kernel lets go of that when the process ends, however it ends. Whoever can
// take the lock may remove the folder.
//
// In scope: such folders and what is in them. Out of scope: what is cloned, and when.
package snapshot

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/seeded"
	"vzip/internal/source"
)

// prefix is what the names of all folders begin with.
const prefix = "vzip-snapshot-"

// Keeper has the clones of a process. The zero value has none.
type Keeper struct {
	Warn func(string) // takes what stops nothing; may be nil

	mu    sync.Mutex
	live  map[*Clones]struct{}
	ended bool
}

// Clones are the clones of one generation.
type Clones struct {
	keeper  *Keeper
	mu      sync.Mutex // never held while a source or the user's folder is asked
	folders map[string]*folder
	making  int           // how many are making something
	removed bool          // or to be, by the last of those
	gone    chan struct{} // closed when they are
}

// folder is the folder of a generation in one that the user named. Both are open, so that
// nobody can put others in their place.
type folder struct {
	path       string
	name       string
	parent, fd int
	archives   int
}

// Archive takes the clones of one archive. It is for one goroutine.
type Archive struct {
	Root string // absolute path of the folder that they are in
	Dev  uint64 // its device

	clones *Clones
	fd     int // of Root
	sub    int // number of the subfolder that is open
	subfd  int // -1: none
}

// perFolder is how many clones are in a folder: directories stay small.
const perFolder = 1024

// IsFolder tells whether a file name is one of the folders that clones are in.
func IsFolder(name string) bool { return strings.HasPrefix(name, prefix) }

// Rel returns the path of clone i below an archive's Root.
func Rel(i int) string { return strconv.Itoa(i/perFolder) + "/" + strconv.Itoa(i%perFolder) }

var errEnded = errors.New("the process ends")

// Begin returns what the clones of a new generation are made with. A nil Keeper has none,
// and returns nil.
func (k *Keeper) Begin() *Clones {
	if k == nil {
		return nil
	}
	c := &Clones{keeper: k, folders: map[string]*folder{}, gone: make(chan struct{})}
	k.mu.Lock()
	defer k.mu.Unlock()
	if c.removed = k.ended; !c.removed {
		if k.live == nil {
			k.live = map[*Clones]struct{}{}
		}
		k.live[c] = struct{}{}
	}
	return c
}

// patience is how long Close waits for what hangs in a source.
const patience = time.Second

// Close removes all clones of the process; there are no new ones after that. Those of a
// generation for which a source hangs it leaves to the next start.
func (k *Keeper) Close() {
	k.mu.Lock()
	k.ended = true
	k.mu.Unlock()
	all := k.all()
	for _, c := range all {
		c.Remove()
	}
	late := time.After(patience)
	for _, c := range all {
		select {
		case <-c.gone:
		case <-late:
			return
		}
	}
}

func (k *Keeper) all() []*Clones {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Collect(maps.Keys(k.live))
}

// Any tells whether there are clones now.
func (k *Keeper) Any() bool {
	return slices.ContainsFunc(k.all(), func(c *Clones) bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.folders) > 0
	})
}

func (k *Keeper) warn(format string, args ...any) {
	if k.Warn != nil {
		k.Warn(fmt.Sprintf(format, args...))
	}
}

// Archive makes a folder for the clones of one archive in dir, which is an absolute path
// without links. Done ends making them.
func (c *Clones) Archive(dir string) (*Archive, error) {
	if !c.begin() {
		return nil, errEnded
	}
	defer c.end()
	c.mu.Lock()
	f := c.folders[dir]
	c.mu.Unlock()
	if f == nil {
		for _, err := range Sweep(dir) {
			c.keeper.warn("%v", err)
		}
		var err error
		if f, err = newFolder(dir); err != nil {
			return nil, fmt.Errorf("snapshot %s: %w", dir, err)
		}
		c.mu.Lock()
		c.folders[dir] = f
		c.mu.Unlock()
	}
	a := &Archive{Root: filepath.Join(f.path, strconv.Itoa(f.archives)), clones: c, subfd: -1}
	var err error
	if a.fd, err = makeFolder(f.fd, strconv.Itoa(f.archives)); err != nil {
		return nil, fmt.Errorf("snapshot %s: %w", dir, err)
	}
	f.archives++
	var stat unix.Stat_t
	if err := unix.Fstat(a.fd, &stat); err != nil {
		unix.Close(a.fd)
		return nil, fmt.Errorf("snapshot %s: %w", dir, err)
	}
	a.Dev = stat.Dev
	return a, nil
}

// Clone clones the source at ref as number i. Numbers go up, each is used once. Errors are
// those of [source.Ref.CloneTo].
func (a *Archive) Clone(i int, ref source.Ref) (source.Clone, error) {
	if !a.clones.begin() {
		return source.Clone{}, errEnded
	}
	defer a.clones.end()
	if n := i / perFolder; a.subfd < 0 || n != a.sub {
		a.closeSub()
		fd, err := makeFolder(a.fd, strconv.Itoa(n))
		if err != nil {
			return source.Clone{}, fmt.Errorf("a folder in %s: %w", a.Root, err)
		}
		a.sub, a.subfd = n, fd
	}
	return ref.CloneTo(a.subfd, strconv.Itoa(i%perFolder))
}

// Done ends cloning, and closes what is open for that.
func (a *Archive) Done() {
	a.closeSub()
	unix.Close(a.fd)
}

func (a *Archive) closeSub() {
	if a.subfd >= 0 {
		unix.Close(a.subfd)
		a.subfd = -1
	}
}

// begin tells whether something may be made, which end ends.
func (c *Clones) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.removed {
		c.making++
	}
	return !c.removed
}

func (c *Clones) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.making--; c.removed {
		c.removeIfIdle()
	}
}

// Remove removes the clones, the first time; nobody may use them any more. Where something
// is being made, which may hang as its source does, they are removed when that ends. What
// can't be removed is warned of.
func (c *Clones) Remove() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.removed = true
	c.removeIfIdle()
}

// removeIfIdle removes the clones unless something is being made; the lock is held.
func (c *Clones) removeIfIdle() {
	select {
	case <-c.gone:
		return
	default:
	}
	if c.making > 0 {
		return
	}
	defer close(c.gone)
	for dir, f := range c.folders {
		if err := empty(f.fd); err != nil {
			c.keeper.warn("%s can't be removed: %v: the next start with this snapshot folder tries again", f.path, err)
		} else if err := unix.Unlinkat(f.parent, f.name, unix.AT_REMOVEDIR); err != nil {
			c.keeper.warn("%s can't be removed: %v: remove it", f.path, err)
		}
		unix.Close(f.fd) // and with it the lock goes
		unix.Close(f.parent)
		delete(c.folders, dir)
	}
	c.keeper.mu.Lock()
	delete(c.keeper.live, c)
	c.keeper.mu.Unlock()
}

// newFolder makes a folder with a name that nobody can guess, and locks it. Before it is
// locked somebody may sweep it away: then it takes another.
func newFolder(dir string) (*folder, error) {
	parent, err := source.OpenFolder(dir)
	if err != nil {
		return nil, err
	}
	for range 100 {
		name := prefix + rand.Text()
		fd, err := makeFolder(parent, name)
		if err == nil {
			if hold(parent, name, fd) {
				return &folder{path: filepath.Join(dir, name), name: name, parent: parent, fd: fd}, nil
			}
			unix.Close(fd)
		} else if err != unix.ENOENT {
			unix.Close(parent)
			return nil, fmt.Errorf("a folder in it: %w: make it writable for this user", err)
		}
	}
	unix.Close(parent)
	return nil, errors.New("each folder that is made in it is removed or locked at once: see which program does that")
}

// makeFolder makes a folder of this user's that nobody else may enter, and opens it.
func makeFolder(parent int, name string) (fd int, err error) {
	if err := unix.Mkdirat(parent, name, 0o700); err != nil {
		return -1, err
	}
	if fd, err = openFolder(parent, name); err == nil && !own(fd) {
		unix.Close(fd)
		err = unix.EPERM
	}
	if err != nil { // a umask, perhaps
		_ = unix.Unlinkat(parent, name, unix.AT_REMOVEDIR)
		return -1, err
	}
	return fd, nil
}

func openFolder(parent int, name string) (int, error) {
	return unix.Openat(parent, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
}

// own tells whether an open folder is this user's, and closed to others.
func own(fd int) bool {
	var s unix.Stat_t
	return unix.Fstat(fd, &s) == nil && s.Uid == uint32(unix.Geteuid()) && s.Mode&0o777 == 0o700
}

// hold locks an open folder, and tells whether it did and the folder is still there: whoever
// held the lock before may have removed it.
func hold(parent int, name string, fd int) bool {
	if !seeded.On("no-snapshot-lock") && unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) != nil {
		return false
	}
	var is, there unix.Stat_t
	return unix.Fstat(fd, &is) == nil && unix.Fstatat(parent, name, &there, unix.AT_SYMLINK_NOFOLLOW) == nil &&
		is.Ino == there.Ino && is.Dev == there.Dev
}

// Sweep removes what processes of this user left in dir that ended before they could. What
// others hold, and other users', it leaves alone. The errors tell what it can't remove.
func Sweep(dir string) (failed []error) {
	parent, err := source.OpenFolder(dir)
	if err != nil {
		return nil // who makes a folder there says so
	}
	f := os.NewFile(uintptr(parent), dir)
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return []error{fmt.Errorf("what is left in %s can't be listed: %w", dir, err)}
	}
	for _, name := range names {
		if !IsFolder(name) {
			continue
		}
		if err := sweep(parent, name); err != nil {
			failed = append(failed, fmt.Errorf("%s, of a process that is gone, can't be removed: %w: remove it", filepath.Join(dir, name), err))
		}
	}
	return failed
}

func sweep(parent int, name string) error {
	fd, err := openFolder(parent, name)
	if err != nil {
		return nil // no folder, or just removed
	}
	defer unix.Close(fd)
	if !own(fd) || !hold(parent, name, fd) {
		return nil
	}
	if err := empty(fd); err != nil {
		return err
	}
	return unix.Unlinkat(parent, name, unix.AT_REMOVEDIR)
}

// depth is how many folders are in each other: of a generation, an archive, and perFolder.
const depth = 3

// empty removes what an open folder has, as far as it can be clones: folders and files with
// numbers for names.
func empty(fd int) error { return emptyTo(fd, depth) }

func emptyTo(fd, depth int) error {
	again, err := openFolder(fd, ".") // a listing of its own
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(again), "")
	names, err := f.Readdirnames(-1)
	f.Close()
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := strconv.ParseUint(name, 10, 32); err != nil {
			return fmt.Errorf("it has the file %q, which is none of vzip's", name)
		}
		if depth == 1 {
			err = unix.Unlinkat(fd, name, 0)
		} else {
			err = emptySub(fd, name, depth-1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func emptySub(fd int, name string, depth int) error {
	sub, err := openFolder(fd, name)
	if err != nil {
		return err
	}
	err = emptyTo(sub, depth)
	unix.Close(sub)
	if err != nil {
		return err
	}
	return unix.Unlinkat(fd, name, unix.AT_REMOVEDIR)
}
