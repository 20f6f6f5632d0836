package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// hashRemembered counts what is read of sources whose CRCs are remembered.
func (b *bench) hashRemembered(of, title string, d *dataset) error {
	if err := b.remember(d); err != nil {
		return err
	}
	// Counting has to work where everything is read.
	all, err := b.sourceBytes(d, "--cache", b.path("empty-cache", "of-trace"))
	if err == nil && all < float64(d.size) {
		err = fmt.Errorf("strace shows %.0f bytes where %d were read", all, d.size)
	}
	if err != nil {
		return err
	}
	read, err := b.sourceBytes(d)
	if err != nil {
		return err
	}
	b.record(of+", remembered", vzipHash, "source bytes read", read, "B")
	b.note("%s, hashed again: strace shows that %.0f bytes of the sources are read; %.0f where nothing is remembered.", title, read, all)
	return nil
}

// sourceBytes counts what vzip hash reads of the sources.
func (b *bench) sourceBytes(d *dataset, flags ...string) (sum float64, err error) {
	folder := b.path("trace") // a file a thread: no line is broken off by another thread's
	if err := os.Mkdir(folder, 0o755); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	words := []string{"strace", "-ff", "--seccomp-bpf", "-y", "-e", "trace=read,pread64,readv,preadv,preadv2", "-o", folder + "/thread", b.vzip, "hash", "--quiet"}
	if err := b.do(append(append(words, flags...), d.layout)...); err != nil {
		return 0, err
	}
	threads, err := os.ReadDir(folder)
	if err != nil {
		return 0, err
	}
	for _, thread := range threads {
		text, err := os.ReadFile(folder + "/" + thread.Name())
		if err != nil {
			return 0, err
		}
		sum += tracedBytes(text, d.dir+"/")
	}
	return sum, nil
}

// traced is a line of strace -y that has a file, and a result.
var traced = regexp.MustCompile(`\d+<([^>]*)>.*= (\d+)$`)

// tracedBytes sums what a thread's trace shows as read of files below a folder.
func tracedBytes(trace []byte, folder string) (sum float64) {
	for line := range bytes.Lines(trace) {
		if m := traced.FindSubmatch(bytes.TrimSpace(line)); m != nil && strings.HasPrefix(string(m[1]), folder) {
			n, _ := strconv.ParseFloat(string(m[2]), 64) // digits
			sum += n
		}
	}
	return sum
}
