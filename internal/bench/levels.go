package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	compressor "vzip/internal/deflate"
)

var levelSets = []struct {
	name, title string
	fill        func(*bench, *dataset) error
}{
	{"tar", "a tar of Go's sources", (*bench).fillTar},
	{"programs", "a tar of Go's programs", (*bench).fillPrograms},
	{"log", "a log file", func(b *bench, d *dataset) error {
		path := filepath.Join(d.dir, "server.log")
		return errors.Join(writeLog(path, int64(b.scaled(64*mib)), 1), d.keep(path))
	}},
}

// fillPrograms makes a tar of the programs of Go.
func (b *bench) fillPrograms(d *dataset) error {
	out, err := exec.Command("go", "env", "GOROOT", "GOTOOLDIR").Output()
	if err != nil {
		return fmt.Errorf("go env: %w", err)
	}
	words := strings.Fields(string(out))
	return b.fillTarOf(d, words[0], "bin", strings.TrimPrefix(words[1], words[0]+"/"))
}

// levels compares what each level makes with zip's, on one core.
func levels(b *bench) error {
	for _, set := range levelSets {
		d, err := b.toDeflate(set.name, set.fill)
		if err != nil {
			return err
		}
		list, err := b.list(d)
		if err != nil {
			return err
		}
		t := table{title: fmt.Sprintf("%s, %.0f MB", set.title, float64(d.size)/1e6),
			header: []string{"level", "vzip, MB", "zip, MB", "size to zip's", "CPU to zip's", "vzip on one core, MB/s"}}
		out := b.path("out.archive.zip")
		for n := compressor.MinLevel; n <= compressor.MaxLevel; n++ {
			level := strconv.Itoa(n)
			zip := b.makerRow(zipMaker{"zip -" + level, []string{"zip", "-" + level, "-q", "-r", out, filepath.Base(d.dir)}, nil}, out)
			name := "vzip's compressor, level " + level
			results, err := b.measure(d.name, 1, nil, row{name, func() (sample, error) { return b.loopOf("deflate", level, list) }}, zip)
			if err != nil {
				return err
			}
			ours, zips := find(results, name), find(results, zip.name)
			b.recordAll(d.name, d.size, results)
			b.record(d.name, name, "size to zip", ours.extra["size"]/zips.extra["size"], "")
			t.add(level, number(ours.extra["size"]/1e6), number(zips.extra["size"]/1e6), ratio(ours.extra["size"], zips.extra["size"]), ratio(ours.cpu(), zips.cpu()), number(float64(d.size)/1e6/ours.time))
		}
		t.print(b.stdout)
		if err := errors.Join(os.RemoveAll(d.dir), b.ctx.Err()); err != nil {
			return err
		}
	}
	return nil
}
