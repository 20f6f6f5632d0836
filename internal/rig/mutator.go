package rig

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Mutator changes the files of a folder, in every way that files change. It is
// for one goroutine, apart from its ledgers and its log.
type Mutator struct {
	Dir   string   // of the files
	Files []string // relative to Dir
	Side  string   // a folder of the same file system that no archive has
	Seed  uint64

	rnd   *rand.Rand
	base  map[string]base
	dirs  map[string]time.Time // modification times of folders
	held  []mapping
	lacks map[string]bool // operations that the file system does not have

	mu      sync.Mutex     // for what follows
	count   map[string]int // operations done, by name
	log     []Event        // the latest, a ring
	next    int            // how many there were
	ledgers []*Ledger
}

// base is a file as Restore makes it again.
type base struct {
	data  []byte
	mode  os.FileMode
	mtime time.Time
}

// mapping is a file mapped for writing.
type mapping struct {
	file string
	m    []byte
}

// Event is something that was done to a file.
type Event struct {
	Time   time.Time
	File   string
	Op     string
	Back   bool // the modification time was put back
	Failed error
}

func (e Event) String() string {
	s := fmt.Sprintf("%s %s %s", e.Time.Format("15:04:05.000000"), e.File, e.Op)
	if e.Back {
		s += ", mtime put back"
	}
	if e.Failed != nil {
		s += ": " + e.Failed.Error()
	}
	return s
}

// logLen is how many events are kept.
const logLen = 200

// NewMutator returns a mutator of files below dir, whose state now is what Restore
// brings back. side is made.
func NewMutator(dir string, files []string, side string, seed uint64) (*Mutator, error) {
	m := &Mutator{
		Dir: dir, Files: files, Side: side, Seed: seed,
		rnd: rand.New(rand.NewPCG(seed, 77)), count: map[string]int{}, lacks: map[string]bool{}, log: make([]Event, 0, logLen),
	}
	if err := os.MkdirAll(side, 0o755); err != nil {
		return nil, err
	}
	return m, m.Rebase()
}

// Rebase takes the files' present state for the one that Restore brings back.
func (m *Mutator) Rebase() error {
	m.base, m.dirs = map[string]base{}, map[string]time.Time{}
	for _, name := range m.Files {
		data, err := os.ReadFile(m.path(name))
		if err != nil {
			return err
		}
		fi, err := os.Stat(m.path(name))
		if err != nil {
			return err
		}
		m.base[name] = base{data, fi.Mode().Perm(), fi.ModTime()}
		for dir := filepath.Dir(name); ; dir = filepath.Dir(dir) {
			if fi, err = os.Stat(m.path(dir)); err != nil {
				return err
			}
			m.dirs[dir] = fi.ModTime()
			if dir == "." {
				break
			}
		}
	}
	return nil
}

func (m *Mutator) path(name string) string { return filepath.Join(m.Dir, name) }

// Watch has the mutator keep a ledger from now on. What a generation was hashed from
// must not change between the hash and this.
func (m *Mutator) Watch(l *Ledger) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ledgers = append(m.ledgers, l)
}

// Unwatch forgets a ledger.
func (m *Mutator) Unwatch(l *Ledger) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, have := range m.ledgers {
		if have == l {
			m.ledgers = append(m.ledgers[:i:i], m.ledgers[i+1:]...)
			return
		}
	}
}

func (m *Mutator) note(name string, what uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.ledgers {
		l.note(name, what)
	}
}

// Mutate does one random thing to a random file. An operation that the file system
// does not have is passed over for another.
func (m *Mutator) Mutate() error {
	for {
		op := operations[m.rnd.IntN(len(operations))]
		name := m.Files[m.rnd.IntN(len(m.Files))]
		err := m.do(op, name)
		if !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
}

// Skip leaves an operation out.
func (m *Mutator) Skip(op string) { m.lacks[op] = true }

// Do does the operation of that name to a file.
func (m *Mutator) Do(op, name string) error {
	for _, o := range operations {
		if o.name == op {
			return m.do(o, name)
		}
	}
	return fmt.Errorf("no operation %q", op)
}

func (m *Mutator) do(op operation, name string) error {
	if m.lacks[op.name] {
		return errors.ErrUnsupported
	}
	what := changed
	if op.harmless {
		what = brushed
	}
	m.note(name, what)
	event := Event{Time: time.Now(), File: name, Op: op.name, Back: m.rnd.IntN(2) == 0}
	err := op.do(m, name)
	if unsupported(err) {
		m.lacks[op.name] = !errors.Is(err, unix.EINVAL) // which may be for this file alone
		return fmt.Errorf("%w: %w", errors.ErrUnsupported, err)
	}
	if err == nil && event.Back {
		err = os.Chtimes(m.path(name), time.Time{}, m.base[name].mtime)
	}
	event.Failed = err
	m.mu.Lock()
	if len(m.log) < logLen {
		m.log = append(m.log, event)
	} else {
		m.log[m.next%logLen] = event
	}
	m.next++
	m.count[op.name]++
	m.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s of %s (seed %d): %w", op.name, m.path(name), m.Seed, err)
	}
	return nil
}

func unsupported(err error) bool {
	for _, e := range []unix.Errno{unix.EOPNOTSUPP, unix.EINVAL, unix.EXDEV, unix.ENOSYS, unix.ENOTTY, unix.EMLINK} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// Done returns how many operations were done.
func (m *Mutator) Done() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.next
}

// Counts returns how often each operation was done.
func (m *Mutator) Counts() map[string]int { return m.count }

// Log tells the latest events, of one file or with "" of all, in their order.
func (m *Mutator) Log(file string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b strings.Builder
	for i := range m.log {
		e := m.log[(m.next+i)%len(m.log)]
		if len(m.log) < logLen {
			e = m.log[i]
		}
		if file == "" || e.File == file {
			fmt.Fprintln(&b, e)
		}
	}
	return b.String()
}

// Restore brings back every file: bytes, modes and times. The archive is the same
// again, byte for byte; the files' inodes need not be. Mappings are let go.
func (m *Mutator) Restore() error {
	m.Release()
	entries, err := os.ReadDir(m.Side)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(m.Side, e.Name())); err != nil {
			return err
		}
	}
	for name, b := range m.base {
		m.note(name, changed)
		path := m.path(name)
		err := os.WriteFile(path, b.data, 0o644)
		if err := errors.Join(err, os.Chmod(path, b.mode), os.Chtimes(path, b.mtime, b.mtime)); err != nil {
			return err
		}
	}
	for dir, mtime := range m.dirs {
		if err := os.Chtimes(m.path(dir), mtime, mtime); err != nil {
			return err
		}
	}
	return nil
}

// Release lets go of all mappings.
func (m *Mutator) Release() {
	for _, h := range m.held {
		_ = unix.Munmap(h.m)
	}
	m.held = nil
}
