package web

import (
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"vzip/internal/generation"
	"vzip/zipgen"
)

func entries(n int) string { return count(n, "entry", "entries") }

// childRow is a file, link or folder in a folder's page.
type childRow struct {
	Name, Target template.HTML // that a link has
	Link         string        // "": there is none
	File         bool
	Icon         string
	Size         size
	Below        string // how many entries are below a folder
	CRC          string
	Time         moment
	Mode         string
}

// crumb is a folder above.
type crumb struct {
	Name template.HTML
	Link string // "": the page itself
}

// serveInside answers at a path inside an archive: rest is what follows its name, one
// empty name for the archive's root.
func (h *Handler) serveInside(w *sender, r *http.Request, f *generation.File, rest []string) {
	a, name := f.Archive, strings.Join(rest, "/")
	if f.Path != a.Name {
		w.text(http.StatusNotFound, "that is no archive to look into")
		return
	}
	if name == "" || strings.HasSuffix(name, "/") {
		if _, _, ok := a.Folder(name); !ok {
			w.text(http.StatusNotFound, "there is no such folder in the archive")
			return
		}
		h.serveFolder(w, r, f, name)
		return
	}
	i, ok := a.Find(name)
	switch {
	case ok && a.IsFile(i):
		h.serveEntry(w, r, f, i)
	case ok:
		w.text(http.StatusNotFound, "that is a symbolic link, which is not followed: the folder's page says where to")
	default:
		if _, _, ok := a.Folder(name + "/"); !ok {
			w.text(http.StatusNotFound, "there is no such entry in the archive")
			return
		}
		to := linkTo(rest[len(rest)-1]) + "/"
		if r.URL.RawQuery != "" {
			to += "?" + r.URL.RawQuery
		}
		w.Header().Set("Location", to)
		w.text(http.StatusFound, "that is a folder: its page ends in a slash")
	}
}

// serveFolder answers with a page of a folder, "" or with its slash. Large ones are parted:
// one page takes no longer for them.
func (h *Handler) serveFolder(w *sender, r *http.Request, f *generation.File, folder string) {
	w.pageInTurn(r.Context(), "folder.html", func() any { return folderPage(r, f, folder) })
}

func folderPage(r *http.Request, f *generation.File, folder string) any {
	a := f.Archive
	from := r.URL.Query().Get("from")
	first, end, _ := a.Folder(folder)
	data := struct {
		frame
		Crumbs       []crumb
		Archive      string // its link
		Entries      string
		Size         size
		Share        string // of the data's size; "": nothing is deflated
		State        state
		Children     []childRow
		Above, Below pager
	}{
		frame:   newFrame(r.URL, titleOf(f.Path+"/"+folder)),
		Archive: rootOf(r.URL) + strings.TrimPrefix(linkTo(f.Path), "./"),
		Crumbs:  crumbs(f.Path, folder),
		Entries: entries(end - first), Size: sizeOf(f.Size), State: stateOf(a.Progress()),
	}
	if inflated, stored := a.DataSize(); stored != inflated {
		data.Share = fmt.Sprintf("%d %%", generation.Percent(stored, inflated))
	}
	var children []zipgen.Child
	var p pager
	for c := range a.Children(folder, from) {
		if len(children) == folderRows {
			p.Next = pageFrom(c)
			break
		}
		children = append(children, c)
	}
	if from != "" {
		var before []zipgen.Child
		for c := range a.ChildrenBefore(folder, from) {
			if len(before) == folderRows {
				break
			}
			before = append(before, c)
		}
		if len(before) > 0 {
			p.First, p.Previous = "./", pageFrom(before[len(before)-1])
		}
	}
	if p != (pager{}) {
		p.Text = "In order of names"
		p.Jump = true
		data.Above, data.Below = p.both()
		data.Below.Jump = false
	}
	// Folders come first on their page.
	slices.SortStableFunc(children, func(a, b zipgen.Child) int {
		switch {
		case a.Folder == b.Folder:
			return 0
		case a.Folder:
			return -1
		}
		return 1
	})
	for _, c := range children {
		data.Children = append(data.Children, rowOf(a, c))
	}
	return data
}

// pageFrom returns the link to the page that a child is the first of.
func pageFrom(c zipgen.Child) string { return "./?from=" + url.QueryEscape(c.Key()) }

func rowOf(a *generation.Archive, c zipgen.Child) childRow {
	row := childRow{Name: shownName(c.Name), Link: linkTo(c.Name), Icon: "folder"}
	if c.Entry >= 0 {
		e := a.Entry(c.Entry)
		row.Time, row.Mode = momentOf(e.ModTime), modeOf(e.Mode)
		if !c.Folder {
			row.Size = sizeOf(e.Size)
		}
	}
	switch {
	case c.Folder:
		row.Link += "/"
		n := c.End - c.First
		if c.Entry >= 0 {
			n--
		}
		row.Below = entries(n)
	case a.IsFile(c.Entry):
		row.File, row.Icon = true, "file"
		if crc, ok := a.KnownCRC(c.Entry); ok {
			row.CRC = fmt.Sprintf("%08x", crc)
		}
	default:
		row.Link, row.Icon, row.Target = "", "link", shownName(a.Link(c.Entry))
	}
	return row
}

// crumbs returns the way to a folder of an archive.
func crumbs(archive, folder string) (list []crumb) {
	parts := strings.Split(strings.TrimSuffix(archive+"/"+folder, "/"), "/")
	first := strings.Count(archive, "/") // of what can be browsed
	list = append(list, crumb{Name: shownName(archive)})
	for _, part := range parts[first+1:] {
		list = append(list, crumb{Name: shownName(part)})
	}
	for i := range list[:len(list)-1] {
		list[i].Link = strings.Repeat("../", len(list)-1-i)
	}
	return list
}
