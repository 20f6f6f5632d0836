package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"vzip/internal/generation"
	"vzip/internal/oneline"
)

func (a *app) statusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status MOUNTPOINT",
		Short: "Show what the vzip that serves MOUNTPOINT does",
		Long: "status shows archives, how far hashing is, how much was read, and errors by their\n" +
			"cause. The same as JSON, for programs: --json, or the file " + statusFile + " in the\n" +
			"mount, which no listing shows.",
		Args:              exactArgs("MOUNTPOINT"),
		ValidArgsFunction: completeMountpoint,
		RunE: func(_ *cobra.Command, args []string) error {
			answer, err := ask(args[0], "status")
			if err != nil {
				return err
			}
			var s status
			if err := json.Unmarshal(answer.Data, &s); err != nil {
				return fmt.Errorf("%s: the answer of the vzip that serves it can't be read: %w", args[0], err)
			}
			out := bufio.NewWriter(a.stdout)
			if asJSON {
				e := json.NewEncoder(out)
				e.SetEscapeHTML(false)
				e.SetIndent("", "  ")
				err = e.Encode(answer.Data) // with what only another version knows
			} else {
				s.print(out)
			}
			if err != nil {
				return err
			}
			return out.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON, for programs")
	return cmd
}

// print writes the status as people read it.
func (s *status) print(w io.Writer) {
	line := func(key, format string, args ...any) {
		fmt.Fprintf(w, "%-12s %s\n", key, oneline.Text(fmt.Sprintf(format, args...)))
	}
	line("mountpoint", "%s", s.Mountpoint)
	line("layout", "%s", s.Layout)
	line("state", "%s, generation %d", s.State, s.Generation)
	line("process", "%d since %s, %s", s.PID, s.Started, s.Version)
	if h := s.Hashing; h.FilesLeft > 0 {
		failed := ""
		if h.FilesFailed > 0 {
			failed = fmt.Sprintf(", %d can't be read", h.FilesFailed)
		}
		line("hashing", "%d of %d files left, %s of %s done (%d %%)%s", h.FilesLeft, h.Files, size(h.BytesDone), size(h.BytesTotal), percent(h.BytesDone, h.BytesTotal), failed)
	}
	if r := s.Rehashing; r != nil && r.Files > 0 {
		line("next", "%d files to hash, %s of %s done (%d %%)", r.Files, size(r.BytesDone), size(r.BytesTotal), percent(r.BytesDone, r.BytesTotal))
	}
	if r := s.LastReload; r != nil {
		failed := ""
		if !r.OK {
			failed = "failed: "
		}
		line("last reload", "%s %s%s", r.Time, failed, r.Message)
	}
	line("served", "%s in %d reads, %d files are open", size(s.Served.Bytes), s.Served.Reads, s.OpenFiles)
	line("errors", "%s", s.errorsByCause())
	line("memory", "%s, %d descriptors", size(s.ResidentBytes), s.Descriptors)
	fmt.Fprintf(w, "\n%15s %9s %5s %5s  %s\n", "SIZE", "ENTRIES", "OPEN", "STALE", "ARCHIVE")
	for _, a := range s.Archives {
		fmt.Fprintf(w, "%15d %9d %5d %5d  %s\n", a.Size, a.Entries, a.Open, a.Stale, oneline.Quoted(a.Name))
	}
}

func percent(done, total int64) int64 { return 100 * done / max(total, 1) }

// errorsByCause has the known causes in their order, then those of another version.
func (s *status) errorsByCause() string {
	var list []string
	tell := func(name string) {
		if n := s.Errors[name]; n > 0 {
			list = append(list, fmt.Sprintf("%d %s", n, name))
		}
	}
	var others []string
	for name := range s.Errors {
		if !slices.Contains(generation.CauseNames[:], name) {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	for _, name := range append(generation.CauseNames[:len(generation.CauseNames):len(generation.CauseNames)], others...) {
		tell(name)
	}
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}
