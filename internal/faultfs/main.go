package faultfs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// ready is what Main prints when the files can be read.
const ready = "ready\n"

// Main is the main function of a process that serves a file system: its arguments
// are those that Start gives. It ends with standard input, so that nothing stays
// when its parent dies, or when the file system is unmounted.
func Main(args []string) (exitCode int) {
	if err := serve(args); err != nil {
		fmt.Fprintln(os.Stderr, "faultfs:", err)
		return 1
	}
	return 0
}

func serve(args []string) error {
	if len(args) != 4 {
		return errors.New("usage: DIR MOUNTPOINT SOCKET CACHE")
	}
	dir, mnt, socket := args[0], args[1], args[2]
	cache, err := time.ParseDuration(args[3])
	if err != nil {
		return err
	}
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP) // meant for the parent
	f := newFaultFS(dir, cache)
	control, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	defer control.Close()
	options := fuse.MountOptions{
		FsName:        dir,
		Name:          "faultfs",
		MaxWrite:      1 << 20,
		MaxBackground: 1<<16 - 1, // what hangs keeps nothing else waiting
		DisableXAttrs: true, DisableSplice: true, DisableReadDirPlus: true,
		Options: []string{"ro"},
	}
	if os.Geteuid() == 0 {
		options.Options = nil
		options.DirectMountStrict = true
		options.DirectMountFlags = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV
	}
	server, err := fuse.NewServer(f, mnt, &options)
	if err != nil {
		return fmt.Errorf("mounting at %s: %w", mnt, err)
	}
	go server.Serve()
	if err := server.WaitMount(); err != nil {
		return err
	}
	go f.answerAll(control)
	fmt.Print(ready)

	gone := make(chan struct{})
	go func() { server.Wait(); close(gone) }()
	parentGone := make(chan struct{})
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); close(parentGone) }()
	select {
	case <-gone:
		return nil
	case <-parentGone:
		f.rules.remove(0)
		return unmount(mnt)
	}
}

// unmount takes the mount out of sight; who still has files open gets an error
// when the process ends. It is not vfs.Unmount, whose tests may need this package.
func unmount(mnt string) error {
	err := unix.Unmount(mnt, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	if err == unix.EPERM {
		err = exec.Command("fusermount3", "-u", "-z", "--", mnt).Run()
	}
	return err
}

// request and answer are what goes through the socket, one of each a connection.
type request struct {
	Add    *Rule
	Remove *int // the number of a rule, 0 for all
	Reset  bool // the counters, after answering
}

type answer struct {
	ID    int
	State State
	Error string
}

func (f *faultFS) answerAll(control net.Listener) {
	for {
		c, err := control.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			var q request
			var a answer
			err := json.NewDecoder(c).Decode(&q)
			if err == nil {
				a, err = f.answer(q)
			}
			if err != nil {
				a.Error = err.Error()
			}
			_ = json.NewEncoder(c).Encode(a) // who asked may be gone
		}()
	}
}

func (f *faultFS) answer(q request) (a answer, err error) {
	if q.Remove != nil {
		f.rules.remove(*q.Remove)
	}
	if q.Add != nil {
		if err := q.Add.check(); err != nil {
			return a, err
		}
		if frozen := map[string]fuse.Attr(nil); !q.Add.Freeze {
			a.ID = f.rules.add(*q.Add, nil)
		} else if frozen, err = f.snapshot(*q.Add); err == nil {
			a.ID = f.rules.add(*q.Add, frozen)
		}
	}
	a.State = f.rules.state(q.Reset)
	return a, err
}
