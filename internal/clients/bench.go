package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/servers"
)

// bench is what all cells share.
type bench struct {
	dir, vzip string
	image     string // disk image that holds the gated source, as each cell gets it
	dataAt    int64  // where its bytes stand in the image
	now, next []byte // the archive, and that of the next generation
	sources   map[string][]byte
	sinkURL   string // our own server's
	servers   map[server]*servers.Server
}

// fullSizes are those of the archive's entries in bytes: several parts for clients
// that upload in parts of 5 or 8 MiB, before and behind the gated entry.
var fullSizes = [3]int{24 << 20, 4 << 20, 28 << 20}

// imageSize is that of the disk, in bytes.
const imageSize = 16 << 20

// archiveName is the archive's path in the mount, and its copy's name.
const archiveName = "a.zip"

func (b *bench) path(elem ...string) string {
	return filepath.Join(append([]string{b.dir}, elem...)...)
}

// makeSources makes source files, the disk image, and the archives that clients
// have to end up with.
func (b *bench) makeSources(ctx context.Context, sizes [3]int) error {
	random := rand.NewChaCha8([32]byte{1})
	fill := func(size int) []byte {
		p := make([]byte, size)
		_, _ = random.Read(p)
		return p
	}
	b.sources = map[string][]byte{"1-first.bin": fill(sizes[0]), "2-gated.bin": fill(sizes[1]), "3-last.bin": fill(sizes[2])}
	for _, d := range []string{"disk", "mnt", "home/.aws"} {
		if err := os.MkdirAll(b.path(d), 0o755); err != nil {
			return err
		}
	}
	for name, data := range map[string][]byte{
		"first.bin": b.sources["1-first.bin"], "last.bin": b.sources["3-last.bin"], "next.bin": fill(sizes[0]),
		// One part at a time: some are opened before the fault and some behind it for certain, as with
		// the usual ten of a larger archive.
		"home/.aws/config": []byte("[default]\nregion = us-east-1\ns3 =\n  max_concurrent_requests = 1\n"),
	} {
		if err := os.WriteFile(b.path(name), data, 0o644); err != nil {
			return err
		}
	}
	b.image = b.path("pristine.img")
	if err := b.makeImage(ctx); err != nil {
		return fmt.Errorf("disk image: %w", err)
	}
	return b.readArchives(ctx)
}

// makeImage makes a small file system with the gated source. It has no journal, so
// nothing but this file's data stands behind the file's first byte.
func (b *bench) makeImage(ctx context.Context) error {
	if err := os.WriteFile(b.image, nil, 0o600); err != nil {
		return err
	}
	if err := os.Truncate(b.image, imageSize); err != nil {
		return err
	}
	if err := b.command(ctx, "mkfs.ext4", "-q", "-O", "^has_journal", b.image); err != nil {
		return err
	}
	umount, err := b.mountImage(ctx, b.image)
	if err != nil {
		return err
	}
	err = os.WriteFile(b.path("disk", "gated.bin"), b.sources["2-gated.bin"], 0o644)
	if err := errors.Join(err, umount()); err != nil {
		return err
	}
	data, err := os.ReadFile(b.image)
	if err != nil {
		return err
	}
	if b.dataAt = int64(bytes.Index(data, b.sources["2-gated.bin"])); b.dataAt < 0 {
		return errors.New("the source stands there in pieces")
	}
	return nil
}

func (b *bench) mountImage(ctx context.Context, image string) (umount func() error, err error) {
	if err := b.command(ctx, "mount", "-o", "loop,noatime", image, b.path("disk")); err != nil {
		return nil, err
	}
	return func() error {
		var err error
		for range 50 { // whoever was killed may still be about to close it
			if err = unix.Unmount(b.path("disk"), 0); !errors.Is(err, unix.EBUSY) {
				return err
			}
			time.Sleep(20 * time.Millisecond)
		}
		return errors.Join(err, unix.Unmount(b.path("disk"), unix.MNT_DETACH))
	}, nil
}

// writeLayout writes the layout of this generation or of the next one.
func (b *bench) writeLayout(path string, next bool) error {
	first := "first.bin" // what is read before the fault: no mix of generations is equal to one
	if next {
		first = "next.bin"
	}
	return os.WriteFile(path, fmt.Appendf(nil, `version: 1
archives:
  - name: %s
    entries:
      - {source: %s, as: 1-first.bin}
      - {source: %s, as: 2-gated.bin}
      - {source: %s, as: 3-last.bin}
`, archiveName, b.path(first), b.path("disk", "gated.bin"), b.path("last.bin")), 0o644)
}

// readArchives gets both generations, which also fills the cache of CRCs: no cell
// hashes.
func (b *bench) readArchives(ctx context.Context) (err error) {
	umount, err := b.mountImage(ctx, b.image)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, umount()) }()
	for _, g := range []struct {
		to   *[]byte
		next bool
	}{{&b.now, false}, {&b.next, true}} {
		layout := b.path("layout.yaml")
		if err := b.writeLayout(layout, g.next); err != nil {
			return err
		}
		var out, stderr bytes.Buffer
		cmd := exec.CommandContext(ctx, b.vzip, "cat", "--quiet", "--cache", b.path("cache"), layout, archiveName)
		cmd.Stdout, cmd.Stderr = &out, &stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("vzip cat: %w: %s", err, strings.TrimSpace(stderr.String()))
		}
		*g.to = out.Bytes()
	}
	if len(b.now) != len(b.next) || bytes.Equal(b.now, b.next) {
		return errors.New("the generations should differ, and have one size")
	}
	return nil
}

// command runs a program that is none of the clients.
func (b *bench) command(ctx context.Context, words ...string) error {
	if out, err := exec.CommandContext(ctx, words[0], words[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", words[0], err, strings.TrimSpace(string(out)))
	}
	return nil
}

func (b *bench) vzipRun(ctx context.Context, words ...string) error {
	return b.command(ctx, append([]string{b.vzip}, words...)...)
}
