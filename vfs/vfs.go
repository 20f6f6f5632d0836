// Package vfs shows virtual files at a mountpoint, through FUSE: folders and
// regular files that can only be read, each with an exact size, a stable inode
// number and a modification time. [Mounted.Publish] puts other files in their
// place: another content is another inode, and who has a file open reads on what
// was opened.
//
// In scope: nodes, generations of them, mounting, unmounting, who keeps a mount
// busy. Out of scope: what the bytes are; a File brings them.
package vfs

import (
	"context"
	"log"
	"strings"
)

// File is a virtual file.
type File struct {
	Path    string // below the mountpoint, slash-separated
	Size    int64
	ModTime int64 // seconds since 1970
	// Inode is the content's number, 2 or more, below 2^63; taken numbers move on
	// to the next free one. One path with one number is one file: the kernel keeps
	// what it has cached of it.
	Inode    uint64
	Mode     uint32 // permission bits, as 0444
	UID, GID uint32
	Content  Content
}

// Content is where the bytes of a file come from.
type Content interface {
	// Open is asked at each open(2). An error that wraps ESTALE reaches the caller
	// as such, any other as EIO. A call that began before Publish replaced the
	// content may still be running after Publish returned.
	Open() (Handle, error)
}

// Handle is an open file. It may be read by any number of goroutines.
type Handle interface {
	// ReadAt fills p, which never reaches beyond the file's size, or gives an
	// error: one that wraps ESTALE reaches the reader as such, any other as EIO.
	// ctx ends when nobody waits for the answer any more, because who asked is
	// killed or the mount has ended; return its error then. p must not be used after
	// the return.
	ReadAt(ctx context.Context, p []byte, off int64) (int, error)
	// Close is called once, when the last descriptor is closed, or the mount ends.
	Close()
}

const (
	// blockSize is what stat(2) suggests for one read, in bytes. Buffered readers
	// take it for their buffer.
	blockSize = 128 << 10
	// statUnit is the unit of st_blocks, in bytes.
	statUnit = 512
)

// blocks is st_blocks of a file of size bytes.
func blocks(size int64) uint64 { return (uint64(size) + statUnit - 1) / statUnit }

// logWriter makes lines of go-fuse's own log messages.
type logWriter func(string)

func (w logWriter) Write(p []byte) (int, error) {
	w(strings.TrimSpace(string(p)))
	return len(p), nil
}

func newLogger(to func(string)) *log.Logger { return log.New(logWriter(to), "go-fuse: ", 0) }
