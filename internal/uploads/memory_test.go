package uploads

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"vzip/internal/figure"
)

// memoryBound is how much memory the daemon may take for an upload, in MiB, beside
// what it has when nobody reads.
const memoryBound = 64

// memory is that of a daemon, in MiB.
type memory struct {
	pid    int
	before float64
}

// watchMemory makes the kernel forget what the most was so far.
func watchMemory(t *testing.T, pid int) *memory {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
	return &memory{pid, resident(t, pid, "VmRSS")}
}

// check compares the most since with the bound, and prints it.
func (m *memory) check(t *testing.T, what string) {
	t.Helper()
	peak := resident(t, m.pid, "VmHWM")
	figure.Print(t, "%s: the daemon took %.0f MiB, and %.0f MiB before", what, peak, m.before)
	if peak > m.before+memoryBound {
		t.Errorf("the daemon took %.0f MiB, and %.0f MiB before; more than %d MiB are too many", peak, m.before, memoryBound)
	}
}

// resident returns a figure of proc(5)'s status, in MiB.
func resident(t *testing.T, pid int, name string) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var kib float64
		if n, _ := fmt.Sscanf(line, name+": %f kB", &kib); n == 1 {
			return kib / 1024
		}
	}
	t.Fatalf("/proc/%d/status has no %s", pid, name)
	return 0
}
