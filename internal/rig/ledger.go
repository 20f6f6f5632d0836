package rig

import "sync/atomic"

// Ledger keeps, for each file of a generation, whether something was done to it
// since it was hashed. It is safe for any number of goroutines.
type Ledger struct {
	files map[string]*atomic.Uint32 // by the file's path below the mutator's folder
}

// What can be done to a file.
const (
	brushed uint32 = 1 << iota // its bytes have stayed all the time: chmod, a link
	changed                    // its bytes were others, if for a moment
)

// NewLedger returns a ledger of files nothing was done to.
func NewLedger(files []string) *Ledger {
	l := &Ledger{files: map[string]*atomic.Uint32{}}
	for _, name := range files {
		l.files[name] = new(atomic.Uint32)
	}
	return l
}

// note is called before something is done.
func (l *Ledger) note(name string, what uint32) {
	if f := l.files[name]; f != nil {
		f.Or(what)
	}
}

// MarkAll says of every file that it may have changed.
func (l *Ledger) MarkAll() {
	for _, f := range l.files {
		f.Or(changed)
	}
}

// Changed says whether a file's bytes may have been others at any time.
func (l *Ledger) Changed(name string) bool { return l.has(name, changed) }

// Brushed says whether anything was done to a file.
func (l *Ledger) Brushed(name string) bool { return l.has(name, brushed|changed) }

func (l *Ledger) has(name string, what uint32) bool {
	f := l.files[name]
	return f != nil && f.Load()&what != 0
}

// Any says whether any file may have changed.
func (l *Ledger) Any() bool {
	for _, f := range l.files {
		if f.Load()&changed != 0 {
			return true
		}
	}
	return false
}

// AnyBrushed says whether anything was done to any file.
func (l *Ledger) AnyBrushed() bool {
	for _, f := range l.files {
		if f.Load() != 0 {
			return true
		}
	}
	return false
}
