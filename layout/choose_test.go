package layout

import (
	"strings"
	"testing"
)

// What include and exclude choose of one tree, at the archive's root.
func TestChoose(t *testing.T) {
	t.Parallel()
	files := []string{
		"src/a.txt", "src/b.md", "src/docs/c.txt", "src/docs/d.md", "src/docs/deep/e.txt", "src/docs/empty/",
		"src/out/docs/f.txt", "src/.git/HEAD", "src/x{y}", "src/[z]", "src/link -> docs",
	}
	for _, tt := range []struct{ name, choice, want string }{
		{"a name, at the top alone", "include: [a.txt, c.txt]", "a.txt"},
		{"a star stays in its folder", `include: ["*.txt"]`, "a.txt"},
		{"two stars are any folders, or none", `include: ["**/*.txt"]`, "a.txt docs/ docs/c.txt docs/deep/ docs/deep/e.txt out/ out/docs/ out/docs/f.txt"},
		{"two stars alone", `include: ["**"]`, ".git/ .git/HEAD [z] a.txt b.md docs/ docs/c.txt docs/d.md docs/deep/ docs/deep/e.txt docs/empty/ link out/ out/docs/ out/docs/f.txt x{y}"},
		{"a folder covers its content", "include: [docs]", "docs/ docs/c.txt docs/d.md docs/deep/ docs/deep/e.txt docs/empty/"},
		{"a folder with a slash", "include: [docs/]", "docs/ docs/c.txt docs/d.md docs/deep/ docs/deep/e.txt docs/empty/"},
		{"what is in a folder", `include: ["docs/*"]`, "docs/ docs/c.txt docs/d.md docs/deep/ docs/deep/e.txt docs/empty/"},
		{"all that is in a folder", `include: ["docs/**"]`, "docs/ docs/c.txt docs/d.md docs/deep/ docs/deep/e.txt docs/empty/"},
		{"a folder anywhere", `include: ["**/docs"]`, "docs/ docs/c.txt docs/d.md docs/deep/ docs/deep/e.txt docs/empty/ out/ out/docs/ out/docs/f.txt"},
		{"a folder below", "include: [docs/deep]", "docs/ docs/deep/ docs/deep/e.txt"},
		{"an empty folder", "include: [docs/empty]", "docs/ docs/empty/"},
		{"stars and a slash: folders alone", `include: ["*/"]`, ".git/ .git/HEAD docs/ docs/c.txt docs/d.md docs/deep/ docs/deep/e.txt docs/empty/ out/ out/docs/ out/docs/f.txt"},
		{"a file with a slash", "include: [a.txt/, b.md]", "b.md"},
		{"a link is no folder", "include: [link/, b.md]", "b.md"},
		{"a link", "include: [link]", "link"},
		{"a question mark", `include: ["?.md"]`, "b.md"},
		{"a class", `include: ["[ab].*"]`, "a.txt b.md"},
		{"a class the other way", `include: ["[!a].*"]`, "b.md"},
		{"alternatives", `include: ["*.{txt,md}"]`, "a.txt b.md"},
		{"alternatives with slashes", `include: ["{docs/d.md,out/docs}"]`, "docs/ docs/d.md out/ out/docs/ out/docs/f.txt"},
		{"backslashes", `include: ['x\{y\}', '\[z\]']`, "[z] x{y}"},
		{"stars take names with a dot", `include: ["*/HEAD"]`, ".git/ .git/HEAD"},
		{"capitals count", `include: ["*.TXT", b.md]`, "b.md"},
		{"two patterns, one archive", `include: ["*.md", "*.txt", "b*"]`, "a.txt b.md"},

		{"exclude a name, at the top alone", "exclude: [.git, docs, out, link, x*, '\\[*', a.txt, c.txt]", "b.md"},
		{"exclude anywhere", `exclude: ["**/*.txt", .git, link, "**/docs", '*\}', "*]"]`, "b.md out/"},
		{"exclude a folder's content", `exclude: [".git/*", "docs/*", out, link, "x*", '\[*']`, ".git/ a.txt b.md docs/"},
		{"exclude folders alone", `exclude: ["*/"]`, "[z] a.txt b.md link x{y}"},
		{"exclude all", `exclude: ["**"]`, ""},
		{"exclude nothing", "include: [b.md]\n        exclude: []", "b.md"},
		{"exclude wins", `{include: ["**/*.txt", docs], exclude: [docs/deep, "**/*.md", out]}`, "a.txt docs/ docs/c.txt docs/empty/"},
		{"exclude wins over a covering folder", `{include: [docs], exclude: ["**/c.*"]}`, "docs/ docs/d.md docs/deep/ docs/deep/e.txt docs/empty/"},
		{"exclude a folder on the way", `{include: [docs/deep/e.txt, a.txt], exclude: [docs]}`, "a.txt"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			tree(t, dir, files...)
			choice := tt.choice
			if inner, ok := strings.CutPrefix(choice, "{"); ok {
				choice = strings.Replace(strings.TrimSuffix(inner, "}"), ", exclude:", "\n        exclude:", 1)
			}
			got, _ := shown(t, dir, one("", "source: src\n        as: .\n        "+choice))
			for i := range got {
				got[i], _, _ = strings.Cut(got[i], " ")
			}
			wantLines(t, got, strings.Fields(tt.want))
		})
	}
}

// Folders that lead to what is included come before it, and only then.
func TestChooseBelowAs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir, "src/a/b/x", "src/a/c/y", "src/d/", "src/e/f/g/", "file")
	for choice, want := range map[string]string{
		"include: [a/b/x]":              "p/ p/q/ p/q/a/ p/q/a/b/ p/q/a/b/x",
		`include: ["**/y", "**/g"]`:     "p/ p/q/ p/q/a/ p/q/a/c/ p/q/a/c/y p/q/e/ p/q/e/f/ p/q/e/f/g/",
		"include: [d]":                  "p/ p/q/ p/q/d/",
		"include: [nothing]":            "",
		"include: [d, nothing]":         "p/ p/q/ p/q/d/",
		`exclude: ["*"]`:                "p/ p/q/",
		"exclude: [a, e/f, d, nothing]": "p/ p/q/ p/q/e/",
	} {
		got, warnings := shown(t, dir, one("", "source: src\n        as: p/q\n        "+choice))
		for i := range got {
			got[i], _, _ = strings.Cut(got[i], " ")
		}
		wantLines(t, got, strings.Fields(want))
		var warned []string
		if strings.HasPrefix(choice, "include") && strings.Contains(choice, "nothing") {
			warned = append(warned, dir+`/layout.yaml:5: include pattern "nothing" matches nothing in `+dir+"/src")
		}
		if want == "" {
			warned = append(warned, "archive a.zip is empty")
		}
		wantLines(t, warnings, warned)
	}
}

// An include pattern that chooses nothing is a mistake more often than not. One
// that matches what another covers is none.
func TestUnusedPatterns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir, "src/docs/a.txt", "src/b.txt", "src/link -> nothing", "other/c")
	for _, tt := range []struct {
		entry string
		want  []string
	}{
		{`{source: src, include: ["*.txt", docs, "docs/*.txt", "**/a.*"]}`, nil},
		{`{source: src, include: ["*.txt", "docs/*.md", docs/a.txt/]}`, []string{"docs/*.md", "docs/a.txt/"}},
		{`{source: src, include: [b.txt], exclude: [nothing]}`, nil},
		{`{source: src, include: [b.txt, docs], exclude: [docs]}`, []string{"docs"}},
		{`{source: src, include: [link]}`, nil},
	} {
		_, warnings := shown(t, dir, one("", tt.entry))
		var want []string
		for _, pattern := range tt.want {
			want = append(want, dir+`/layout.yaml:5: include pattern "`+pattern+`" matches nothing in `+dir+"/src")
		}
		wantLines(t, warnings, want)
	}
	// Each entry on its own.
	_, warnings := shown(t, dir, one("", `{source: src, include: [c, b.txt]}`, `{source: other, include: [c, b.txt]}`))
	wantLines(t, warnings, []string{
		dir + `/layout.yaml:6: include pattern "b.txt" matches nothing in ` + dir + "/other",
		dir + `/layout.yaml:5: include pattern "c" matches nothing in ` + dir + "/src",
	})
}
