package rig

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"sync/atomic"
)

// readiness is the socket on which a daemon says that it is ready, as sd_notify(3)
// has it.
type readiness struct {
	conn  *net.UnixConn
	env   string
	ready chan struct{} // closed at READY=1
}

var readinessCount atomic.Int64

func listenReady() (*readiness, error) {
	name := fmt.Sprintf("@vzip-rig-%d-%d", os.Getpid(), readinessCount.Add(1))
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	r := &readiness{conn: conn, env: "NOTIFY_SOCKET=" + name, ready: make(chan struct{})}
	go func() {
		buf := make([]byte, 4096)
		for told := false; ; {
			n, err := conn.Read(buf)
			if err != nil {
				return // closed
			}
			if !told && bytes.Contains(buf[:n], []byte("READY=1")) {
				told = true
				close(r.ready)
			}
		}
	}()
	return r, nil
}

func (r *readiness) close() { r.conn.Close() }
