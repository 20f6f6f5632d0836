package rig

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Kind is a kind of file system.
type Kind struct {
	Name string
	// Needs are what it takes to make one, as for require.Needs.
	Needs []string
	// Coarse file systems stamp whole seconds.
	Coarse bool
	Size   int64    // of its image, in bytes; 0: imageSize
	Mkfs   []string // the command that makes it, in an image; none for tmpfs
	Type   string   // for mount(2)
	upper  bool     // an overlay on it
}

// Kinds are the file systems that sources are put on. ext4 with 128-byte inodes has
// no room for more than whole seconds; tmpfs stamps after the fact; overlay does
// not see writers below it.
var Kinds = []Kind{
	{Name: "ext4", Needs: []string{"root", "mkfs.ext4"}, Mkfs: []string{"mkfs.ext4", "-q", "-F", "-O", "^has_journal"}, Type: "ext4"},
	{Name: "ext4-128", Needs: []string{"root", "mkfs.ext4"}, Mkfs: []string{"mkfs.ext4", "-q", "-F", "-I", "128", "-O", "^has_journal"}, Type: "ext4", Coarse: true},
	{Name: "xfs", Needs: []string{"root", "mkfs.xfs"}, Mkfs: []string{"mkfs.xfs", "-q", "-f", "-m", "reflink=1"}, Type: "xfs"},
	{Name: "btrfs", Needs: []string{"root", "mkfs.btrfs"}, Mkfs: []string{"mkfs.btrfs", "-q", "-f"}, Type: "btrfs"},
	{Name: "tmpfs", Needs: []string{"root"}, Type: "tmpfs"},
	{Name: "overlay", Needs: []string{"root", "mkfs.ext4"}, Mkfs: []string{"mkfs.ext4", "-q", "-F", "-O", "^has_journal"}, Type: "ext4", upper: true},
}

// imageSize is the size of an image, in bytes. It is sparse; btrfs and xfs want
// room.
const imageSize = 1 << 30

// Place is a mounted file system.
type Place struct {
	Kind
	Dir    string   // where its files are
	mounts []string // to be unmounted, the last first
	image  string
}

// Make makes a file system in the folder dir, which has to exist, and mounts it
// there. Close takes it away.
func (k Kind) Make(ctx context.Context, dir string) (*Place, error) {
	p := &Place{Kind: k, Dir: filepath.Join(dir, "files")}
	err := p.make(ctx, dir)
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func (p *Place) make(ctx context.Context, dir string) error {
	disk := p.Dir
	if p.upper {
		disk = filepath.Join(dir, "disk")
	}
	if err := errors.Join(os.Mkdir(p.Dir, 0o755), os.MkdirAll(disk, 0o755)); err != nil {
		return err
	}
	if len(p.Mkfs) == 0 {
		return p.add(disk, "tmpfs", p.Type, "size=1g")
	}
	p.image = filepath.Join(dir, "image")
	f, err := os.Create(p.image)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(cmp.Or(p.Size, imageSize)), f.Close()); err != nil {
		return err
	}
	if err := run(ctx, p.Mkfs[0], append(p.Mkfs[1:len(p.Mkfs):len(p.Mkfs)], p.image)...); err != nil {
		return err
	}
	// The loop device ends with its mount.
	if err := run(ctx, "mount", "-t", p.Type, "-o", "loop", p.image, disk); err != nil {
		return err
	}
	p.mounts = append(p.mounts, disk)
	if !p.upper {
		return nil
	}
	var dirs []any
	for _, name := range []string{"lower", "upper", "work"} {
		sub := filepath.Join(disk, name)
		if err := os.Mkdir(sub, 0o755); err != nil {
			return err
		}
		dirs = append(dirs, sub)
	}
	return p.add(p.Dir, "overlay", "overlay", fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", dirs...))
}

func (p *Place) add(dir, source, fsType, options string) error {
	if err := unix.Mount(source, dir, fsType, 0, options); err != nil {
		return fmt.Errorf("mounting %s at %s: %w", fsType, dir, err)
	}
	p.mounts = append(p.mounts, dir)
	return nil
}

// Lower returns the folder below an overlay where files can be put before they
// are copied up; "" elsewhere.
func (p *Place) Lower() string {
	if !p.upper {
		return ""
	}
	return filepath.Join(filepath.Dir(p.Dir), "disk", "lower")
}

// Close unmounts, and removes the image.
func (p *Place) Close() (err error) {
	for i := len(p.mounts) - 1; i >= 0; i-- {
		if e := Idle(func() error { return unix.Unmount(p.mounts[i], 0) }); e != nil {
			err = errors.Join(err, fmt.Errorf("unmounting %s: %w", p.mounts[i], e), Detach(p.mounts[i]))
		}
	}
	p.mounts = nil
	if p.image != "" {
		err = errors.Join(err, os.Remove(p.image))
		p.image = ""
	}
	return err
}

// run runs a program whose output matters only when it fails.
func run(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, clip(out))
	}
	return nil
}

func clip(b []byte) []byte {
	const most = 2000
	return b[:min(len(b), most)]
}
