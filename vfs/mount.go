package vfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"vzip/internal/oneline"
)

// Options say how to mount.
type Options struct {
	// Source is the mount's first column in /proc/mounts and df.
	Source string
	// AllowOther lets other users than the one who mounts read the files.
	AllowOther bool
	// NoExec is mount(8)'s noexec; nosuid and nodev are always set.
	NoExec bool
	// IO says how files are read.
	IO IO
	// Kernel are options for the kernel's FUSE, as in mount.fuse(8). It always
	// checks modes and owners: default_permissions.
	Kernel []string
	// Hidden are files beside those that are published.
	Hidden []Hidden
	// Warn takes what stops nothing, Debug what go-fuse says of requests that
	// nobody waits for any more. Both may be nil.
	Warn, Debug func(string)
}

// Mounted is a mount that is being served.
type Mounted struct {
	Dir    string // absolute, links resolved
	tree   *tree
	device device
	gone   chan struct{} // closed when it has ended
}

const (
	// fsType is the file system's type in /proc/mounts: "fuse." and MountOptions.Name.
	fsType = "fuse.vzip"
	// maxRead is the largest read request, in bytes: the kernel's default limit.
	maxRead = 1 << 20
	// cacheTime is how long the kernel need not ask again about what never changes.
	cacheTime = time.Hour
	// maxBackground is how many requests of read-ahead may wait at once, of all files:
	// once so many wait for a source that hangs, nobody can read anything. A reader
	// has one or two of them. What waits takes an address range of maxRead and next
	// to no memory.
	maxBackground = 4096
	// maxInflight bounds the buffers of requests that nobody waits for, such as
	// FORGET, in bytes. A READ takes less than 1 KiB of it.
	maxInflight = 64 << 20
)

// CheckDevice says why FUSE can't be used at all, as far as that can be told before
// mounting. fusermount3 opens the device with the user's own rights.
func CheckDevice() error {
	const todo = "load the kernel module fuse, give this user access to the device, or in a container add --device /dev/fuse --cap-add SYS_ADMIN"
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("%w: "+todo, err)
	}
	f.Close()
	if !isFUSE("/dev/fuse") {
		return errors.New("/dev/fuse is not FUSE's device: " + todo)
	}
	if os.Geteuid() != 0 && !hasHelper() {
		return errNoHelper
	}
	return nil
}

// Mount shows files at dir, which CheckDir gave, and serves them until they are
// unmounted. Root mounts by itself, other users through fusermount3.
func Mount(dir string, files []File, o Options) (*Mounted, error) {
	for _, f := range []*func(string){&o.Warn, &o.Debug} {
		if *f == nil {
			*f = func(string) {}
		}
	}
	files = slices.Clone(files)
	if err := errors.Join(check(files), checkHidden(files, o.Hidden)); err != nil {
		return nil, err
	}
	o.Kernel = slices.Clone(o.Kernel)
	if !slices.Contains(o.Kernel, "default_permissions") {
		o.Kernel = append(o.Kernel, "default_permissions")
	}
	direct := os.Geteuid() == 0
	m, err := mount(dir, files, o, direct)
	if direct && errors.Is(err, unix.EPERM) {
		// Root without CAP_SYS_ADMIN, in a container: the helper may have it.
		if helped, helperErr := mount(dir, files, o, false); helperErr == nil {
			m, err = helped, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("mounting at %s failed: %w", dir, mountHint(err))
	}
	if top, err := topMount(dir); err == nil && top != nil && top.FSType == fsType {
		m.device = deviceOf(top)
		raiseReadAhead(m.device)
	}
	return m, nil
}

func mount(dir string, files []File, o Options, direct bool) (*Mounted, error) {
	t := newTree(o, uint32(os.Geteuid()), uint32(os.Getegid())) // go-fuse takes a tree for one mount only
	timeout := cacheTime
	options := &fusefs.Options{
		EntryTimeout: &timeout, AttrTimeout: &timeout, NegativeTimeout: &timeout,
		NullPermissions: true, // no bits are no bits
		RootStableAttr:  &fusefs.StableAttr{Ino: fuse.FUSE_ROOT_ID},
		OnAdd:           func(context.Context) { t.show(t.build(files)) },
		Logger:          newLogger(o.Debug),
		MountOptions: fuse.MountOptions{
			AllowOther:        o.AllowOther,
			FsName:            o.Source,
			Name:              "vzip",
			MaxWrite:          maxRead,
			MaxBackground:     maxBackground,
			DirectMountStrict: direct,

			MaxInflightRequestBytes: maxInflight,
			// Splicing may turn a failing read into a short reply, and pages in a
			// pipe may change after they were checked.
			DisableSplice: true,
			DisableXAttrs: true,
			Options:       o.Kernel,
			Logger:        newLogger(o.Debug),
			PanicHandler: func(v any) fuse.Status {
				o.Warn(oneline.Text(fmt.Sprintf("a defect in vzip made a request fail: %v", v)))
				o.Debug(string(debug.Stack()))
				return fuse.EIO
			},
		},
	}
	if direct {
		flags := uintptr(unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV)
		if o.NoExec {
			flags |= unix.MS_NOEXEC
		}
		options.DirectMountFlags = flags
	} else {
		options.Options = append(slices.Clone(o.Kernel), "ro", "nosuid", "nodev")
		if o.NoExec {
			options.Options = append(options.Options, "noexec")
		}
	}
	server, err := fusefs.Mount(dir, t.root, options)
	if err != nil {
		return nil, err
	}
	closeOnExec()
	m := &Mounted{Dir: dir, tree: t, gone: make(chan struct{})}
	go func() {
		server.Wait()
		t.closeAll()
		close(m.gone)
	}()
	return m, nil
}

// closeOnExec keeps /dev/fuse from programs that are started later: go-fuse opens
// it without O_CLOEXEC. Who holds it keeps a mount alive that nobody serves, and
// waits for itself for ever when it closes a file in there.
func closeOnExec() {
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, name := range fds {
		fd, err := strconv.Atoi(name.Name())
		var st unix.Stat_t
		if err == nil && unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == fuseDevice {
			unix.CloseOnExec(fd)
		}
	}
}

// fuseDevice is the number of /dev/fuse (admin-guide/devices.txt).
var fuseDevice = unix.Mkdev(10, 229)

// mountHint says what to do about an error of mounting.
func mountHint(err error) error {
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return errNoHelper
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV):
		return fmt.Errorf("%w: /dev/fuse is missing: load the kernel module fuse, or give the container the device", err)
	case errors.Is(err, unix.EPERM) && cantEverMount():
		return fmt.Errorf("%w: this container or service lacks CAP_SYS_ADMIN: add --device /dev/fuse --cap-add SYS_ADMIN", err)
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("%w: mounting needs root, or fusermount3 and access to /dev/fuse", err)
	}
	if text := strings.TrimSpace(err.Error()); !strings.HasPrefix(text, "fusermount exited") {
		return errors.New(text)
	}
	return errors.New("fusermount3 refused, see its line above: it wants a mountpoint that is yours, and for allow_other a line user_allow_other in /etc/fuse.conf")
}

// raiseReadAhead lets the kernel ask for maxRead bytes at once, where it may: by
// default it reads ahead no more than 128 KiB.
func raiseReadAhead(d device) {
	file := fmt.Sprintf("/sys/class/bdi/%d:%d/read_ahead_kb", d.major, d.minor)
	_ = os.WriteFile(file, []byte(strconv.Itoa(maxRead>>10)), 0) // for speed alone
}
