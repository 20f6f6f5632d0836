package web

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dustin/go-humanize"

	"vzip/internal/generation"
	"vzip/internal/seeded"
	"vzip/zipgen"
)

// plainName returns a name for a line of text: what can't be seen, or turns the text around
// it, stands there as a Go escape.
func plainName(name string) string {
	return escaped(name, func(s string) string { return s }, func(s string) string { return s })
}

// shownName is plainName as HTML, with the escapes told apart from names that look like them.
func shownName(name string) template.HTML {
	if seeded.On("raw-name") {
		return template.HTML(name)
	}
	short, cut := shortened(name)
	shown := template.HTML(escaped(short, template.HTMLEscapeString, func(s string) string { return `<i class="odd">` + s + "</i>" }))
	if cut {
		shown += `<i class="odd">…</i>`
	}
	return shown
}

// shownLen is how many characters of a name are shown at most.
const shownLen = 200

// shortened returns the first characters of a name, and whether there are more.
func shortened(name string) (short string, cut bool) {
	n := 0
	for i := range name {
		if n++; n > shownLen {
			return name[:i], true
		}
	}
	return name, false
}

// titleOf is a name for a page's title.
func titleOf(name string) string {
	short, cut := shortened(name)
	if cut {
		return plainName(short) + "…"
	}
	return plainName(short)
}

func escaped(name string, plain, odd func(string) string) string {
	var b strings.Builder
	from, oddFrom := 0, -1 // where what is plain, and a run of what is odd, begins
	end := func(at int) {
		if oddFrom >= 0 {
			b.WriteString(odd(quoted(name[oddFrom:at])))
			from, oddFrom = at, -1
		}
	}
	for i := 0; i < len(name); {
		r, size := utf8.DecodeRuneInString(name[i:])
		const nonJoiner, joiner = '\u200c', '\u200d' // of letters, and of emoji
		if r == utf8.RuneError && size == 1 || !unicode.IsPrint(r) && r != nonJoiner && r != joiner {
			if oddFrom < 0 {
				b.WriteString(plain(name[from:i]))
				oddFrom = i
			}
		} else {
			end(i)
		}
		i += size
	}
	end(len(name))
	b.WriteString(plain(name[from:]))
	return b.String()
}

// quoted returns Go's escapes, without quotes around them.
func quoted(s string) string {
	var b strings.Builder
	for s != "" { // one by one: all of them are odd, also those that have no escape in a string
		_, size := utf8.DecodeRuneInString(s)
		q := strconv.QuoteToASCII(s[:size])
		b.WriteString(q[1 : len(q)-1])
		s = s[size:]
	}
	return b.String()
}

// size is a number of bytes for people, and exactly.
type size struct{ Short, Exact string }

func sizeOf(n int64) size {
	return size{humanize.Bytes(uint64(n)), humanize.Comma(n)}
}

// count returns a number of things.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return humanize.Comma(int64(n)) + " " + many
}

// moment is a time for people, and for programs.
type moment struct {
	Known        bool
	Short, Exact string
}

// momentOf returns seconds since 1970.
func momentOf(seconds int64) moment {
	t := time.Unix(seconds, 0).UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		return moment{}
	}
	return moment{true, t.Format("2006-01-02 15:04:05"), t.Format(time.RFC3339)}
}

// modeOf returns a st_mode as ls -l has it.
func modeOf(mode uint32) string {
	text := []byte("-rwxrwxrwx")
	switch mode & zipgen.TypeMask {
	case zipgen.TypeDir:
		text[0] = 'd'
	case zipgen.TypeSymlink:
		text[0] = 'l'
	}
	for i := range 9 {
		if mode>>(8-i)&1 == 0 {
			text[i+1] = '-'
		}
	}
	for _, special := range []struct {
		bit uint32
		at  int
		set byte
	}{{0o4000, 3, 's'}, {0o2000, 6, 's'}, {0o1000, 9, 't'}} {
		if mode&special.bit == 0 {
			continue
		}
		if text[special.at] == '-' {
			special.set -= 'a' - 'A'
		}
		text[special.at] = special.set
	}
	return string(text)
}

// state is how an archive is at present.
type state struct {
	Class, Text string
	Percent     int
}

func stateOf(p generation.Progress) state {
	switch {
	case p.Changed:
		return state{Class: "broken", Text: "source changed"}
	case p.Files == 0:
		return state{Class: "ready", Text: "ready"}
	case p.Ended:
		return state{Class: "broken", Text: count(int(p.Files), "file", "files") + " can't be read"}
	}
	s := state{Class: "hashing"}
	if p.Size > 0 {
		s.Percent = min(int(float64(p.Done)/float64(p.Size)*100), 99)
	}
	s.Text = fmt.Sprintf("hashing %d %%", s.Percent)
	return s
}
