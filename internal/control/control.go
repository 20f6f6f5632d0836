// Package control lets one process ask another one, which serves a mount, for
// something: over a socket that needs no file, so that nothing is left behind.
//
// In scope: finding the process of a mount, who may ask, the form of an answer. Out
// of scope: what is asked for.
package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Answer is what a request came to.
type Answer struct {
	Message  string `json:"message"`
	ExitCode int    `json:"exit_code"` // for the program that asked
	// Data is what was asked for, where that is more than a message.
	Data json.RawMessage `json:"data,omitempty"`
}

// address is an abstract unix socket (unix(7)) named by the mount's device number,
// which no other mount has while it lives.
func address(major, minor int) string { return fmt.Sprintf("@vzip/%d:%d", major, minor) }

// endGrace is how long a process may listen after its mount has ended.
const endGrace = time.Second

// Server answers requests.
type Server struct{ http.Server }

// Serve answers POST requests to /NAME with what handlers[NAME] returns, until
// Close. Only root and the process's own user may ask.
func Serve(major, minor int, handlers map[string]func(context.Context) Answer) (*Server, error) {
	listener, err := net.Listen("unix", address(major, minor))
	// The number may have been that of a mount whose process is about to end.
	for end := time.Now().Add(endGrace); errors.Is(err, unix.EADDRINUSE) && time.Now().Before(end); {
		time.Sleep(endGrace / 100)
		listener, err = net.Listen("unix", address(major, minor))
	}
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for name, handle := range handlers {
		mux.HandleFunc("POST /"+name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(handle(r.Context())) // who asked may be gone
		})
	}
	s := &Server{http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}}
	go s.Server.Serve(friends{listener}) //nolint:errcheck // always http.ErrServerClosed
	return s, nil
}

// friends accepts connections of root and of the process's own user.
type friends struct{ net.Listener }

func (f friends) Accept() (net.Conn, error) {
	for {
		c, err := f.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if uid, err := peer(c); err == nil && (uid == 0 || uid == uint32(os.Geteuid())) {
			return c, nil
		}
		c.Close()
	}
}

func peer(c net.Conn) (uid uint32, err error) {
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	if controlErr := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); controlErr != nil {
		return 0, controlErr
	}
	if err != nil {
		return 0, err
	}
	return cred.Uid, nil
}

// ErrUnreachable tells that no process answers for a mount.
var ErrUnreachable = errors.New("the vzip that serves it can't be reached")

// ErrUnknown tells that a process is of a version that has no such request.
var ErrUnknown = errors.New("the vzip that serves it doesn't know the request")

// startGrace is how long a process may take to listen once its mount is there.
const startGrace = 2 * time.Second

// Ask sends a request to the process that serves the mount at dir, and returns its
// answer.
func Ask(ctx context.Context, dir, name string) (Answer, error) {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return Answer{}, fmt.Errorf("%s: %w", dir, err)
	}
	major, minor := int(unix.Major(st.Dev)), int(unix.Minor(st.Dev))
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, "unix", address(major, minor))
			// A mount is there a moment before its process listens.
			for end := time.Now().Add(startGrace); err != nil && ctx.Err() == nil && time.Now().Before(end); {
				time.Sleep(startGrace / 40)
				c, err = new(net.Dialer).DialContext(ctx, "unix", address(major, minor))
			}
			if err != nil {
				return nil, err
			}
			// Any program may take the name; only the owner of the mount is believed.
			if uid, err := peer(c); err != nil || uid != 0 && uid != st.Uid {
				c.Close()
				return nil, errors.New("another user answers")
			}
			return c, nil
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://vzip/"+name, bytes.NewReader(nil))
	if err != nil {
		return Answer{}, err
	}
	response, err := client.Do(request)
	if ctx.Err() != nil {
		return Answer{}, ctx.Err()
	}
	if err != nil {
		return Answer{}, fmt.Errorf("%s: %w: %w: it may run in another network namespace, as another user, or be an older version", dir, ErrUnreachable, errors.Unwrap(err))
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNotFound {
		return Answer{}, fmt.Errorf("%s: %w %q: it is an older version: mount it again", dir, ErrUnknown, name)
	}
	var a Answer
	if err := json.NewDecoder(response.Body).Decode(&a); err != nil {
		return Answer{}, fmt.Errorf("%s: the vzip that serves it broke off: %w", dir, err)
	}
	return a, nil
}
