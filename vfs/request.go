package vfs

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// request is the context of one request: it ends when nobody waits for the answer
// any more. The kernel interrupts a request at any signal, also one that the caller
// handles and goes on: a read(2) of a file that fails with EINTR then is more than
// most programs are made for. Only the first signal is told of, and go-fuse tells
// of the end of the mount in the same way, so that the caller has to be looked at.
type request struct {
	*fuse.Context

	mu       sync.Mutex
	finished chan struct{} // made with done
	done     chan struct{} // made when somebody asks for it
	over     bool
}

var _ context.Context = (*request)(nil)

var requests = sync.Pool{New: func() any { return new(request) }}

// callerPoll is how often the caller of an interrupted request is looked at.
const callerPoll = 50 * time.Millisecond

// endPoll is how often the caller of a request that takes long is looked at.
const endPoll = time.Second

func newRequest(ctx context.Context) *request {
	c, ok := ctx.(*fuse.Context)
	if !ok { // go-fuse gives no other
		c = &fuse.Context{Cancel: ctx.Done()}
	}
	r := requests.Get().(*request)
	r.Context = c
	return r
}

// finish is called when the request is answered. With unused set nobody has it any
// more.
func (r *request) finish(unused bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.finished != nil:
		close(r.finished)
		r.over = true
	case unused:
		r.Context = nil
		requests.Put(r)
	default:
		r.over = true
	}
}

func (r *request) Done() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done == nil {
		r.done, r.finished = make(chan struct{}), make(chan struct{})
		if r.over {
			close(r.done)
		} else {
			go r.watch()
		}
	}
	return r.done
}

// Err starts no goroutine but for an interrupted request: it can be asked often.
func (r *request) Err() error {
	r.mu.Lock()
	done, over := r.done, r.over
	r.mu.Unlock()
	select {
	case <-done: // nil blocks
		return context.Canceled
	case <-r.Cancel:
	default:
		if over {
			return context.Canceled
		}
		return nil
	}
	if killed, _ := look(r.Pid); over || killed {
		return context.Canceled
	}
	select {
	case <-r.Done():
		return context.Canceled
	default:
		return nil
	}
}

func (r *request) watch() {
	defer close(r.done)
	for interrupted := false; !interrupted; {
		select {
		case <-r.finished:
			return
		case <-r.Cancel:
			interrupted = true
		case <-time.After(endPoll):
			// The kernel does not take back what it read ahead for a process that
			// has ended. 0 is one of another PID namespace.
			if killed, _ := look(r.Pid); killed && r.Pid != 0 {
				return
			}
		}
	}
	// Just after a signal the caller is awake for a moment.
	for awake := 0; awake < 3; {
		killed, waits := look(r.Pid)
		switch {
		case killed:
			return
		case waits:
			awake = 0
		default:
			awake++
		}
		select {
		case <-r.finished:
			return
		case <-time.After(callerPoll):
		}
	}
}

// look tells whether a thread has been killed, and whether it waits in the kernel
// for something that only a deadly signal interrupts, as an answer is once a first
// signal came. What can't be known counts as killed.
func look(thread uint32) (killed, waits bool) {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(int(thread)) + "/status") // 0: in another PID namespace
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ESRCH):
		return true, false
	case err != nil: // no descriptor left: it may well wait
		return false, true
	}
	const kill = 1 << (9 - 1) // what every deadly signal becomes for each thread
	for _, name := range []string{"SigPnd", "ShdPnd"} {
		pending, err := strconv.ParseUint(field(string(status), name), 16, 64)
		if err != nil || pending&kill != 0 {
			return true, false
		}
	}
	return false, strings.HasPrefix(field(string(status), "State"), "D")
}
