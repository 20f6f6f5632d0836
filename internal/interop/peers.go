package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// peer is another program that writes ZIP files. Where a reader fails on its
// archive of the same tree as well, and in the same way, the reader is to blame.
type peer struct {
	name    string
	command []string // run in the tree's folder; ARCHIVE is the file to be written
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
	{"Info-ZIP zip", []string{"sh", "-c", `zip -q -0 -r -y "$0" . && { [ ! -s "$1" ] || zip -q -z "$0" <"$1"; }`, "ARCHIVE", "COMMENT"}},
	{"7-Zip", []string{"7z", "a", "-bd", "-tzip", "-mx0", "-snl", "ARCHIVE", "."}},
	{"Python zipfile", []string{"/usr/bin/python3", "-c", pythonWriter, "ARCHIVE", "COMMENT"}},
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
	comment := name + ".comment"
	if err := os.WriteFile(comment, []byte(c.comment), 0o644); err != nil {
		return err
	}
	var command []string
	for _, word := range words(by.command, name, "") {
		if word == "COMMENT" {
			word = comment
		}
		command = append(command, word)
	}
	if _, err := p.w.run(ctx, c.stored, nil, command...); err != nil {
		return fmt.Errorf("%s: %w", by.name, err)
	}
	return nil
}
