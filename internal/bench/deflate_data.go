package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// goSources is the source tree of Go.
func goSources() (string, error) {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOROOT: %w", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "src"), nil
}

// keep adds a file that is there to a data set.
func (d *dataset) keep(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	d.files = append(d.files, path)
	d.size += info.Size()
	return nil
}

// fillTar makes a tar of Go's sources.
func (b *bench) fillTar(d *dataset) error {
	src, err := goSources()
	if err != nil {
		return err
	}
	return b.fillTarOf(d, filepath.Dir(src), "src")
}

// fillTarOf makes a tar of what is in a folder, or of the scale's part of it.
func (b *bench) fillTarOf(d *dataset, dir string, names ...string) error {
	path := filepath.Join(d.dir, "go.tar")
	if err := b.do(append([]string{"tar", "-C", dir, "--sort=name", "-cf", path}, names...)...); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if err := os.Truncate(path, max(1, int64(float64(info.Size())*b.scale))); err != nil {
		return err
	}
	return d.keep(path)
}

// fillLog makes one file of what a server logs.
func (b *bench) fillLog(d *dataset) error {
	path := filepath.Join(d.dir, "server.log")
	return errors.Join(writeLog(path, int64(b.scaled(2*gib)), 1), d.keep(path))
}

// fillMixed makes a tree of sources, of pictures, which are random bytes, and of logs.
func (b *bench) fillMixed(d *dataset) error {
	src, err := goSources()
	if err != nil {
		return err
	}
	left := int64(b.scaled(130 * mib))
	err = filepath.WalkDir(src, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		if left <= 0 {
			return fs.SkipAll
		}
		to := filepath.Join(d.dir, "src", strings.TrimPrefix(path, src))
		data, err := os.ReadFile(path)
		if err := errors.Join(err, os.MkdirAll(filepath.Dir(to), 0o755)); err != nil {
			return err
		}
		left -= int64(len(data))
		return errors.Join(os.WriteFile(to, data, 0o644), d.keep(to))
	})
	w := newFiller()
	add := func(err2 error, path string) { err = errors.Join(err, err2, d.keep(path)) }
	for i := range 40 {
		path := filepath.Join(d.dir, fmt.Sprintf("picture-%02d.jpg", i))
		add(w.write(path, int64(b.scaled(2*mib))), path)
	}
	for i := range 4 {
		path := filepath.Join(d.dir, fmt.Sprintf("disk-%d.bin", i))
		add(w.write(path, int64(b.scaled(10*mib))), path)
	}
	for i := range 10 {
		path := filepath.Join(d.dir, fmt.Sprintf("server-%d.log", i))
		add(writeLog(path, int64(b.scaled(5*mib)), uint64(i+2)), path)
	}
	return err
}

// writeLog writes so many bytes of lines, the same for the same seed.
func writeLog(path string, size int64, seed uint64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	rnd := rand.New(rand.NewPCG(seed, 1))
	level := func() string { return []string{"INFO", "INFO", "INFO", "DEBUG", "WARN", "ERROR"}[rnd.IntN(6)] }
	of := func(list ...string) string { return list[rnd.IntN(len(list))] }
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	w := bufio.NewWriterSize(f, mib)
	for left := size; left > 0; {
		at = at.Add(time.Duration(rnd.IntN(20_000)) * time.Microsecond)
		line := at.Format("2006-01-02T15:04:05.000Z") + " " + level() + " "
		switch rnd.IntN(5) {
		case 0, 1:
			line += fmt.Sprintf(`http: request served method=%s path=/api/v1/%s/%d status=%d client=10.%d.%d.%d duration=%dms`, of("GET", "GET", "POST", "PUT"),
				of("users", "orders", "items", "sessions"), rnd.IntN(100_000), []int{200, 200, 200, 304, 404, 500}[rnd.IntN(6)], rnd.IntN(4), rnd.IntN(256), rnd.IntN(256), rnd.IntN(900))
		case 2:
			line += fmt.Sprintf(`db: query finished table=%s rows=%d duration=%dus trace=%08x`, of("users", "orders", "items"), rnd.IntN(500), rnd.IntN(100_000), rnd.Uint32())
		case 3:
			line += fmt.Sprintf(`worker %d: job %08x finished after %d attempts, queue %s has %d more`, rnd.IntN(32), rnd.Uint32(), 1+rnd.IntN(3), of("mail", "thumbnails", "reports"), rnd.IntN(1000))
		case 4:
			line += fmt.Sprintf(`cache: evicted key=session:%08x age=%ds, size is %d bytes`, rnd.Uint32(), rnd.IntN(3600), rnd.IntN(65536))
		}
		n, err := io.WriteString(w, (line + "\n")[:min(int64(len(line)+1), left)])
		if err != nil {
			return err
		}
		left -= int64(n)
	}
	return errors.Join(w.Flush(), f.Close())
}
