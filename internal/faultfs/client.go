package faultfs

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Client tells a file system which faults to have. It may be used by several
// goroutines, and by other processes than the one that started the file system.
type Client struct {
	Socket string
}

// Mount is a file system that this process started.
type Mount struct {
	Client
	Dir   string // where it is mounted
	cmd   *exec.Cmd
	stdin io.Closer
}

// patience is how long the file system may take to start, answer and end.
const patience = 20 * time.Second

// Start shows dir at mnt, an empty folder. program and its first arguments have
// to end up in Main with the rest of the arguments. With cache 0 every request
// reaches the file system; otherwise the kernel keeps attributes that long, and
// data.
func Start(program []string, dir, mnt string, cache time.Duration) (*Mount, error) {
	// A path of its own: that of a test's folder may be longer than a socket's may be.
	at, err := os.MkdirTemp("", "faultfs")
	if err != nil {
		return nil, err
	}
	m := &Mount{Client: Client{filepath.Join(at, "socket")}, Dir: mnt}
	m.cmd = exec.Command(program[0], append(program[1:len(program):len(program)], dir, mnt, m.Socket, cache.String())...)
	m.cmd.Env = append(os.Environ(), environment+"=serve")
	var stderr strings.Builder
	m.cmd.Stderr = &stderr
	m.stdin, err = m.cmd.StdinPipe()
	stdout, err2 := m.cmd.StdoutPipe()
	if err = errors.Join(err, err2); err == nil {
		err = m.cmd.Start()
	}
	if err != nil {
		os.RemoveAll(at)
		return nil, err
	}
	watchdog := time.AfterFunc(patience, func() { _ = m.cmd.Process.Kill() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if watchdog.Stop(); line != ready {
		err = errors.Join(err, m.stdin.Close(), m.cmd.Wait(), os.RemoveAll(at))
		return nil, fmt.Errorf("%s: %w: %s", program[0], err, stderr.String())
	}
	return m, nil
}

// environment is set to "serve" for a program that Start runs: test binaries have
// no arguments of their own.
const environment = "VZIP_FAULTFS"

// Asked tells whether Start ran this program.
func Asked() bool { return os.Getenv(environment) == "serve" }

// Pid is the process that serves.
func (m *Mount) Pid() int { return m.cmd.Process.Pid }

// Close ends all faults, unmounts and ends the process. Files that are still open
// can't be read any more.
func (m *Mount) Close() error {
	_ = m.stdin.Close()
	watchdog := time.AfterFunc(patience, func() { _ = m.cmd.Process.Kill() })
	defer watchdog.Stop()
	return errors.Join(m.cmd.Wait(), os.RemoveAll(filepath.Dir(m.Socket)))
}

// Add puts a rule in force, and returns its number.
func (c Client) Add(r Rule) (id int, err error) {
	a, err := c.ask(request{Add: &r})
	return a.ID, err
}

// Remove ends a rule: what hangs goes on.
func (c Client) Remove(id int) error {
	if id == 0 {
		return errors.New("rules have numbers from 1 on")
	}
	_, err := c.ask(request{Remove: &id})
	return err
}

// Clear ends all rules.
func (c Client) Clear() error {
	_, err := c.ask(request{Remove: new(int)})
	return err
}

// State returns the counters.
func (c Client) State() (State, error) {
	a, err := c.ask(request{})
	return a.State, err
}

// Reset returns the counters of paths and sets them to 0.
func (c Client) Reset() (State, error) {
	a, err := c.ask(request{Reset: true})
	return a.State, err
}

func (c Client) ask(q request) (a answer, err error) {
	conn, err := net.DialTimeout("unix", c.Socket, patience)
	if err != nil {
		return a, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if err := json.NewEncoder(conn).Encode(q); err != nil {
		return a, err
	}
	if err := json.NewDecoder(conn).Decode(&a); err != nil {
		return a, err
	}
	if a.Error != "" {
		return a, fmt.Errorf("faultfs: %s", a.Error)
	}
	return a, nil
}
