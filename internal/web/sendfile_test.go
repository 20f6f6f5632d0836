package web

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestSendfile shows why bodies are not sent by sendfile(2): what it has sent, and what
// has even been acknowledged, still are the file's own pages. A change of the source
// after the last check would reach the client, behind a clean end.
func TestSendfile(t *testing.T) {
	t.Parallel()
	const size = 100 << 10
	path := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(path, bytes.Repeat([]byte("A"), size), 0o644))
	in, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer in.Close()
	client, err := net.Dial("tcp", in.Addr().String())
	must(t, err)
	defer client.Close()
	server, err := in.Accept()
	must(t, err)
	defer server.Close()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	raw, err := server.(*net.TCPConn).SyscallConn()
	must(t, err)
	sent := 0
	must(t, raw.Write(func(fd uintptr) bool {
		n, err := unix.Sendfile(int(fd), int(f.Fd()), nil, size-sent)
		sent += max(n, 0)
		return err != unix.EAGAIN && sent == size
	}))
	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	defer w.Close()
	_, err = w.Write(bytes.Repeat([]byte("B"), size))
	must(t, err)
	must(t, server.Close())
	must(t, client.SetReadDeadline(time.Now().Add(patience)))
	got, err := io.ReadAll(client)
	must(t, err)
	if n := bytes.Count(got, []byte("B")); n == 0 {
		t.Errorf("all %d bytes are from before the change: there is no reason not to use it", len(got))
	}
}
