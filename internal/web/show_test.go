package web

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"vzip/internal/generation"
	"vzip/internal/verified"
	"vzip/layout"
)

const hostilePage = `<!DOCTYPE html><title>evil</title><script>console.log("ran")</script><img src=x onerror="console.log('ran')">`

// oddNames are file names that would like to be something else.
var oddNames = []string{
	`<script>console.log("ran")<`, `"onmouseover="console.log(1)`, `'single' & "double"`, "line\nend", "tab\there", "\x1b[31mred",
	"gpj.\u202eexe.cod", "\xff\xfe not UTF-8", "javascript:console.log(1)", "a:b", "?query", "#fragment", "100%25", "a+b c", " blanks  at both ends ",
	"ünï çödé 🙂", "日本語のファイル", "שלום", "{{.Root}}", `back\slash`, "%2e%2e", "-rf",
	"a name as long as people make them when they write down what is in a file, when it was made, and by whom, and then once more what is in it.tar.gz",
	"nobreaksinthisnamewhichgoesonandonandonandonandonandonandonandonandonandonandonandonandonandonandonandonandonandonandonandonandon.bin",
}

// showSite serves archives as people have them, and some that nobody should.
func showSite(t *testing.T) *site {
	dir := t.TempDir()
	at := time.Date(2026, 11, 24, 3, 10, 0, 0, time.UTC)
	file := func(name string, data []byte) {
		t.Helper()
		name = filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(name), 0o755))
		must(t, os.WriteFile(name, data, 0o644))
		must(t, os.Chtimes(name, at, at))
	}
	file("linux/disk.vhdx", randomBytes("linux", 1_700_017))
	file("linux/README.md", []byte("# Linux\n"))
	file("linux/SHA256SUMS", randomBytes("sums", 640))
	file("linux/boot/vmlinuz", randomBytes("kernel", 77_123))
	file("linux/boot/initrd.img", randomBytes("initrd", 212_000))
	file("linux/empty", nil)
	must(t, os.Symlink("boot/vmlinuz", filepath.Join(dir, "linux/vmlinuz")))
	must(t, os.Chmod(filepath.Join(dir, "linux/SHA256SUMS"), 0o4750))
	file("windows/disk.vhdx", randomBytes("windows", 2_300_000))
	for i := range 1100 {
		file(fmt.Sprintf("many/f%04d", i), []byte{byte(i)})
	}
	file("many/sub/x", nil)
	for _, name := range oddNames {
		file("odd/"+name, []byte(name))
	}
	file("odd/evil.html", []byte(hostilePage))
	file(`odd/<b>folder<`+"\n/x", nil)
	for _, name := range []string{"linux", "linux/boot", "windows", "many/sub"} {
		must(t, os.Chtimes(filepath.Join(dir, name), at, at))
	}
	return serve(t, dir, DefaultLimits, "version: 1\ndefaults: {symlinks: store}\narchives:\n"+
		"  - {name: vm-images.zip, entries: [{source: windows, as: images/windows}, {source: linux, as: images/linux}]}\n"+
		"  - {name: linux.zip, entries: [{source: linux, as: .}]}\n"+
		"  - {name: many.zip, entries: [{source: many, as: .}]}\n"+
		"  - {name: odd.zip, names: raw, entries: [{source: odd, as: .}]}\n"+
		"  - {name: \"sub/2026-11-24 nightly builds of everything that there is.zip\", entries: [{source: linux/README.md}]}\n")
}

// early shows the archives before their files are hashed, until they are when end is called.
func (s *site) early() (end func()) {
	s.t.Helper()
	l, err := layout.Load(s.file, os.LookupEnv)
	must(s.t, err)
	g, err := generation.Scan(context.Background(), l, generation.Options{
		Warn: func(string) {}, Reader: verified.NewReader(verified.Options{Timeout: patience}),
	})
	must(s.t, err)
	must(s.t, g.Date(s.g))
	s.Publish(g)
	s.g.Close()
	s.g = g
	return func() { g.Start(generation.StartOptions{HashOptions: generation.HashOptions{Workers: 2}}) }
}
