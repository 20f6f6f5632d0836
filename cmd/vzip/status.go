package main

import (
	"bytes"
	"encoding/json"
	"os"
	"time"

	"github.com/prometheus/procfs"

	"vzip/internal/generation"
)

const (
	// statusFile is a hidden file of each mount that has the status as JSON.
	statusFile = ".vzip/status.json"
	// statusMode lets only the user who mounts read it: it names archives and sources
	// that others may not read.
	statusMode = 0o400
)

// status is what a mount does, as "vzip status --json" and statusFile tell it. The
// names are a contract: new ones may come, none changes its meaning.
type status struct {
	Version    string `json:"version"`
	PID        int    `json:"pid"`
	Layout     string `json:"layout"`
	Mountpoint string `json:"mountpoint"`
	Started    string `json:"started"`    // RFC 3339
	Generation int64  `json:"generation"` // 1, and 1 more with each reload that changes something
	State      string `json:"state"`      // hashing, ready, reloading or draining

	Archives []archiveStatus `json:"archives"`
	// OpenFiles counts those of earlier generations, too.
	OpenFiles int64         `json:"open_files"`
	Hashing   hashingStatus `json:"hashing"`
	// Rehashing is of the next generation, while that is built.
	Rehashing  *rehashingStatus `json:"rehashing,omitempty"`
	LastReload *lastReload      `json:"last_reload"` // null: there was none

	Served servedStatus     `json:"served"`
	Errors map[string]int64 `json:"errors"` // reads that were refused, by generation.CauseNames

	ResidentBytes int64 `json:"resident_bytes"` // memory of the process
	Descriptors   int   `json:"descriptors"`    // that the process has open
}

type archiveStatus struct {
	Name    string `json:"name"`
	Size    int64  `json:"size"`    // in bytes
	Entries int    `json:"entries"` // how many
	Open    int    `json:"open"`    // how often
	Stale   int    `json:"stale"`   // entries whose source is known to have other bytes now
}

// hashingStatus is of a generation that was shown before all its CRC-32s were known;
// all 0 of others.
type hashingStatus struct {
	Files       int   `json:"files"`        // whose CRC-32 was not known at the start
	FilesLeft   int   `json:"files_left"`   // whose CRC-32 is not known yet
	FilesFailed int   `json:"files_failed"` // of these, could not be read
	BytesDone   int64 `json:"bytes_done"`
	BytesTotal  int64 `json:"bytes_total"`
}

type rehashingStatus struct {
	Files      int   `json:"files"`
	BytesDone  int64 `json:"bytes_done"`
	BytesTotal int64 `json:"bytes_total"`
}

// lastReload is how the last reload ended.
type lastReload struct {
	Time    string `json:"time"` // RFC 3339
	OK      bool   `json:"ok"`
	Message string `json:"message"` // as vzip reload says it
}

func newLastReload(message string, err error) *lastReload {
	if err != nil {
		message = err.Error()
	}
	return &lastReload{rfc3339(time.Now()), err == nil, message}
}

type servedStatus struct {
	Reads int64 `json:"reads"`
	Bytes int64 `json:"bytes"`
}

func rfc3339(t time.Time) string { return t.Format(time.RFC3339) }

// statusNow looks at all without waiting for anything.
func (s *server) statusNow() *status {
	g := s.generation()
	st := &status{
		Version: versionText(), PID: os.Getpid(), Layout: s.file, Mountpoint: s.dir,
		Started: rfc3339(s.began), Generation: s.number.Load(), State: "ready",
		Archives: []archiveStatus{}, OpenFiles: s.counters.open.Load(), LastReload: s.last.Load(),
		Served: servedStatus{s.counters.reads.Load(), s.counters.bytes.Load()}, Errors: map[string]int64{},
	}
	opened := g.Opened()
	for i, a := range g.Archives {
		st.Archives = append(st.Archives, archiveStatus{a.Name, a.Size(), a.Len(), opened[i], a.Stale()})
	}
	var ended bool
	h := &st.Hashing
	h.FilesLeft, h.FilesFailed, ended = g.Unhashed()
	if st.Generation == 1 { // no later one is shown before all is hashed
		h.Files, h.BytesDone, h.BytesTotal = s.progress.figures()
	}
	if h.FilesLeft == 0 { // a reload may have taken over from it
		h.BytesDone = h.BytesTotal
	}
	if p := s.rehashing.Load(); p != nil {
		r := new(rehashingStatus)
		r.Files, r.BytesDone, r.BytesTotal = p.figures()
		st.Rehashing = r
	}
	switch {
	case s.draining.Load():
		st.State = "draining"
	case s.building.Load():
		st.State = "reloading"
	case !ended:
		st.State = "hashing"
	}
	for c := range generation.Causes {
		st.Errors[c.String()] = s.counters.errors[c].Load()
	}
	st.ResidentBytes, st.Descriptors = used()
	return st
}

// renderStatus is the status as JSON.
func (s *server) renderStatus() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(s.statusNow()); err != nil {
		panic("BUG: " + err.Error()) // who asks gets an error
	}
	return b.Bytes()
}

// used returns the process's resident memory in bytes, and how many descriptors it has
// open; 0 for what can't be known.
func used() (resident int64, descriptors int) {
	self, err := procfs.Self()
	if err != nil {
		return 0, 0
	}
	if status, err := self.NewStatus(); err == nil {
		resident = int64(status.VmRSS)
	}
	if n, err := self.FileDescriptorsLen(); err == nil {
		descriptors = max(n-1, 0) // one is for counting
	}
	return resident, descriptors
}
