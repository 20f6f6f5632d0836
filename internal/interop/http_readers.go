package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// webReader is a row of the table of what is read over HTTP.
type webReader struct {
	name, from, how string
	read            func(context.Context, *workplace, *webArchive) error
}

var webReaders = []webReader{
	{"curl", "curl", "SIGKILL on the way, then `-C -`",
		download(resumed(syscall.SIGKILL, "curl", "-sSf", "--limit-rate", "RATE", "-C", "-", "-o", "got.zip", "URL"))},
	{"wget", "wget", "SIGINT on the way, then `-c`",
		download(resumed(syscall.SIGINT, "wget", "-q", "--limit-rate=RATE", "-c", "-O", "got.zip", "URL"))},
	{"aria2c", "aria2", "8 connections, for a part of at least 1 MiB each: `-x8 -s8 -k1M`",
		download(command("aria2c", "--no-conf", "-q", "-x8", "-s8", "-k1M", "--file-allocation=none", "-o", "got.zip", "URL"))},
	{"Chromium", "chromium", "headless, the file that it saves", download(browse)},
	{"Python zipfile", "python3", "from a file object that asks for ranges: the last entries first, each by itself, then all", byRanges},
	{"bsdtar", "curl, libarchive-tools", "`curl URL \\| bsdtar -x`, while it comes", byPipe},
}

// download runs a program in an empty folder, where it has to leave the archive as its
// only file.
func download(run func(ctx context.Context, w *workplace, dir string, a *webArchive) error) func(context.Context, *workplace, *webArchive) error {
	return func(ctx context.Context, w *workplace, a *webArchive) error {
		dir, done, err := w.scratch()
		if err != nil {
			return err
		}
		defer done()
		if err := run(ctx, w, dir, a); err != nil {
			return err
		}
		files, err := os.ReadDir(dir)
		if err != nil || len(files) != 1 {
			return errors.Join(err, fmt.Errorf("it left %d files, want 1", len(files)))
		}
		size, _, sha, err := fileSums(filepath.Join(dir, files[0].Name()))
		if err == nil && (size != a.size || sha != a.sha) {
			err = fmt.Errorf("%d bytes with SHA-256 %s, want %d with %s", size, sha, a.size, a.sha)
		}
		return err
	}
}

// command runs words once.
func command(words ...string) func(context.Context, *workplace, string, *webArchive) error {
	return func(ctx context.Context, w *workplace, dir string, a *webArchive) error {
		_, err := w.run(ctx, dir, nil, nil, webWords(words, a, 0)...)
		return err
	}
}

// webWords puts an archive's URL, and bytes a second, into a command. With 0, which all
// take for "no limit", they are not held back.
func webWords(words []string, a *webArchive, rate int64) []string {
	var out []string
	for _, word := range words {
		out = append(out, strings.NewReplacer("URL", a.url, "RATE", strconv.FormatInt(rate, 10)).Replace(word))
	}
	return out
}

// resumed runs words twice: the first time it is signalled when it has a part of the
// archive.
func resumed(signal syscall.Signal, words ...string) func(context.Context, *workplace, string, *webArchive) error {
	return func(ctx context.Context, w *workplace, dir string, a *webArchive) error {
		const attempts = 6 // slower and slower
		for i, rate := 0, a.size/2; ; i, rate = i+1, rate/3 {
			some, err := w.interrupt(ctx, dir, signal, a, webWords(words, a, max(rate, 1024)))
			if err != nil {
				return err
			}
			if some {
				break
			}
			if i == attempts {
				return errors.New("it always came to its end before it could be interrupted")
			}
		}
		return command(words...)(ctx, w, dir, a)
	}
}

// interrupt runs words, and signals the program once it has written a quarter of the
// archive to a file of the folder. It tells whether it has a part then, and no more.
func (w *workplace) interrupt(ctx context.Context, dir string, signal syscall.Signal, a *webArchive, words []string) (some bool, err error) {
	if err := emptyFolder(dir); err != nil {
		return false, err
	}
	cmd := w.command(ctx, dir, words...)
	if err := cmd.Start(); err != nil {
		return false, &difference{notInstalled, err.Error()}
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	signalled := false
	for tick := time.NewTicker(2 * time.Millisecond); ; {
		select {
		case <-tick.C:
			if n, _ := written(dir); !signalled && n >= a.size/4 {
				signalled = true
				_ = cmd.Process.Signal(signal)
			}
			continue
		case err = <-ended:
		}
		tick.Stop()
		break
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil && !signalled {
		return false, fmt.Errorf("before it was interrupted: %w", err)
	}
	n, readErr := written(dir)
	return err != nil && n > 0 && n < a.size, readErr
}

func emptyFolder(dir string) error {
	files, err := os.ReadDir(dir)
	for _, f := range files {
		err = errors.Join(err, os.Remove(filepath.Join(dir, f.Name())))
	}
	return err
}

// written is how many bytes a folder's files have.
func written(dir string) (n int64, err error) {
	files, err := os.ReadDir(dir)
	for _, f := range files {
		if info, err := f.Info(); err == nil {
			n += info.Size()
		}
	}
	return n, err
}

// browse has a browser go to the archive's address, and waits until it has saved it.
func browse(ctx context.Context, w *workplace, dir string, a *webArchive) error {
	profile, done, err := w.scratch()
	if err != nil {
		return err
	}
	defer done()
	settings := fmt.Sprintf(`{"download": {"default_directory": %q, "prompt_for_download": false}}`, dir)
	if err := os.MkdirAll(filepath.Join(profile, "Default"), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(profile, "Default", "Preferences"), []byte(settings), 0o600); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		_, err := w.run(ctx, profile, nil, nil, "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
			"--no-first-run", "--disable-component-update", "--user-data-dir="+profile, a.url)
		ended <- err
	}()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		select {
		case <-tick.C:
			if !saved(dir) {
				continue
			}
			err = nil
		case err = <-ended:
			err = errors.Join(errors.New("it ended, and has saved nothing"), err)
			ended <- nil
		case <-ctx.Done():
			err = ctx.Err()
		}
		tick.Stop()
		break
	}
	cancel()
	<-ended
	return err
}

// saved tells whether a browser has given a download its name.
func saved(dir string) bool {
	files, _ := os.ReadDir(dir)
	return len(files) == 1 && !strings.HasSuffix(files[0].Name(), ".crdownload") && !strings.HasPrefix(files[0].Name(), ".")
}

// byRanges reads entries with the adapter that asks for ranges.
func byRanges(ctx context.Context, w *workplace, a *webArchive) error {
	got, err := adapter("python3", "-B", "$ADAPTERS/script/ranges.py")(ctx, w, a.url)
	if err != nil {
		return err
	}
	return first(compare(&reader{tells: size | crc | content | modes | links | dosTime}, got, a.want, false))
}

// byPipe extracts the archive while it is downloaded.
func byPipe(ctx context.Context, w *workplace, a *webArchive) error {
	got, err := extract("bash", "-o", "pipefail", "-c", `curl -sSf "$0" | bsdtar -x -p -P -f -`, "ARCHIVE")(ctx, w, a.url)
	if err != nil {
		return err
	}
	return first(compare(&reader{tells: content | mtime | unsorted}, got, a.want, false))
}

func first(all []*difference) error {
	if len(all) == 0 {
		return nil
	}
	return all[0]
}
