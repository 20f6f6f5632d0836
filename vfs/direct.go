package vfs

import (
	"bytes"
	"context"
	"os"
	"strconv"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// IO says how files are read: through the kernel's page cache, or directly into the
// memory of who reads.
type IO int

const (
	// IOAuto is direct for programs that are known to read large blocks in order, and
	// cached for all others.
	IOAuto IO = iota
	// IOCached is best for small reads, mapped files, and what is read again.
	IOCached
	// IODirect spares a copy and the memory of the cache; each read(2) costs a round
	// trip, however small it is.
	IODirect
)

// sequential are programs that read files from end to end, in blocks of st_blksize or
// larger, and don't map them. Names as in /proc/PID/comm. A wrong guess costs time
// alone.
var sequential = map[string]bool{"cat": true, "cp": true, "mv": true, "install": true}

// direct tells whether a file that the caller opens is to be read past the cache.
func (t *tree) direct(ctx context.Context) bool {
	if t.io != IOAuto {
		return t.io == IODirect
	}
	c, ok := ctx.(*fuse.Context)
	if !ok || c.Pid == 0 { // of another PID namespace
		return false
	}
	name, err := os.ReadFile("/proc/" + strconv.Itoa(int(c.Pid)) + "/comm")
	return err == nil && sequential[string(bytes.TrimSuffix(name, []byte("\n")))]
}
