package main

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const vzipJob = "vzip exec: hash, mount, cp"

// pythonZIP stores the folder $2 in the ZIP $1.
const pythonZIP = `import os, sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_STORED) as z:
    for folder, _, names in os.walk(sys.argv[2]):
        for name in names:
            z.write(os.path.join(folder, name))
`

// zipMaker is a program that writes a stored ZIP of a folder.
type zipMaker struct {
	name       string
	words, env []string
}

const sevenZip = "7z a -tzip -mx0"

// zipMakers are those that are programs of their own; they run in the folder that tree
// is in.
func zipMakers(out, tree string) []zipMaker {
	return []zipMaker{
		{sevenZip, []string{"7z", "a", "-tzip", "-mx0", "-bso0", "-bsp0", out, tree}, nil},
		{"zip -0 -r", []string{"zip", "-0", "-q", "-r", out, tree}, nil},
		{"bsdtar --format zip, stored", []string{"bsdtar", "-c", "--format", "zip", "--options", "zip:compression=store", "-f", out, tree}, nil},
	}
}

// job goes from a tree to a copy of its ZIP, which stands for an upload: by vzip, with
// nothing remembered, and by programs that write the ZIP first.
func job(b *bench) error {
	scale := b.scale * b.fit(int64(8*gib*b.scale), 2)
	part := func(n int64) int64 { return max(1, int64(float64(n)*scale)) }
	d, err := b.makeHashed("job", files{6, part(gib)}, files{int(part(1024)), mib}, files{int(part(65536)), 16 * kib})
	if err != nil {
		return err
	}
	out, upload := b.path("out.zip"), b.path("upload")
	makers := append(zipMakers(out, "job"),
		zipMaker{"Python zipfile, stored", []string{"python3", "-c", pythonZIP, out, "job"}, nil},
		zipMaker{"Go archive/zip, stored", []string{b.self, out, "job"}, []string{childVariable + "=gozip"}},
	)
	rest := func() error { // between two of them; the disk is at rest again
		for _, file := range []string{out, upload} {
			if err := os.RemoveAll(file); err != nil {
				return err
			}
		}
		return b.settle()
	}
	rows := []row{{vzipJob, func() (s sample, err error) {
		if err := errors.Join(rest(), os.RemoveAll(b.path("empty-cache"))); err != nil {
			return s, err
		}
		s, err = b.run(command{words: []string{b.vzip, "exec", "--quiet", "--cache", b.path("empty-cache"), d.layout, "--",
			"sh", "-c", `cp "$VZIP_MOUNT/job.zip" "$1"`, "sh", upload}})
		if err != nil {
			return s, err
		}
		info, err := os.Stat(upload)
		if err != nil {
			return s, err
		}
		s.extra["written to written once"] = s.extra["written"] / float64(info.Size())
		return s, nil
	}}}
	for _, known := range []bool{false, true} {
		rows = append(rows, b.readyRow(d, known))
	}
	for _, m := range makers {
		rows = append(rows, row{m.name + ", cp", func() (s sample, err error) {
			if err := rest(); err != nil {
				return s, err
			}
			words := []string{"sh", "-c", `"$@" && cp "` + out + `" "` + upload + `"`, "sh"}
			return b.run(command{dir: b.dir, words: append(words, m.words...), env: m.env})
		}})
	}
	results, err := b.measure("job", min(b.rounds, 3), rows)
	if err != nil {
		return err
	}
	b.recordAll("tree", d.size, results)
	fastest := ""
	t := table{
		title:  fmt.Sprintf("A tree of %.2f GB: 6 files of %d MiB, %d of 1 MiB, %d of 16 KiB", float64(d.size)/1e9, part(gib)/mib, part(1024), part(65536)),
		header: []string{"", "s", "time to vzip's", "CPU s", "CPU to vzip's", "GB written to disk"},
	}
	vzip := find(results, vzipJob)
	for _, r := range results {
		if !strings.HasPrefix(r.name, "vzip ") && (fastest == "" || r.time < find(results, fastest).time) {
			fastest = r.name
		}
		t.add(r.name, number(r.time), ratio(r.time, vzip.time), number(r.cpu()), ratio(r.cpu(), vzip.cpu()), number(r.extra["written"]/1e9))
	}
	t.print(b.stdout)
	b.record("tree", fastestOther, "time", find(results, fastest).time, "s")
	return rest()
}

// readyRow mounts, which is when an archive can be read, and unmounts.
func (b *bench) readyRow(d *dataset, known bool) row {
	name, cache := "vzip exec: mount alone, nothing remembered", b.path("empty-cache")
	if known {
		name, cache = "vzip exec: mount alone, CRC-32s remembered", b.path("cache", "vzip")
	}
	return row{name, func() (s sample, err error) {
		if !known {
			if err := os.RemoveAll(cache); err != nil {
				return s, err
			}
		}
		return b.run(command{words: []string{b.vzip, "exec", "--quiet", "--cache", cache, d.layout, "--", "true"}})
	}}
}

const fastestOther = "the fastest other"

// goZIPChild stores a folder in a ZIP with Go's standard library: ZIP FOLDER.
func goZIPChild(args []string) (err error) {
	if len(args) != 2 {
		return errors.New("the words are ZIP FOLDER")
	}
	out, err := os.Create(args[0])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	z := zip.NewWriter(out)
	err = filepath.WalkDir(args[1], func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		header, err := zip.FileInfoHeader(info)
		if err != nil {
			return err
		}
		header.Name, header.Method = path, zip.Store
		w, err := z.CreateHeader(header)
		if err != nil {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(w, f)
		return err
	})
	return errors.Join(err, z.Close())
}
