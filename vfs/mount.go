package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// Options say how to mount.
type Options struct {
	// Source is the mount's first column in /proc/mounts and df.
	Source string
	// AllowOther lets other users than the one who mounts read the files.
	AllowOther bool
	// NoExec is mount(8)'s noexec; nosuid and nodev are always set.
	NoExec bool
	// Kernel are options for the kernel's FUSE, as in mount.fuse(8).
	Kernel []string
	// Warn takes what stops nothing, Debug what go-fuse says of requests that
	// nobody waits for any more. Both may be nil.
	Warn, Debug func(string)
}

// Mounted is a mount that is being served.
type Mounted struct {
	Dir    string // absolute, links resolved
	server *fuse.Server
	device device
}

const (
	// fsType is the file system's type in /proc/mounts: "fuse." and MountOptions.Name.
	fsType = "fuse.vzip"
	// maxRead is the largest read request, in bytes: the kernel's default limit.
	maxRead = 1 << 20
	// cacheTime is how long the kernel need not ask again about what never changes.
	cacheTime = time.Hour
	// maxBackground is how many requests of read-ahead may wait at once: so many
	// that a source which hangs leaves room for the others.
	maxBackground = 512
)

// CheckDir returns the absolute path of a mountpoint without links, or says why
// nothing can be mounted there.
func CheckDir(dir string) (string, error) {
	real, err := filepath.Abs(dir)
	if err == nil {
		real, err = filepath.EvalSymlinks(real)
	}
	switch {
	case isDead(err):
		return "", fmt.Errorf("mountpoint %s: a mount whose program died is still there: run vzip umount %s first", dir, dir)
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("mountpoint %s does not exist: make the folder first", dir)
	case err != nil:
		return "", fmt.Errorf("mountpoint %s: %w", dir, err)
	}
	fi, err := os.Stat(real)
	if isDead(err) {
		return "", fmt.Errorf("mountpoint %s: a mount whose program died is still there: run vzip umount %s first", dir, dir)
	}
	if err != nil {
		return "", fmt.Errorf("mountpoint %s: %w", dir, err)
	}
	if !fi.IsDir() {
		return "", fmt.Errorf("mountpoint %s is no folder", dir)
	}
	if mounted, err := IsMounted(real); err == nil && mounted {
		return "", fmt.Errorf("mountpoint %s shows archives already: run vzip umount %s first", dir, dir)
	}
	return real, CheckDevice()
}

// isDead tells the error of a mount whose program has ended.
func isDead(err error) bool {
	return errors.Is(err, unix.ENOTCONN) || errors.Is(err, unix.ECONNABORTED)
}

// CheckDevice says why FUSE can't be used at all. fusermount3 opens the device
// with the user's own rights.
func CheckDevice() error {
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("%w: load the kernel module fuse, give this user access to the device, or in a container add --device /dev/fuse --cap-add SYS_ADMIN", err)
	}
	return f.Close()
}

// Mount shows files at dir, which CheckDir gave, and serves them until they are
// unmounted. Root mounts by itself, other users through fusermount3.
func Mount(dir string, files []File, o Options) (*Mounted, error) {
	for _, f := range []*func(string){&o.Warn, &o.Debug} {
		if *f == nil {
			*f = func(string) {}
		}
	}
	timeout := cacheTime
	options := &fusefs.Options{
		EntryTimeout: &timeout, AttrTimeout: &timeout, NegativeTimeout: &timeout,
		UID:            uint32(os.Geteuid()),
		GID:            uint32(os.Getegid()),
		RootStableAttr: &fusefs.StableAttr{Ino: fuse.FUSE_ROOT_ID},
		Logger:         newLogger(o.Debug),
		MountOptions: fuse.MountOptions{
			AllowOther:    o.AllowOther,
			FsName:        o.Source,
			Name:          "vzip",
			MaxWrite:      maxRead,
			MaxBackground: maxBackground,
			// Splicing may turn a failing read into a short reply, and pages in a
			// pipe may change after they were checked.
			DisableSplice: true,
			DisableXAttrs: true,
			Options:       slices.Clone(o.Kernel),
			Logger:        newLogger(o.Debug),
			PanicHandler: func(v any) fuse.Status {
				o.Warn(fmt.Sprintf("a defect in vzip made a request fail: %v", v))
				return fuse.EIO
			},
		},
	}
	direct := os.Geteuid() == 0
	server, err := mount(dir, files, options, o, direct)
	if direct && errors.Is(err, unix.EPERM) {
		// Root without CAP_SYS_ADMIN, in a container: the helper may have it.
		if s, helperErr := mount(dir, files, options, o, false); helperErr == nil {
			server, err = s, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("mounting at %s failed: %w", dir, mountHint(err))
	}
	m := &Mounted{Dir: dir, server: server}
	if top, err := topMount(dir); err == nil && top != nil && top.FSType == fsType {
		m.device = deviceOf(top)
		raiseReadAhead(m.device)
	}
	return m, nil
}

func mount(dir string, files []File, options *fusefs.Options, o Options, direct bool) (*fuse.Server, error) {
	m := &options.MountOptions
	m.DirectMountStrict = direct
	if direct {
		m.DirectMountFlags = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV
		if o.NoExec {
			m.DirectMountFlags |= unix.MS_NOEXEC
		}
	} else {
		m.Options = append(slices.Clone(o.Kernel), "ro", "nosuid", "nodev")
		if o.NoExec {
			m.Options = append(m.Options, "noexec")
		}
	}
	top := root(files) // go-fuse takes a tree for one mount only
	server, err := fusefs.Mount(dir, top, options)
	if err == nil {
		closeOnExec()
	}
	return server, err
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
		return errors.New("fusermount3 is missing, and only root can mount without it: install the package fuse3")
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV):
		return fmt.Errorf("%w: /dev/fuse is missing: load the kernel module fuse, or give the container the device", err)
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
