package web

import (
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strconv"
	"strings"

	"vzip/internal/generation"
)

const (
	// indexRows is how many archives a page has, folderRows how many names.
	indexRows  = 500
	folderRows = 1000
	// refreshTime is how often a browser asks again while files are hashed, in seconds.
	refreshTime = 5
)

// pager is how one gets from a page to those beside it.
type pager struct {
	First, Previous, Next, Text string
	Jump, Above                 bool // to a name; it stands above what it is of
	ID                          string
}

// both returns it for above and below what it is of.
func (p pager) both() (above, below pager) {
	above, below = p, p
	above.Above, above.ID, below.ID = true, "from", "from-below"
	return above, below
}

// archiveRow is an archive in the index.
type archiveRow struct {
	Name    template.HTML
	Link    string
	Size    size
	Entries string
	Unit    string // of them
	Time    moment
	State   state
	Beside  []besideRow
}

// besideRow is a file that belongs to an archive.
type besideRow struct {
	Name template.HTML
	Link string
	Size size
}

// group is an archive's file, with those that belong to it.
type group struct {
	*generation.File
	number int // in the generation
	beside []*generation.File
}

// groupsOf returns files by archive; those of one follow each other.
func groupsOf(files []*generation.File) (groups []group) {
	for _, f := range files {
		if n := len(groups) - 1; n >= 0 && groups[n].Archive == f.Archive {
			groups[n].beside = append(groups[n].beside, f)
			continue
		}
		groups = append(groups, group{File: f, number: len(groups)})
	}
	return groups
}

// serveIndex answers with a page of all archives.
func (h *Handler) serveIndex(w *sender, r *http.Request, s *shown) {
	w.pageInTurn(r.Context(), "index.html", func() any { return indexPage(r, s) })
}

func indexPage(r *http.Request, s *shown) any {
	groups, progress := s.groups, s.g.Progress()
	pages := max((len(groups)+indexRows-1)/indexRows, 1)
	page, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil {
		page = 1
	}
	page = min(max(page, 1), pages)
	data := struct {
		frame
		Count, Entries string
		Size           size
		Archives       []archiveRow
		Above, Below   pager
	}{frame: newFrame(r.URL, "Archives"), Count: count(len(groups), "archive", "archives"), Size: sizeOf(s.size), Entries: entries(s.entries)}
	for _, p := range progress {
		if stateOf(p).Class == "hashing" {
			data.Refresh = refreshTime
			break
		}
	}
	for _, g := range groups[(page-1)*indexRows : min(page*indexRows, len(groups))] {
		row := archiveRow{
			Name: shownName(g.Path), Link: linkTo(g.Path), Size: sizeOf(g.Size),
			Time: momentOf(g.Archive.Time), State: stateOf(progress[g.number]),
		}
		row.Entries, row.Unit, _ = strings.Cut(entries(g.Archive.Len()), " ")
		row.Unit = " " + row.Unit
		for _, f := range g.beside {
			row.Beside = append(row.Beside, besideRow{shownName(path.Base(f.Path)), linkTo(f.Path), sizeOf(f.Size)})
		}
		data.Archives = append(data.Archives, row)
	}
	if pages > 1 {
		to := func(n int) string { return fmt.Sprintf("./?page=%d", n) }
		p := pager{Text: fmt.Sprintf("Page %d of %d", page, pages)}
		if page > 1 {
			p.First, p.Previous = "./", to(page-1)
		}
		if page < pages {
			p.Next = to(page + 1)
		}
		data.Above, data.Below = p.both()
		if page == 1 {
			data.Above = pager{}
		}
	}
	return data
}
