package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// loopbackVariant is a set of settings for go-fuse's loopback.
type loopbackVariant struct {
	name      string
	shipped   bool // the example's settings, and nothing else
	readAhead int  // of the kernel for the mount, in KiB
	direct    bool // FOPEN_DIRECT_IO and an st_blksize of 1 MiB
	splice    bool
}

var loopbackVariants = []loopbackVariant{
	{name: shippedServed, shipped: true},
	{name: "loopback, 1 MiB requests", readAhead: 1024, splice: true},
	{name: "loopback, 1 MiB requests, no splice", readAhead: 1024},
	{name: "loopback, direct I/O, 1 MiB", direct: true, splice: true},
	{name: "loopback, direct I/O, 1 MiB, no splice", direct: true},
}

// loopbackChild serves a folder: VARIANT MOUNTPOINT FOLDER.
func loopbackChild(args []string) error {
	if len(args) != 3 {
		return errors.New("the words are VARIANT MOUNTPOINT FOLDER")
	}
	for _, v := range loopbackVariants {
		if v.name == args[0] {
			return v.serve(args[1], args[2])
		}
	}
	return fmt.Errorf("there is no variant %q", args[0])
}

func (v loopbackVariant) serve(mountpoint, folder string) error {
	made, err := fs.NewLoopbackRoot(folder)
	if err != nil {
		return err
	}
	if v.shipped {
		return v.mount(mountpoint, made, v.options(folder))
	}
	return v.mount(mountpoint, v.node(made), v.options(folder))
}

// options are those of the example, or all that may help. Passthrough is off: with it
// the kernel reads the file itself, and no process sees its bytes.
func (v loopbackVariant) options(folder string) *fs.Options {
	timeout := time.Second
	o := &fs.Options{
		AttrTimeout: &timeout, EntryTimeout: &timeout, NullPermissions: true,
		MountOptions: fuse.MountOptions{
			FsName: folder, Name: "loopback", Options: []string{"ro"},
			DisabledCapabilities: fuse.CAP_PASSTHROUGH,
		},
	}
	if v.shipped {
		return o
	}
	timeout = time.Hour
	o.MaxWrite, o.MaxReadAhead, o.MaxBackground = mib, mib, 64
	o.DirectMount, o.DisableXAttrs, o.DisableSplice = true, true, !v.splice
	return o
}

func (v loopbackVariant) mount(mountpoint string, root fs.InodeEmbedder, o *fs.Options) error {
	server, err := fs.Mount(mountpoint, root, o)
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-signals
		_ = server.Unmount()
	}()
	server.Wait()
	return nil
}

// loopbackNode opens and describes its file as the variant says.
type loopbackNode struct {
	*fs.LoopbackNode
	variant loopbackVariant
}

func (v loopbackVariant) node(of fs.InodeEmbedder) *loopbackNode {
	return &loopbackNode{of.(*fs.LoopbackNode), v}
}

func (n *loopbackNode) WrapChild(_ context.Context, of fs.InodeEmbedder) fs.InodeEmbedder {
	return n.variant.node(of)
}

var (
	_ = (fs.NodeWrapChilder)((*loopbackNode)(nil))
	_ = (fs.NodeOpener)((*loopbackNode)(nil))
	_ = (fs.NodeGetattrer)((*loopbackNode)(nil))
	_ = (fs.NodeLookuper)((*loopbackNode)(nil))
)

func (n *loopbackNode) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	node, errno := n.LoopbackNode.Lookup(ctx, name, out)
	n.size(&out.Attr)
	return node, errno
}

func (n *loopbackNode) Getattr(ctx context.Context, f fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	errno := n.LoopbackNode.Getattr(ctx, f, out)
	n.size(&out.Attr)
	return errno
}

// size has programs read as much at once as the kernel passes on.
func (n *loopbackNode) size(attr *fuse.Attr) {
	if n.variant.direct {
		attr.Blksize = mib
	}
}

func (n *loopbackNode) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	file, fuseFlags, errno := n.LoopbackNode.Open(ctx, flags)
	if n.variant.direct {
		fuseFlags |= fuse.FOPEN_DIRECT_IO
	}
	return file, fuseFlags, errno
}
