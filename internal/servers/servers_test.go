package servers

import (
	"context"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// A server that does not come up is an error with what it said.
func TestStartFails(t *testing.T) {
	t.Parallel()
	address, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := start(t.Context(), dir, address, dir, "sh", "-c", "echo no such setting >&2; exit 3"); err == nil || !strings.Contains(err.Error(), "sh ended: no such setting") {
		t.Errorf("got %v", err)
	}
	if _, err := start(t.Context(), dir, address, dir, "no-such-server"); err == nil || !strings.Contains(err.Error(), exec.ErrNotFound.Error()) {
		t.Errorf("got %v", err)
	}
}

// Stop ends a server, also one that does not want to.
func TestStop(t *testing.T) {
	t.Parallel()
	for _, words := range [][]string{{"sleep", "600"}, {"sh", "-c", `trap "" INT; while :; do sleep 0.1; done`}} {
		l, err := net.Listen("tcp", "127.0.0.1:0") // answers in its stead
		if err != nil {
			t.Fatal(err)
		}
		s, err := start(context.Background(), t.TempDir(), l.Addr().String(), "", words...)
		l.Close()
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		s.Stop()
		if took := time.Since(begin); took > time.Minute || s.cmd.ProcessState == nil {
			t.Errorf("%s: after %s it is still there", words[0], took)
		}
	}
}
