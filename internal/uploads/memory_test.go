package uploads

import (
	"fmt"
	"os"
	"testing"

	"vzip/internal/figure"
	"vzip/internal/rig"
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
	now, _ := resident(t, pid)
	return &memory{pid, now}
}

// check compares the most since with the bound, and prints it.
func (m *memory) check(t *testing.T, what string) {
	t.Helper()
	_, peak := resident(t, m.pid)
	figure.Print(t, "%s: the daemon took %.0f MiB, and %.0f MiB before", what, peak, m.before)
	if peak > m.before+memoryBound {
		t.Errorf("the daemon took %.0f MiB, and %.0f MiB before; more than %d MiB are too many", peak, m.before, memoryBound)
	}
}

// resident returns the memory of a process now, and the most so far, in MiB.
func resident(t *testing.T, pid int) (now, most float64) {
	t.Helper()
	now, most, err := rig.Memory(pid)
	if err != nil {
		t.Fatal(err)
	}
	return now, most
}
