package layout

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// maxFileLen is the largest layout file that is read, in bytes; maxValues how many
// keys, list items, comments and brackets it may have, about. Both bound time and
// memory: 20,000 sources with two patterns each fit, and are parsed in half a second.
const (
	maxFileLen = 4 << 20
	maxValues  = 200_000
)

// fifoGrace is how long a FIFO without a writer is waited for.
const fifoGrace = 500 * time.Millisecond

// readFile returns what a layout file holds; errors say what to do. It may be a pipe
// (/dev/fd/N, /dev/stdin): that is read for as long as somebody has it open for
// writing. O_NONBLOCK keeps a FIFO that nobody writes to from hanging the open.
func readFile(file string) ([]byte, error) {
	text, err := readSome(file)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the layout file can't be read: %v: check the path and its permissions", cause(err))
	case len(text) > maxFileLen:
		return nil, fmt.Errorf("the layout file has more than %d MiB: split it", maxFileLen>>20)
	}
	return text, checkValues(text)
}

// readSome reads a byte more than a layout file may have at most.
func readSome(file string) ([]byte, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	for patience := time.Now().Add(fifoGrace); ; time.Sleep(10 * time.Millisecond) {
		text, err := io.ReadAll(io.LimitReader(f, maxFileLen+1))
		if err != nil || len(text) > 0 || fi.Mode()&os.ModeNamedPipe == 0 || time.Now().After(patience) {
			return text, err
		}
	}
}

// checkValues refuses what would take the YAML parser seconds or hundreds of
// mebibytes.
func checkValues(text []byte) error {
	if countValues(text) > maxValues {
		return errors.New("the layout file has more than 200,000 keys, list items and comments: split it")
	}
	return nil
}

// countValues counts the characters that can start or part values and comments:
// the parser makes at most two nodes for each, and two besides. Those that stand in
// text are counted with them.
func countValues(text []byte) int {
	space := func(i int) bool { // also before and behind the file
		if i < 0 || i >= len(text) {
			return true
		}
		switch text[i] {
		case ' ', '\t', '\n', '\r', 0xC2, 0x85, 0xE2, 0xA8, 0xA9: // U+0085, U+2028 and U+2029 end lines
			return true
		}
		return false
	}
	values := 0
	for i, c := range text {
		switch c {
		case '[', '{', ',', '?': // in a flow collection "?" needs no space behind it
			values++
		case ':': // "{a:b}" is one scalar, but `{"a":b}` and "{a:}" are not
			if space(i+1) || i > 0 && (text[i-1] == '"' || text[i-1] == '\'') || text[i+1] == '}' || text[i+1] == ']' {
				values++
			}
		case '-':
			if space(i+1) && space(i-1) {
				values++
			}
		case '#':
			if space(i - 1) {
				values++
			}
		case '%': // the parser compares each %TAG line with all others
			if i == 0 || text[i-1] == '\n' || text[i-1] == '\r' {
				values += maxValues / 100
			}
		}
	}
	return values
}
