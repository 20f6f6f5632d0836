package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// gate holds up one process's reads of one file, by the kernel's permission events
// (fanotify(7)). It has to be there before the file is opened: the kernel asks
// nobody about files that nobody watched then.
type gate struct {
	events  *os.File
	pid     atomic.Int32  // whose reads wait; 0 nobody's
	reached chan struct{} // gets a value when the first of them waits
	opened  chan struct{} // closed to let them go on
}

func newGate(path string) (*gate, error) {
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_CONTENT|unix.FAN_CLOEXEC|unix.FAN_NONBLOCK, unix.O_RDONLY|unix.O_LARGEFILE|unix.O_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("fanotify_init", err)
	}
	g := &gate{events: os.NewFile(uintptr(fd), "fanotify"), reached: make(chan struct{}, 1), opened: make(chan struct{})}
	if err := unix.FanotifyMark(fd, unix.FAN_MARK_ADD, unix.FAN_ACCESS_PERM, unix.AT_FDCWD, path); err != nil {
		g.events.Close()
		return nil, os.NewSyscallError("fanotify_mark", err)
	}
	go g.answer()
	return g, nil
}

// answer lets reads go on, those of the chosen process once the gate is open.
func (g *gate) answer() {
	buf := make([]byte, 4096)
	for {
		n, err := g.events.Read(buf)
		if err != nil {
			return // closed
		}
		for r := bytes.NewReader(buf[:n]); r.Len() > 0; {
			var e unix.FanotifyEventMetadata
			if binary.Read(r, binary.NativeEndian, &e) != nil {
				return
			}
			if e.Pid == g.pid.Load() {
				select {
				case g.reached <- struct{}{}:
				default:
				}
				go func() {
					<-g.opened
					g.allow(e.Fd)
				}()
				continue
			}
			g.allow(e.Fd)
		}
	}
}

func (g *gate) allow(fd int32) {
	var b bytes.Buffer
	_ = binary.Write(&b, binary.NativeEndian, unix.FanotifyResponse{Fd: fd, Response: unix.FAN_ALLOW})
	_, _ = g.events.Write(b.Bytes()) // the reader may have been killed
	_ = unix.Close(int(fd))
}

// shut makes a process's reads wait.
func (g *gate) shut(pid int) { g.pid.Store(int32(pid)) }

// open lets them go on, for good.
func (g *gate) open() {
	g.pid.Store(0)
	close(g.opened)
}

// close gives the file free: the kernel lets all reads that still wait go on.
func (g *gate) close() { g.events.Close() }
