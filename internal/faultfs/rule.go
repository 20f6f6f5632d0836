// Package faultfs is a file system for tests: it shows a folder as it is, but for
// the faults that it is told to have. It can only be read.
//
// A process of its own serves it, because a process that reads its own mount may
// wait for itself: Start runs one, whose main function is Main. Faults are rules,
// which come and go while it runs.
//
// In scope: the faults that disks, network file systems and other FUSE file
// systems have, seen from their reader. Out of scope: writing; faults of the
// folder's own file system, which are passed on.
package faultfs

import (
	"fmt"
	"syscall"
	"time"

	"github.com/bmatcuk/doublestar/v4"
)

// Op is a kind of request.
type Op string

const (
	Lookup   Op = "lookup"   // a name is looked up in a folder
	Getattr  Op = "getattr"  // stat(2) of what was looked up
	Open     Op = "open"     // of a file
	Read     Op = "read"     // of a file
	Lseek    Op = "lseek"    // SEEK_DATA or SEEK_HOLE of a file
	Opendir  Op = "opendir"  // a folder is listed
	Readlink Op = "readlink" // of a symbolic link
	Statfs   Op = "statfs"   // of the root
)

var ops = []Op{Lookup, Getattr, Open, Read, Lseek, Opendir, Readlink, Statfs}

// Rule is a fault, or several that come together. Errno, Hang and Delay are for
// the requests that Ops name, Short and Flip for reads, the others for all
// answers with attributes.
type Rule struct {
	// Path says whose faults these are: a doublestar pattern below the root,
	// which itself is "."; empty for everything.
	Path string
	// Ops are the requests that fail, all if empty.
	Ops []Op
	// Skip requests pass before the first one fails, and Times of them fail: all
	// if 0. The kernel asks a second time where the answer to open is ESTALE.
	Skip, Times int
	// Offset and Length, if not 0, are for reads that touch these bytes alone.
	Offset, Length int64
	// For, if not 0, is when the rule ends by itself.
	For time.Duration

	// Errno is the answer.
	Errno syscall.Errno
	// Hang keeps the answer back until the rule ends, or the reader is
	// interrupted. With Deaf not even then: it can't be killed.
	Hang, Deaf bool
	// Delay keeps it back for that long.
	Delay time.Duration
	// Short is the most bytes that a read gives; with 0 it is the end of the file.
	Short *int
	// Flip changes every byte from Offset on, Length of them.
	Flip bool
	// Freeze answers with attributes from before the rule.
	Freeze bool
	// Grain, if not 0, is what times are rounded down to.
	Grain time.Duration
	// Inodes changes inode numbers.
	Inodes Inodes
}

// Inodes says how inode numbers change.
type Inodes string

const (
	InodesStay     Inodes = ""
	InodesOnce     Inodes = "once"   // when the rule starts, as at another mount
	InodesByLookup Inodes = "lookup" // whenever a name is looked up
)

// Max returns what Rule.Short takes.
func Max(n int) *int { return &n }

func (r *Rule) check() error {
	if r.Path != "" && !doublestar.ValidatePattern(r.Path) {
		return fmt.Errorf("path %q is no pattern", r.Path)
	}
	for _, op := range r.Ops {
		if !known(op) {
			return fmt.Errorf("operation %q is not known: use some of %q", op, ops)
		}
	}
	switch {
	case r.Inodes != InodesStay && r.Inodes != InodesOnce && r.Inodes != InodesByLookup:
		return fmt.Errorf("inodes %q is not known", r.Inodes)
	case r.Flip && r.Length == 0:
		return fmt.Errorf("flip needs a length")
	case r.Errno == 0 && !r.Hang && r.Delay == 0 && r.Short == nil && !r.Flip && !r.Freeze && r.Grain == 0 && r.Inodes == InodesStay:
		return fmt.Errorf("the rule has no fault")
	}
	return nil
}

func known(op Op) bool {
	for _, o := range ops {
		if o == op {
			return true
		}
	}
	return false
}

// Counts are how many requests a path had. Bytes are those that were read.
type Counts struct {
	Requests map[Op]int
	Bytes    int64
}

// State is what a file system tells of itself.
type State struct {
	Hung   int               // requests that wait for a rule with Hang to end
	Hits   map[int]int       // of each rule: how many requests it was for
	Counts map[string]Counts // by path below the root
}

// Sum adds up one kind of request to the paths that match a pattern.
func (s State) Sum(pattern string, op Op) (n int) {
	for path, c := range s.Counts {
		if ok, _ := doublestar.Match(pattern, path); ok {
			n += c.Requests[op]
		}
	}
	return n
}
