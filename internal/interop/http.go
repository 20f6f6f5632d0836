package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// webArchive is an archive as it is served over HTTP, and what it has to be.
type webArchive struct {
	*prepared
	url  string
	size int64
	sha  string // SHA-256 of what vzip cat writes, in hex
}

// webCases are the archives that are read over HTTP: some of the table, and one whose
// own name is odd. All have more bytes than a program reads at once, so that it can be
// interrupted.
var webCases = []string{"plain", "aligned", "deflated", "nested", "count", "large"}

var oddCase = testCase{
	name: "odd", what: "an archive whose own name has a folder, blanks, umlauts, `%`, `#`, `?`, `&`, `+`, `;` and quotes, with the entries of names, and 3 MB",
	archive: `fólder & more/100% #1? "ü"+b; c.zip`,
	nodes:   func() []node { return sorted(append(nameTree(), text("noise", noise(3_000_001, 8)))) },
}

// webTestCases are the columns of the table.
func webTestCases() []testCase {
	all := []testCase{oddCase}
	for _, name := range webCases {
		for _, c := range testCases {
			if c.name == name {
				all = append(all, c)
			}
		}
	}
	return all
}

var servedAt = regexp.MustCompile(` archives at (http://\S+/)`)

// serveHTTP serves a layout's archives over HTTP through the program under test. The
// function that it returns ends that.
func (w *workplace) serveHTTP(ctx context.Context, layout string) (root string, stop func() error, err error) {
	cmd := w.command(ctx, w.dir, w.vzip, "serve", "--listen", "127.0.0.1:0", "--ready", "hashed", "--cache", filepath.Join(w.dir, "cache"), layout)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	var said []string
	lines := bufio.NewScanner(stderr)
	for root == "" && lines.Scan() {
		said = append(said, lines.Text())
		if m := servedAt.FindStringSubmatch(lines.Text()); m != nil {
			root = m[1]
		}
	}
	if root == "" {
		return "", nil, fmt.Errorf("vzip serve: %v: %s", cmd.Wait(), strings.Join(said, "; "))
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(io.Discard, stderr)
	}()
	return root, func() error {
		err := cmd.Process.Signal(syscall.SIGTERM)
		<-read // Wait closes the pipe
		return errors.Join(err, cmd.Wait())
	}, nil
}

// webArchives say what each archive has to be: what vzip cat writes.
func (w *workplace) webArchives(ctx context.Context, layout, root string, cases []*prepared) ([]*webArchive, error) {
	var all []*webArchive
	for _, c := range cases {
		h, n := sha256.New(), &counter{}
		if _, err := w.run(ctx, w.dir, nil, io.MultiWriter(h, n), w.vzip, "cat", "--quiet", "--cache", filepath.Join(w.dir, "cache"), layout, c.fileName()); err != nil {
			return nil, fmt.Errorf("vzip cat: %w", err)
		}
		all = append(all, &webArchive{c, root + (&url.URL{Path: c.fileName()}).EscapedPath(), n.n, hex.EncodeToString(h.Sum(nil))})
	}
	return all, nil
}

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

// webCell is one place of the table.
type webCell struct {
	err  error
	took time.Duration
}

type webTable struct {
	readers  []webReader
	archives []*webArchive
	cells    [][]webCell // by reader, then archive
}

// fill runs each reader on each archive, one at a time: each wants all of the
// machine.
func (t *webTable) fill(ctx context.Context, w *workplace, progress io.Writer) {
	for _, r := range t.readers {
		var row []webCell
		for _, a := range t.archives {
			begin := time.Now()
			limit, cancel := context.WithTimeout(ctx, readLimit)
			err := r.read(limit, w, a)
			cancel()
			c := webCell{err, time.Since(begin)}
			row = append(row, c)
			outcome, why := passed, ""
			if c.err != nil {
				outcome, why = failed, ": "+w.plain(c.err.Error())
			}
			fmt.Fprintf(progress, "%-5s %5.1fs  %s, %s over HTTP%s\n", outcome, c.took.Seconds(), r.name, a.name, why)
		}
		t.cells = append(t.cells, row)
	}
}

// failed counts the readings that failed.
func (t *webTable) failed() (n int) {
	for _, row := range t.cells {
		for _, c := range row {
			if c.err != nil {
				n++
			}
		}
	}
	return n
}

// httpHeading is where the table begins in the report.
const httpHeading = "\n## Over HTTP\n"

// markdown is the table as the last section of the report.
func (t *webTable) markdown() string {
	var b strings.Builder
	n := len(t.readers) * len(t.archives)
	fmt.Fprintf(&b, httpHeading+`
%d ways to read over HTTP, each with %d archives that `+"`vzip serve`"+` serves: %d of these %d readings are right. What was downloaded has the SHA-256 of
what `+"`vzip cat`"+` writes; what is read without that is compared with the source tree, as above. `+"`make interop INTEROP='-only http'`"+` writes this section alone.

| reader | from | how |`, len(t.readers), len(t.archives), n-t.failed(), n)
	for _, a := range t.archives {
		fmt.Fprintf(&b, " %s |", a.name)
	}
	b.WriteString("\n| --- | --- | --- |" + strings.Repeat(" --- |", len(t.archives)) + "\n")
	for i, r := range t.readers {
		fmt.Fprintf(&b, "| %s | %s | %s |", r.name, r.from, r.how)
		for _, c := range t.cells[i] {
			b.WriteString(map[bool]string{true: " ✓ |", false: " **fails** |"}[c.err == nil])
		}
		b.WriteString("\n")
	}
	b.WriteString("\nThe archives are those above, and:\n\n| archive | what is in it |\n| --- | --- |\n")
	fmt.Fprintf(&b, "| %s | %s |\n", oddCase.name, oddCase.what)
	return b.String()
}

// runHTTP makes the table of what is read over HTTP; nil if the options leave nothing
// of it.
func runHTTP(ctx context.Context, o options, w *workplace, progress io.Writer) (t *webTable, err error) {
	t = &webTable{}
	for _, r := range webReaders {
		if o.readers.MatchString(r.name) {
			t.readers = append(t.readers, r)
		}
	}
	cases, err := w.prepareAll(o, webTestCases())
	if err != nil || len(cases) == 0 || len(t.readers) == 0 {
		return nil, err
	}
	layout, err := w.writeLayout("http.yaml", cases)
	if err != nil {
		return nil, err
	}
	root, stop, err := w.serveHTTP(ctx, layout)
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := stop(); err == nil && e != nil {
			err = fmt.Errorf("vzip serve: %w", e)
		}
	}()
	if t.archives, err = w.webArchives(ctx, layout, root, cases); err != nil {
		return nil, err
	}
	t.fill(ctx, w, progress)
	return t, ctx.Err()
}
