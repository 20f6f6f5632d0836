package layout

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSpell(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, want string }{
		{"plain.txt", "plain.txt"},
		{"é 日本 🙂", "é 日本 🙂"},
		{"\u0085\u200e\ufffd\ufeff", "\u0085\u200e\ufffd\ufeff"},
		{" :*?\"<>|", " :*?\"<>|"},
		{`a\b`, "a%5Cb"},
		{"a\nb\x00c\x1f\x7f", "a%0Ab%00c%1F%7F"},
		{"caf\xe9", "caf%E9"},
		{"\xff\xfe", "%FF%FE"},
		{"\xe2\x82", "%E2%82"},               // a cut character
		{"\xed\xa0\x80", "%ED%A0%80"},        // a surrogate
		{"\xc0\xaf", "%C0%AF"},               // a slash in too many bytes
		{"\xf4\x90\x80\x80", "%F4%90%80%80"}, // past the last code point
		{"é\xe9é", "é%E9é"},
		{"%", "%"},
		{"100%", "100%"},
		{"%4", "%4"},
		{"%zz", "%zz"},
		{"%41", "%2541"},
		{"%e9", "%e9"}, // small letters decode to nothing
		{"%E9", "%25E9"},
		{"%2541", "%252541"},
		{"%%41", "%%2541"},
		{"%4%41", "%4%2541"},
		{"%\n", "%%0A"},
		{"%4\n", "%4%0A"},
		{"\x80%80", "%80%2580"},
	} {
		got, err := NamesEscape.spell(tt.name)
		if err != nil || got != tt.want {
			t.Errorf("escape %q: got %q and error %v, want %q", tt.name, got, err, tt.want)
		}
		if back := decode(got); back != tt.name {
			t.Errorf("%q decodes to %q, want %q", got, back, tt.name)
		}
		if got, err := NamesRaw.spell(tt.name); err != nil || got != tt.name {
			t.Errorf("raw %q: got %q and error %v", tt.name, got, err)
		}
		bad := strings.ContainsAny(tt.name, "\\\n\x00") || !utf8.ValidString(tt.name)
		if got, err := NamesError.spell(tt.name); got != tt.name || (err != nil) != bad {
			t.Errorf("error %q: got %q and error %v, want an error: %v", tt.name, got, err, bad)
		}
	}
}

// decode gives an escaped name back: each % and two upper-case hex digits are a
// byte.
func decode(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] == '%' && i+2 < len(name) && strings.ToUpper(name[i+1:i+3]) == name[i+1:i+3] {
			if c, err := strconv.ParseUint(name[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(name[i])
	}
	return b.String()
}

// checkSpell holds one name's escaped form against the promises: it decodes to
// the name, so two names never get one form; it is clean; a clean name without
// escapes stays.
func checkSpell(t *testing.T, name string) {
	t.Helper()
	got, err := NamesEscape.spell(name)
	if err != nil {
		t.Errorf("%q: %v", name, err)
	}
	if back := decode(got); back != name {
		t.Errorf("%q is written as %q, which decodes to %q", name, got, back)
	}
	if badness(got) != "" || !utf8.ValidString(got) {
		t.Errorf("%q is written as %q, which is not clean", name, got)
	}
	if badness(name) == "" && decode(name) == name && got != name {
		t.Errorf("%q is clean, and written as %q", name, got)
	}
	if strings.Count(got, "/") != strings.Count(name, "/") || len(got) > 3*len(name) {
		t.Errorf("%q is written as %q", name, got)
	}
}

func TestSpellRandom(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	parts := []string{"%", "%", "2", "5", "A", "F", "a", "é", "\xe9", "\xe2\x82", "\xac", "\\", "\n", "\x7f", "\x00", "x"}
	from := map[string]string{}
	for range 60_000 {
		name := ""
		for range random.IntN(6) {
			name += parts[random.IntN(len(parts))]
		}
		checkSpell(t, name)
		got, _ := NamesEscape.spell(name)
		if other, ok := from[got]; ok && other != name {
			t.Fatalf("%q and %q are both written as %q", name, other, got)
		}
		from[got] = name
	}
}

// The option holds for folders, links and sources' own names as well, and not for
// what links lead to.
func TestNamesOfAllKinds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir, "s\\rc/d\xe9/f\n", "s\\rc/l\\ -> d\xe9/f\n", "f\x7f")
	text := one("names: escape", `source: 's\rc'`, `source: "f\x7f"`)
	got, _ := shown(t, dir, text)
	wantLines(t, got, []string{"f%7F = f\x7f", "s%5Crc/", "s%5Crc/d%E9/", "s%5Crc/d%E9/f%0A = s\\rc/d\xe9/f\n", "s%5Crc/l%5C -> d\xe9/f\n"})
	got, _ = shown(t, dir, strings.Replace(text, "escape", "raw", 1))
	wantLines(t, got, []string{"f\x7f = f\x7f", "s\\rc/", "s\\rc/d\xe9/", "s\\rc/d\xe9/f\n = s\\rc/d\xe9/f\n", "s\\rc/l\\ -> d\xe9/f\n"})
	// Patterns speak of the names on disk.
	got, _ = shown(t, dir, one("names: escape", `{source: 's\rc', as: x, include: ["d?/*"]}`))
	wantLines(t, got, []string{"x/", "x/d%E9/", "x/d%E9/f%0A = s\\rc/d\xe9/f\n"})
}
