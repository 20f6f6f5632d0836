package main

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"vzip/internal/faultfs"
)

// With --watch, too, a reload ends when a folder of a source hangs.
func TestFaultHungWatch(t *testing.T) {
	t.Parallel()
	f, d := mountHung(t, "--watch")
	for _, passed := range []int{2, 3} { // the folder is asked for more than once

		f.add(faultfs.Rule{Path: "hung/sub", Ops: []faultfs.Op{faultfs.Lookup, faultfs.Getattr}, Skip: passed, Hang: true})
		for range 2 { // neither does the next one wait for what hangs
			done := make(chan string, 1)
			begin := time.Now()
			go func() {
				out, err := exec.Command("vzip", "reload", d.mnt).CombinedOutput()
				done <- string(out) + " " + errText(err)
			}()
			select {
			case out := <-done:
				t.Logf("%v: after %v: %s", passed, round(time.Since(begin)), out)
				if !strings.Contains(out, "hung") {
					t.Errorf("%v: the answer does not name the folder", passed)
				}
			case <-time.After(5 * sourceTimeout):
				t.Errorf("%v: reload does not end; the log: %s", passed, d.text())
			}
		}
		f.clear()
		time.Sleep(time.Second)
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
