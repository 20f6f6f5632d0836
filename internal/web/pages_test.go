package web

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"vzip/internal/generation"
)

// page is an HTML page that was answered.
type page struct {
	t    *testing.T
	resp *http.Response
	root *html.Node
}

// page asks for a page.
func (s *site) page(t *testing.T, path string) page {
	t.Helper()
	s2 := *s
	s2.t = t
	resp, body, err := s2.ask("GET", path, "Accept: text/html,*/*;q=0.8")
	must(t, err)
	if got := resp.Header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Fatalf("%s: got %s, %s", path, resp.Status, got)
	}
	if got := resp.Header.Get("Content-Security-Policy"); got != pagePolicy {
		t.Errorf("%s: got policy %s", path, got)
	}
	if resp.ContentLength != int64(len(body)) {
		t.Errorf("%s: got length %d of %d", path, resp.ContentLength, len(body))
	}
	root, err := html.Parse(bytes.NewReader(body))
	must(t, err)
	return page{t, resp, root}
}

// all returns the elements with a name, outermost first.
func (p page) all(name string) (list []*html.Node) {
	for n := range p.root.Descendants() {
		if n.Type == html.ElementNode && n.Data == name {
			list = append(list, n)
		}
	}
	return list
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for n := range n.Descendants() {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
	}
	return strings.TrimSpace(b.String())
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// rows returns the texts of the table's cells.
func (p page) rows() (rows [][]string) {
	p.t.Helper()
	head := 0
	for _, tr := range p.all("tr") {
		var row []string
		for n := range tr.ChildNodes() {
			if n.Type == html.ElementNode {
				row = append(row, textOf(n))
			}
		}
		if head == 0 {
			head = len(row)
			continue
		}
		if len(row) != head {
			p.t.Errorf("got %d cells below a head of %d", len(row), head)
		}
		rows = append(rows, row)
	}
	return rows
}

// links returns where the links of the table, or the whole page, lead to, absolutely.
func (p page) links(within string) (paths []string) {
	p.t.Helper()
	for _, part := range p.all(within) {
		for n := range part.Descendants() {
			if n.Type == html.ElementNode && n.Data == "a" {
				u, err := p.resp.Request.URL.Parse(attribute(n, "href"))
				must(p.t, err)
				paths = append(paths, u.RequestURI())
			}
		}
	}
	return paths
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got\n%q, want\n%q", what, got, want)
	}
}

func TestIndexPage(t *testing.T) {
	t.Parallel()
	s := plainSite(t)
	p := s.page(t, "/")
	var names, states []string
	for _, row := range p.rows() {
		names, states = append(names, row[0]), append(states, row[4])
	}
	equal(t, "names", names, []string{"a.zip", "sub/ü b.zip"})
	equal(t, "states", states, []string{"ready", "ready"})
	equal(t, "links", p.links("tbody"), []string{"/a.zip", "/a.zip/", "/sub/%C3%BC%20b.zip", "/sub/%C3%BC%20b.zip/"})
	for _, meta := range p.all("meta") {
		if attribute(meta, "http-equiv") != "" {
			t.Error("it comes again though nothing is hashed")
		}
	}
	for _, n := range p.all("link") {
		u, err := p.resp.Request.URL.Parse(attribute(n, "href"))
		must(t, err)
		if resp, body, err := s.ask("GET", u.RequestURI()); err != nil || resp.StatusCode != 200 || len(body) == 0 {
			t.Errorf("%s: %v, %v", u, resp.Status, err)
		}
	}
	if resp, _, _ := s.ask("GET", "/.vzip/page/style.css"); resp.StatusCode != 404 {
		t.Errorf("got %s", resp.Status)
	}
	if resp, body, err := s.ask("HEAD", "/"); err != nil || resp.StatusCode != 200 || resp.ContentLength <= 0 || len(body) > 0 {
		t.Errorf("HEAD: %s, %d, %d, %v", resp.Status, resp.ContentLength, len(body), err)
	}

	end := s.early()
	p = s.page(t, "/")
	for _, row := range p.rows() {
		if row[4] != "hashing 0 %" {
			t.Errorf("got state %s", row[4])
		}
	}
	if !slices.ContainsFunc(p.all("meta"), func(n *html.Node) bool { return attribute(n, "http-equiv") == "refresh" }) {
		t.Error("it does not come again while files are hashed")
	}
	end()
	for until := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if rows := s.page(t, "/").rows(); rows[0][4] == "ready" && rows[1][4] == "ready" {
			break
		}
		if time.Now().After(until) {
			t.Fatal("hashing does not end")
		}
	}
}

// Archives stand once, what belongs to one below its name; many are parted into pages.
func TestIndexGroups(t *testing.T) {
	t.Parallel()
	a, b := new(generation.Archive), new(generation.Archive)
	groups := groupsOf([]*generation.File{{Archive: a, Path: "a"}, {Archive: a, Path: "a.001"}, {Archive: a, Path: "a.sha256"}, {Archive: b, Path: "b"}})
	if len(groups) != 2 || groups[0].Path != "a" || len(groups[0].beside) != 2 || groups[1].Path != "b" || groups[1].number != 1 || len(groups[1].beside) != 0 {
		t.Errorf("got %+v", groups)
	}

	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "x"), []byte("x"), 0o644))
	text := "version: 1\narchives:\n"
	const n = 2*indexRows + 1
	for i := range n {
		text += fmt.Sprintf("  - {name: a%04d.zip, entries: [{source: x}]}\n", i)
	}
	s := serve(t, dir, DefaultLimits, text)
	seen := 0
	for path := "/"; path != ""; {
		p := s.page(t, path)
		for _, row := range p.rows() {
			if want := fmt.Sprintf("a%04d.zip", seen); row[0] != want {
				t.Fatalf("%s: got %s, want %s", path, row[0], want)
			}
			seen++
		}
		path = p.rel("next")
	}
	if seen != n {
		t.Errorf("got %d archives, want %d", seen, n)
	}
	for _, path := range []string{"/?page=0", "/?page=x", "/?page=99999999999999999999", "/?page=4"} {
		if len(s.page(t, path).rows()) == 0 {
			t.Errorf("%s: nothing", path)
		}
	}
}

// rel returns where a link with this relation leads to; "" if there is none.
func (p page) rel(name string) string {
	for _, n := range p.all("a") {
		if attribute(n, "rel") == name {
			u, err := p.resp.Request.URL.Parse(attribute(n, "href"))
			must(p.t, err)
			return u.RequestURI()
		}
	}
	return ""
}

func TestFolderPage(t *testing.T) {
	t.Parallel()
	s := showSite(t)
	p := s.page(t, "/vm-images.zip/images/linux/")
	var got []string
	for _, row := range p.rows() {
		if strings.HasPrefix(row[0], "vmlinuz") {
			row[2] = "" // a link's own time
		}
		got = append(got, strings.Join(row, "|"))
	}
	crc := func(name string) string {
		a := s.g.Archives[0]
		i, _ := a.Find("images/linux/" + name)
		crc, _ := a.KnownCRC(i)
		return fmt.Sprintf("%08x", crc)
	}
	const at = "2026-11-24 03:10:00"
	equal(t, "rows", got, []string{
		"boot/|2 entries|" + at + "||drwxr-xr-x",
		"README.md|8 B|" + at + "|" + crc("README.md") + "|-rw-r--r--",
		"SHA256SUMS|640 B|" + at + "|" + crc("SHA256SUMS") + "|-rwxr-x---",
		"disk.vhdx|1.7 MB|" + at + "|" + crc("disk.vhdx") + "|-rw-r--r--",
		"empty|0 B|" + at + "|00000000|-rw-r--r--",
		"vmlinuz → boot/vmlinuz||||lrwxrwxrwx",
	})
	const here = "/vm-images.zip/images/linux/"
	equal(t, "links", p.links("tbody"), []string{here + "boot/", here + "README.md", here + "SHA256SUMS", here + "disk.vhdx", here + "empty"})
	equal(t, "crumbs", p.links("h1"), []string{"/", "/vm-images.zip/", "/vm-images.zip/images/"})
	equal(t, "top", p.links("header")[3:], []string{"/vm-images.zip"})
	equal(t, "crumbs of an archive in a folder", s.page(t, "/sub/2026-11-24%20nightly%20builds%20of%20everything%20that%20there%20is.zip/").links("header"),
		[]string{"/", "/sub/2026-11-24%20nightly%20builds%20of%20everything%20that%20there%20is.zip"})
	equal(t, "the archive's root", s.page(t, "/vm-images.zip/").rows()[0][:2], []string{"images/", "11 entries"})
}

// Whatever a file is called: its name makes no element, and its link leads to it.
func TestOddNames(t *testing.T) {
	t.Parallel()
	s := showSite(t)
	p := s.page(t, "/odd.zip/")
	links := p.links("tbody")
	if got, want := len(links), len(oddNames)+2; got != want {
		t.Fatalf("got %d links, want %d", got, want)
	}
	seen := map[string]bool{}
	for _, link := range links {
		if strings.HasSuffix(link, "/") {
			if rows := s.page(t, link).rows(); len(rows) != 1 || rows[0][0] != "x" {
				t.Errorf("%s: got %q", link, rows)
			}
			continue
		}
		resp, body, err := s.ask("GET", link)
		must(t, err)
		name, err := url.PathUnescape(strings.TrimPrefix(link, "/odd.zip/"))
		must(t, err)
		seen[name] = true
		want := name
		if name == "evil.html" {
			want = hostilePage
		}
		if resp.StatusCode != 200 || string(body) != want {
			t.Errorf("%s: got %s, %q", link, resp.Status, body)
		}
		for field, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Content-Security-Policy": filePolicy, "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := resp.Header.Get(field); got != want {
				t.Errorf("%s: got %s: %s, want %s", link, field, got, want)
			}
		}
		if got := resp.Header.Get("Content-Disposition"); !strings.HasPrefix(got, "attachment;") {
			t.Errorf("%s: got Content-Disposition %s", link, got)
		}
	}
	for _, name := range oddNames {
		if !seen[name] {
			t.Errorf("no link to %q", name)
		}
	}
	for n := range p.root.Descendants() {
		if n.Type == html.ElementNode && (n.Data == "script" || n.Data == "b" || n.Data == "img") {
			t.Errorf("got element %s", n.Data)
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
				t.Errorf("got attribute %s on %s", a.Key, n.Data)
			}
		}
	}
	for name, want := range map[string]string{
		"plain": "plain", "a\nb": `a<i class="odd">\n</i>b`, "<\u202e>": `&lt;<i class="odd">\u202e</i>&gt;`, "\xff": `<i class="odd">\xff</i>`,
		"\u200b\u00a0": `<i class="odd">\u200b\u00a0</i>`, "x\n\r\xffy\n": `x<i class="odd">\n\r\xff</i>y<i class="odd">\n</i>`, "👩\u200d🚀": "👩\u200d🚀", `\n`: `\n`,
	} {
		if got := string(shownName(name)); got != want {
			t.Errorf("%q: got %s, want %s", name, got, want)
		}
	}
}

// A large folder is shown page by page, in both directions, and from any name.
func TestFolderPages(t *testing.T) {
	t.Parallel()
	s := showSite(t)
	var all []string
	last := ""
	for path := "/many.zip/"; path != ""; {
		p := s.page(t, path)
		rows := p.rows()
		if len(rows) > folderRows {
			t.Fatalf("%s: got %d rows", path, len(rows))
		}
		for _, row := range rows {
			all = append(all, row[0])
		}
		last, path = path, p.rel("next")
	}
	if len(all) != 1101 || !slices.Contains(all, "sub/") {
		t.Errorf("got %d names", len(all))
	}
	slices.Sort(all)
	if n := len(slices.Compact(all)); n != 1101 {
		t.Errorf("got %d different names", n)
	}
	for _, want := range []string{"/many.zip/?from=f0000", ""} {
		last = s.page(t, last).rel("prev")
		if last != want {
			t.Fatalf("before: got %s, want %s", last, want)
		}
	}
	for from, want := range map[string]string{"f0034": "f0034", "f00345": "f0035", "": "f0000", "sub/x": "sub/", "a": "f0000", "s": "sub/"} {
		if rows := s.page(t, "/many.zip/?from="+url.QueryEscape(from)).rows(); rows[0][0] != want {
			t.Errorf("from %s: got %s, want %s", from, rows[0][0], want)
		}
	}
	if rows := s.page(t, "/many.zip/?from=zzz").rows(); len(rows) > 0 {
		t.Errorf("behind all: got %q", rows)
	}
}

// What is not there is a page for a browser, and a line for others.
func TestNotThere(t *testing.T) {
	t.Parallel()
	s := showSite(t)
	for path, want := range map[string]string{
		"/nothing.zip": "there is no such archive here", "/nothing.zip/": "there is no such archive here", "/sub/": "there is no such archive here",
		"/linux.zip/nothing": "there is no such entry in the archive", "/linux.zip/boot/nothing/": "there is no such folder in the archive",
		"/linux.zip/README.md/": "there is no such folder in the archive", "/linux.zip/README.md/x": "there is no such entry in the archive",
		"/linux.zip/vmlinuz":        "that is a symbolic link, which is not followed: the folder's page says where to",
		"/linux.zip/boot%2fvmlinuz": "there is nothing at such a path", "/linux.zip/../x": "there is nothing at such a path",
		"/linux.zip/boot//vmlinuz": "there is nothing at such a path", "/.vzip/": "there is nothing at such a path",
	} {
		resp, body, err := s.ask("GET", path)
		must(t, err)
		if got := strings.TrimSuffix(string(body), "\n"); resp.StatusCode != 404 || got != want {
			t.Errorf("%s: got %s, %s", path, resp.Status, got)
		}
		p := s.page(t, path)
		if got := textOf(p.all("p")[0]); p.resp.StatusCode != 404 || got != want {
			t.Errorf("%s as a page: got %s, %s", path, p.resp.Status, got)
		}
		if links := p.links("main"); !slices.Equal(links, []string{"/"}) && !strings.Contains(path, "..") {
			t.Errorf("%s: the way back is %q", path, links)
		}
	}
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, _, err := s.ask("GET", "/linux.zip/boot?from=x")
	must(t, err)
	if to, err := resp.Location(); resp.StatusCode != 302 || err != nil || to.RequestURI() != "/linux.zip/boot/?from=x" {
		t.Errorf("a folder without its slash: got %s to %v, %v", resp.Status, to, err)
	}
}

func TestMode(t *testing.T) {
	t.Parallel()
	for mode, want := range map[uint32]string{
		0o100644: "-rw-r--r--", 0o040755: "drwxr-xr-x", 0o120777: "lrwxrwxrwx", 0o104755: "-rwsr-xr-x", 0o102640: "-rw-r-S---", 0o041777: "drwxrwxrwt", 0o041000: "d--------T", 0o100000: "----------",
	} {
		if got := modeOf(mode); got != want {
			t.Errorf("%o: got %s, want %s", mode, got, want)
		}
	}
}
