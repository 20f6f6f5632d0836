package main

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// peer is another program that writes ZIP files. Where a reader fails on its
// archive of the same tree as well, and in the same way, the reader is to blame.
type peer struct {
	name  string
	write func(ctx context.Context, w *workplace, tree, archive, comment string) error
}

// byCommand returns the write function of a program. It runs in the tree's folder;
// ARCHIVE is the file to be written, COMMENT one that holds the comment.
func byCommand(command ...string) func(context.Context, *workplace, string, string, string) error {
	return func(ctx context.Context, w *workplace, tree, archive, comment string) error {
		file := archive + ".comment"
		if err := os.WriteFile(file, []byte(comment), 0o644); err != nil {
			return err
		}
		var line []string
		for _, word := range words(command, archive, "") {
			if word == "COMMENT" {
				word = file
			}
			line = append(line, word)
		}
		_, err := w.run(ctx, tree, nil, nil, line...)
		return err
	}
}

// byGo writes with Go's archive/zip, sizes and CRC-32 in the local headers.
func byGo(_ context.Context, _ *workplace, tree, archive, comment string) error {
	out, err := os.Create(archive)
	if err != nil {
		return err
	}
	defer out.Close()
	z := zip.NewWriter(out)
	if err := z.SetComment(comment); err != nil {
		return err
	}
	err = filepath.WalkDir(tree, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == tree {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		h, err := zip.FileInfoHeader(info)
		if err != nil {
			return err
		}
		h.Name = strings.TrimPrefix(p, tree+"/")
		var data io.Reader = strings.NewReader("")
		switch {
		case d.IsDir():
			h.Name += "/"
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			data, h.CRC32, h.UncompressedSize64 = strings.NewReader(target), crc32.ChecksumIEEE([]byte(target)), uint64(len(target))
		default:
			if _, h.CRC32, _, err = fileSums(p); err != nil {
				return err
			}
			f, err := os.Open(p)
			if err != nil {
				return err
			}
			defer f.Close()
			data = f
		}
		h.CompressedSize64 = h.UncompressedSize64
		to, err := z.CreateRaw(h)
		if err == nil {
			_, err = io.Copy(to, data)
		}
		return err
	})
	return errors.Join(err, z.Close(), out.Close())
}

const pythonWriter = `
import os, stat, sys, time, zipfile
out = sys.argv[1]
with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED, strict_timestamps=False) as z:
    for folder, folders, files in os.walk("."):
        folders.sort()
        for name in sorted(files + folders):
            path = os.path.join(folder, name)[2:]
            st = os.lstat(path)
            when = max((1980, 1, 1, 0, 0, 0), min((2107, 12, 31, 23, 59, 58), time.gmtime(st.st_mtime)[:6]))
            info = zipfile.ZipInfo(path + "/" * stat.S_ISDIR(st.st_mode), when)
            info.external_attr = st.st_mode << 16 | 0x10 * stat.S_ISDIR(st.st_mode)
            info.create_system = 3
            if stat.S_ISREG(st.st_mode):
                info.file_size = st.st_size
                with open(path, "rb") as src, z.open(info, "w") as dst:
                    while block := src.read(1 << 20):
                        dst.write(block)
            else:
                z.writestr(info, os.readlink(path) if stat.S_ISLNK(st.st_mode) else b"")
    if len(sys.argv) > 2:
        z.comment = open(sys.argv[2], "rb").read()
`

var peers = []peer{
	{"Info-ZIP zip", byCommand("sh", "-c", `zip -q -0 -r -y "$0" . && { [ ! -s "$1" ] || zip -q -z "$0" <"$1"; }`, "ARCHIVE", "COMMENT")},
	{"7-Zip", byCommand("7z", "a", "-bd", "-tzip", "-mx0", "-snl", "ARCHIVE", ".")},
	{"Python zipfile", byCommand("python3", "-c", pythonWriter, "ARCHIVE", "COMMENT")},
	{"Info-ZIP zip, deflated", byCommand("sh", "-c", `zip -q -6 -r -y "$0" .`, "ARCHIVE")},
	{"Go archive/zip", byGo},
	{"zip and zipalign", byCommand("sh", "-c", `zip -q -0 -r -y "$0.plain" . && zipalign -f 4096 "$0.plain" "$0"`, "ARCHIVE")},
}

// peerArchives makes archives of other programs when they are asked for, each
// once.
type peerArchives struct {
	w    *workplace
	mu   sync.Mutex
	made map[string]error
}

// archive returns the archive of a case's tree by another program.
func (p *peerArchives) archive(ctx context.Context, by peer, c *prepared) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	name := filepath.Join(p.w.dir, "peer", by.name, c.name+".zip")
	err, ok := p.made[name]
	if !ok {
		err = p.make(ctx, by, c, name)
		p.made[name] = err
	}
	return name, err
}

func (p *peerArchives) make(ctx context.Context, by peer, c *prepared, name string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if err := by.write(ctx, p.w, c.stored, name, c.comment); err != nil {
		return fmt.Errorf("%s: %w", by.name, err)
	}
	return nil
}
