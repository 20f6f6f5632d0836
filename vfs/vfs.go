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
	Holes   int64 // how many of its bytes take no room, for st_blocks
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
	// as such, any other as EIO. It may still be asked for a second after Publish
	// replaced the content, by callers who found the file before; ESTALE then makes
	// the kernel look the name up again, once. With ahead set the kernel does not read
	// ahead for the caller.
	Open(ahead bool) (Handle, error)
}

// Handle is an open file. It may be read by any number of goroutines.
type Handle interface {
	// Read returns the n bytes from off on, which never reach beyond the file's
	// size, or an error: one that wraps ESTALE reaches the reader as such, any other
	// as EIO. ctx ends when nobody waits for the answer any more; an error that wraps
	// its own then ends the request. ctx must not be used after the return.
	Read(ctx context.Context, off int64, n int) (Data, error)
	// Seek returns the smallest offset from off on, 0 <= off < the file's size, that is
	// in a hole (SEEK_HOLE of lseek(2)) or is not (SEEK_DATA); the size where there is
	// none. Errors are as those of Read, and so is ctx.
	Seek(ctx context.Context, off int64, whence int) (int64, error)
	// Close is called once, when the last descriptor is closed, or the mount ends.
	Close()
}

// Data are the bytes that a read gave.
type Data interface {
	// Slices are the bytes in order, Len is how many there are.
	Slices() [][]byte
	Len() int
	// Release is called once, when they are not needed any more.
	Release()
}

const (
	// blockSize is what stat(2) suggests for one read, in bytes. Programs that copy
	// take it, and the larger it is the fewer round trips direct I/O has; buffered
	// readers take it for their buffer, and fill it after each seek.
	blockSize = 512 << 10
	// statUnit is the unit of st_blocks, in bytes.
	statUnit = 512
)

// blocks is st_blocks of a file: with less of them than size makes, programs look for
// holes. tar takes a file that has none for one hole.
func (f *File) blocks() uint64 {
	return uint64(max(min(f.Size, 1), f.Size-f.Holes)+statUnit-1) / statUnit
}

// logWriter makes lines of go-fuse's own log messages.
type logWriter func(string)

func (w logWriter) Write(p []byte) (int, error) {
	w(strings.TrimSpace(string(p)))
	return len(p), nil
}

func newLogger(to func(string)) *log.Logger { return log.New(logWriter(to), "go-fuse: ", 0) }
