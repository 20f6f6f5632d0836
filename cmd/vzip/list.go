package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"vzip/internal/crccache"
	"vzip/internal/generation"
	"vzip/internal/manifest"
	"vzip/internal/oneline"
)

func (a *app) listCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list LAYOUT [ARCHIVE]",
		Short: "List a layout's archives, or one archive's entries",
		Long: "list shows the name, size in bytes and number of entries of every archive, or\n" +
			"of one archive every entry: size, CRC-32 (where it is remembered), offset of its\n" +
			"data in the archive, and name. No file is read.",
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
			out := bufio.NewWriterSize(a.stdout, 64<<10)
			switch {
			case only == "" && asJSON:
				err = listArchivesJSON(out, g)
			case only == "":
				for _, archive := range g.Archives {
					fmt.Fprintf(out, "%15d %9d  %s\n", archive.Size(), archive.Len(), oneline.Quoted(archive.Name))
				}
			default:
				a.recall(g)
				if asJSON {
					archive := g.Archives[0]
					err = manifest.Write(out, archive.Name, archive.Plan.Archive, archive.KnownCRC)
				} else {
					listEntries(out, g.Archives[0])
				}
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

// archiveJSON is what "list --json" tells of an archive.
type archiveJSON struct {
	Name    string `json:"name"`
	Size    int64  `json:"size"`    // of the archive in bytes
	Entries int    `json:"entries"` // how many
}

func listArchivesJSON(w io.Writer, g *generation.Generation) error {
	archives := []archiveJSON{}
	for _, archive := range g.Archives {
		archives = append(archives, archiveJSON{archive.Name, archive.Size(), archive.Len()})
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(archives)
}

func listEntries(w io.Writer, archive *generation.Archive) {
	for i := range archive.Len() {
		e := archive.Entry(i)
		crc := "--------"
		if c, ok := archive.KnownCRC(i); ok {
			crc = fmt.Sprintf("%08x", c)
		}
		fmt.Fprintf(w, "%15d %s %15d  %s\n", e.Size, crc, archive.DataOffset(i), oneline.Quoted(e.Name))
	}
}
