package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"vzip/internal/crccache"
	"vzip/internal/generation"
	"vzip/internal/manifest"
	"vzip/internal/oneline"
	"vzip/layout"
)

func (a *app) listCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list LAYOUT [ARCHIVE]",
		Short: "List a layout's archives, or one archive's entries",
		Long: "list shows the name, size in bytes and number of entries of every archive, or\n" +
			"of one archive every entry: size, CRC-32 (where it is remembered), offset of its\n" +
			"data in the archive, and name. Where the layout compresses files the compressed\n" +
			"size, and the percentage of the data that this is, stand there as well, and - for\n" +
			"what hash has not worked out yet. No file is read.",
		Args:              layoutAndMaybeArchive,
		ValidArgsFunction: completeLayout(completeArchive),
		RunE: func(_ *cobra.Command, args []string) error {
			only := strings.Join(args[1:], "") // one at most
			plans, err := a.scan(args[0], only, a.warn)
			if err != nil {
				return err
			}
			g := generation.New(plans, nil, nil)
			defer g.Close()
			if only != "" || packs(plans) {
				a.recall(g)
			}
			if err := g.Pack(); err != nil {
				return err
			}
			a.tellUnpacked(g, args[0])
			out := bufio.NewWriterSize(a.stdout, 64<<10)
			switch {
			case only == "" && asJSON:
				err = listArchivesJSON(out, g)
			case only == "":
				listArchives(out, g, packs(plans))
			case asJSON:
				archive := g.Archives[0]
				err = manifest.Write(out, archive.Name, archive.Plan.Archive, archive.Packed(), archive.KnownCRC)
			default:
				listEntries(out, g.Archives[0])
			}
			if err == nil {
				err = out.Flush()
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON, for programs")
	return cmd
}

// recall takes what is remembered, and makes no folder for it.
func (a *app) recall(g *generation.Generation) {
	dir, _ := a.cachePath()
	if _, err := os.Stat(dir); dir == "" || err != nil {
		return
	}
	c, err := crccache.Open(dir)
	if err != nil {
		a.log.Warn("remembered CRCs can't be read: " + err.Error())
		return
	}
	g.Recall(generation.Options{
		HashOptions: generation.HashOptions{Cache: c},
		Warn:        a.warn,
	})
}

// packs tells whether any file of the archives may be deflated.
func packs(plans []*layout.Plan) bool { return slices.ContainsFunc(plans, (*layout.Plan).Packs) }

// tellUnpacked tells how to learn what is not known of archives that compress files.
func (a *app) tellUnpacked(g *generation.Generation, file string) {
	n := 0
	for _, archive := range g.Archives {
		if !archive.Packed() {
			n++
		}
	}
	if n > 0 {
		a.log.Info(fmt.Sprintf("archives whose size is not known yet, as not all of their files were compressed before: %d: vzip hash %s works it out", n, oneline.Quoted(file)))
	}
}

// number is one that is known or not.
func number(n int64, known bool) string {
	if !known {
		return "-"
	}
	return strconv.FormatInt(n, 10)
}

// share is what percentage part of whole is, if it is known.
func share(part, whole int64, known bool) string {
	if !known {
		return "-"
	}
	return fmt.Sprintf("%d%%", generation.Percent(part, whole))
}

// listArchives tells what is left of the data, too, where some of it is deflated.
func listArchives(w io.Writer, g *generation.Generation, packs bool) {
	for _, archive := range g.Archives {
		known := archive.Packed()
		fmt.Fprintf(w, "%15s ", number(archive.Size(), known))
		if packs {
			inflated, stored := archive.DataSize()
			fmt.Fprintf(w, "%5s ", share(stored, inflated, known))
		}
		fmt.Fprintf(w, "%9d  %s\n", archive.Len(), oneline.Quoted(archive.Name))
	}
}

// archiveJSON is what "list --json" tells of an archive.
type archiveJSON struct {
	Name         string `json:"name"`
	Size         *int64 `json:"size"`                        // of the archive in bytes; nil: not known yet
	Uncompressed *int64 `json:"uncompressed_size,omitempty"` // of all entries' data; nil: none is deflated
	Entries      int    `json:"entries"`                     // how many
}

func listArchivesJSON(w io.Writer, g *generation.Generation) error {
	archives := []archiveJSON{}
	for _, archive := range g.Archives {
		j := archiveJSON{Name: archive.Name, Entries: archive.Len()}
		if archive.Packed() {
			j.Size = new(archive.Size())
		}
		if archive.Packs() {
			inflated, _ := archive.DataSize()
			j.Uncompressed = &inflated
		}
		archives = append(archives, j)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(archives)
}

// listEntries tells compressed sizes, too, where the archive may have entries that are
// deflated.
func listEntries(w io.Writer, archive *generation.Archive) {
	packs, known := archive.Packs(), archive.Packed()
	for i := range archive.Len() {
		e := archive.Entry(i)
		crc := "--------"
		if c, ok := archive.KnownCRC(i); ok {
			crc = fmt.Sprintf("%08x", c)
		}
		fmt.Fprintf(w, "%15d ", e.Size)
		if packs {
			compressed, _ := archive.EntryCompressedSize(i)
			fmt.Fprintf(w, "%15s %5s ", number(compressed, known), share(compressed, e.Size, known))
		}
		fmt.Fprintf(w, "%s %15s  %s\n", crc, number(archive.DataOffset(i), known), oneline.Quoted(e.Name))
	}
}
