package main

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// modes are how a mount may have the kernel read a file.
var modes = []struct {
	name  string
	flags []string
}{
	{"default", nil},
	{"direct_io", []string{"-o", "direct_io"}},
	{"kernel_cache", []string{"-o", "kernel_cache"}},
}

// matrixReader is a program that reads an archive. "{}" in its words is the archive,
// "{to}" a folder in memory, "{s3}" an S3 server.
type matrixReader struct {
	name  string
	words []string
	child string // of this program, instead of words
	s3    bool
}

var matrixReaders = []matrixReader{
	{name: "cat", words: []string{"cat", "{}"}},
	{name: "cp to memory", words: []string{"cp", "{}", "{to}/copy"}},
	{name: "dd bs=4K", words: []string{"dd", "if={}", "of=/dev/null", "bs=4K"}},
	{name: "dd bs=8K", words: []string{"dd", "if={}", "of=/dev/null", "bs=8K"}},
	{name: "dd bs=64K", words: []string{"dd", "if={}", "of=/dev/null", "bs=64K"}},
	{name: "dd bs=1M", words: []string{"dd", "if={}", "of=/dev/null", "bs=1M"}},
	{name: "unzip -t", words: []string{"unzip", "-tqq", "{}"}},
	{name: "7z t", words: []string{"7z", "t", "-bd", "{}"}},
	{name: "Python testzip", words: []string{"python3", "-c", "import sys, zipfile; sys.exit(zipfile.ZipFile(sys.argv[1]).testzip())", "{}"}},
	{name: "mmap", child: "mmap", words: []string{"{}"}},
	{name: "rsync", words: []string{"rsync", "--whole-file", "{}", "{to}/copy"}},
	{name: "curl file://", words: []string{"curl", "-s", "-o", "/dev/null", "file://{}"}},
	{name: "aws s3 cp", words: []string{"aws", "--endpoint-url", "{s3}", "s3", "cp", "--only-show-errors", "{}", "s3://bench/copy"}, s3: true},
}

// matrix has every program read through every mode.
func matrix(b *bench) error {
	d, err := b.makeHashed("matrix", files{4, int64(b.scaled(128 * mib))}, files{b.scaled(2000), 64 * kib})
	if err != nil {
		return err
	}
	to, err := b.inMemory()
	if err != nil {
		return err
	}
	s3, stop, err := b.startS3(to)
	if err != nil {
		b.note("aws s3 cp is left out: %v.", err)
	}
	defer stop()
	t := table{
		title:  fmt.Sprintf("Time to that of the best mode: an archive of 4 files of %d MiB and %d of 64 KiB", b.scaled(128), b.scaled(2000)),
		header: []string{"", "default", "-o direct_io", "-o kernel_cache", "default, s", "default, CPU s/GB"},
	}
	for _, reader := range matrixReaders {
		if reader.s3 && s3 == "" {
			continue
		}
		results, err := b.measure(reader.name, min(b.rounds, 3), b.matrixRows(d, reader, to, s3))
		if err != nil {
			return err
		}
		best := math.Inf(1)
		for _, r := range results {
			best = min(best, r.time)
		}
		b.recordAll(reader.name, d.size, results)
		b.record(reader.name, bestMode, "time", best, "s")
		cells := []string{reader.name}
		for _, m := range modes {
			cells = append(cells, ratio(find(results, m.name).time, best))
		}
		byDefault := find(results, modes[0].name)
		t.add(append(cells, number(byDefault.time), number(byDefault.cpu()/float64(d.size)*1e9))...)
	}
	t.print(b.stdout)
	return nil
}

const bestMode = "the best mode"

func (b *bench) matrixRows(d *dataset, r matrixReader, to, s3 string) (rows []row) {
	for _, m := range modes {
		rows = append(rows, row{m.name, func() (sample, error) {
			s, err := b.with(b.vzipPeer(m.name, m.flags...), d, func(path string, _ *mount) (sample, error) {
				c := command{env: s3Env}
				if r.child != "" {
					c = b.asChild(r.child)
				}
				for _, word := range r.words {
					c.words = append(c.words, strings.NewReplacer("{}", path, "{to}", to, "{s3}", s3).Replace(word))
				}
				return b.run(c)
			})
			_ = os.Remove(filepath.Join(to, "copy"))
			if err != nil && strings.Contains(err.Error(), "is not known") && m.flags != nil {
				return s, fmt.Errorf("-o %s: %w", m.name, errUnavailable)
			}
			return s, err
		}})
	}
	return rows
}

// s3Env is for the S3 server's clients.
var s3Env = []string{"AWS_ACCESS_KEY_ID=bench", "AWS_SECRET_ACCESS_KEY=bench-secret", "AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true"}

// startS3 starts an S3 server whose data is in memory.
func (b *bench) startS3(dir string) (url string, stop func(), err error) {
	stop = func() {}
	if _, err := os.Stat(b.versitygw); err != nil {
		return "", stop, errors.New("there is no bin/versitygw, which make bench installs")
	}
	address, err := freeAddress()
	if err != nil {
		return "", stop, err
	}
	root := filepath.Join(dir, "s3")
	if err := os.MkdirAll(filepath.Join(root, "bench"), 0o755); err != nil {
		return "", stop, err
	}
	cmd := b.cmd(command{words: []string{b.versitygw, "--access", "bench", "--secret", "bench-secret", "--port", address, "--quiet", "posix", root}})
	if err := cmd.Start(); err != nil {
		return "", stop, err
	}
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return "http://" + address, stop, nil
		}
	}
	stop()
	return "", func() {}, errors.New("the S3 server does not answer")
}
