package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
)

// Programs that people read archives with: those that extract, those that list,
// those that say yes or no, and those that mount.
var toolReaders = []reader{
	{"unzip", "unzip", content | modes | links | mtime | owners | unsorted | noLinkTimes,
		extract("unzip", "-qq", "-o", "-K", "-X", "ARCHIVE")},
	{"unzip -t", "unzip", lastOnly, verdict("unzip", "-tqq", "ARCHIVE")},
	{"zipinfo", "unzip", size | crc | modes | mtime, zipinfo},
	{"funzip", "unzip", content | onlyOne, firstOf("funzip")},
	{"zip -T", "zip", lastOnly, verdict("zip", "-T", "-q", "ARCHIVE")},
	{"7z x", "p7zip-full", content | modes | links | mtime | unsorted, extract("7z", "x", "-y", "-bd", "-snld20", "ARCHIVE")},
	{"7z l", "p7zip-full", size | crc | modes | mtime | fewDirs, sevenZipList},
	{"bsdtar", "libarchive-tools", content | modes | links | mtime | owners | unsorted,
		extract("bsdtar", "-x", "-p", "-P", "--same-owner", "--numeric-owner", "-f", "ARCHIVE")},
	{"bsdtar from a pipe", "libarchive-tools", content | mtime | unsorted,
		piped(extract("bsdtar", "-x", "-p", "-P", "--same-owner", "--numeric-owner", "-f", "-"))},
	{"bsdcpio from a pipe", "libarchive-tools", content | mtime | unsorted,
		piped(extract("bsdcpio", "-i", "-d", "-m", "--quiet", "--insecure"))},
	{"zipdetails", "perl", lastOnly, verdict("sh", "-c", `zipdetails "$0" >out && grep -q "END CENTRAL HEADER" out`, "ARCHIVE")},
	{"unar", "unar", content | links | modes | mtime | dosTime | unsorted, extract("unar", "-q", "-D", "-o", ".", "ARCHIVE")},
	{"lsar", "unar", size | crc | modes | mtime | dosTime, lsar},
	{"jar xf", "default-jdk-headless", content | mtime | fewDirs | unsorted, extract("jar", "xf", "ARCHIVE")},
	{"busybox unzip", "busybox", content | modes | links | fewDirs | unsorted, extract("busybox", "unzip", "-q", "-o", "ARCHIVE")},
	{"sqlite3 zipfile()", "sqlite3", size | content | modes | mtime | links, sqlite},
	{"zipcmp with Python's", "zipcmp", lastOnly, zipcmp},
	{"ziptool", "ziptool", size | crc | dosTime, ziptool},
	{"advzip -t", "advancecomp", lastOnly, verdict("advzip", "-t", "-q", "ARCHIVE")},
	{"miniunzip", "minizip", content | dosTime | fewDirs | unsorted, extract("miniunzip", "-o", "ARCHIVE")},
	{"zipalign -c", "zipalign", lastOnly, verdict("zipalign", "-c", "1", "ARCHIVE")},
	{"aapt list", "aapt", size | crc, aapt},
	{"fuse-zip", "fuse-zip", content | modes | links | mtime | owners | unsorted, mounted("fuse-zip", "-f", "-r", "-o", "nodev", "ARCHIVE", "MOUNT")},
	{"archivemount", "archivemount", content | modes | links | mtime | owners | unsorted, mounted("archivemount", "-f", "-o", "ro,nobackup", "ARCHIVE", "MOUNT")},
	{"avfs", "avfs", content | links | dosTime | unsorted, avfs},
}

// words puts an archive's path, and a mount point, into a command.
func words(command []string, archive, mount string) []string {
	var out []string
	for _, word := range command {
		switch word {
		case "ARCHIVE":
			word = archive
		case "MOUNT":
			word = mount
		}
		out = append(out, word)
	}
	return out
}

// extract runs a program in an empty folder, and returns what it leaves there.
func extract(command ...string) func(context.Context, *workplace, string) ([]entry, error) {
	return func(ctx context.Context, w *workplace, archive string) ([]entry, error) {
		dir, done, err := w.scratch()
		if err != nil {
			return nil, err
		}
		defer done()
		in, err := stdin(ctx)
		if err != nil {
			return nil, err
		}
		if in != nil {
			defer in.Close()
		}
		if _, err := w.run(ctx, dir, in, nil, words(command, archive, "")...); err != nil {
			return nil, err
		}
		return walkTree(dir)
	}
}

// pipeKey carries the archive of a reader that gets it through a pipe.
type pipeKey struct{}

// piped gives a program the archive through a pipe, which can't be sought in.
func piped(run func(context.Context, *workplace, string) ([]entry, error)) func(context.Context, *workplace, string) ([]entry, error) {
	return func(ctx context.Context, w *workplace, archive string) ([]entry, error) {
		return run(context.WithValue(ctx, pipeKey{}, archive), w, archive)
	}
}

// stdin returns a pipe that the archive comes from, nil for readers that open it.
func stdin(ctx context.Context) (*os.File, error) {
	archive, ok := ctx.Value(pipeKey{}).(string)
	if !ok {
		return nil, nil
	}
	in, out, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	f, err := os.Open(archive)
	if err != nil {
		return nil, errors.Join(err, in.Close(), out.Close())
	}
	go func() {
		defer f.Close()
		defer out.Close()
		_, _ = f.WriteTo(out) // a reader that ends early says why
	}()
	return in, nil
}

// verdict runs a program that tests an archive.
func verdict(command ...string) func(context.Context, *workplace, string) ([]entry, error) {
	return func(ctx context.Context, w *workplace, archive string) ([]entry, error) {
		_, err := w.output(ctx, words(command, archive, "")...)
		return nil, err
	}
}

// firstOf runs a program that writes the first file of a pipe.
func firstOf(command ...string) func(context.Context, *workplace, string) ([]entry, error) {
	return piped(func(ctx context.Context, w *workplace, _ string) ([]entry, error) {
		in, err := stdin(ctx)
		if err != nil {
			return nil, err
		}
		defer in.Close()
		h := sha256.New()
		_, err = w.run(ctx, w.dir, in, h, command...)
		return []entry{{kind: 'f', told: content, sha: hex.EncodeToString(h.Sum(nil))}}, err
	})
}

// mounted mounts an archive as folders again, and returns what stands there. The
// program stays in the foreground.
func mounted(command ...string) func(context.Context, *workplace, string) ([]entry, error) {
	return func(ctx context.Context, w *workplace, archive string) ([]entry, error) {
		dir, done, err := w.scratch()
		if err != nil {
			return nil, err
		}
		defer done()
		unmount, err := w.serve(ctx, dir, words(command, archive, dir)...)
		if err != nil {
			return nil, err
		}
		defer unmount()
		return walkTree(dir)
	}
}

// avfs shows an archive as the folder "archive.zip#".
func avfs(ctx context.Context, w *workplace, archive string) ([]entry, error) {
	dir, done, err := w.scratch()
	if err != nil {
		return nil, err
	}
	defer done()
	unmount, err := w.serve(ctx, dir, "avfsd", "-f", "-o", "ro", dir)
	if err != nil {
		return nil, err
	}
	defer unmount()
	return walkTree(dir + archive + "#")
}
