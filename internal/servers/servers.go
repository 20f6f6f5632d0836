// Package servers starts the servers that tests and the table of clients upload to:
// each on a free port of the loopback network, for this process alone, with all its
// files in a folder of the caller's.
package servers

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Server is one that answers.
type Server struct {
	Address string // host:port
	Root    string // the folder with what it got

	log   string // a file
	env   func(folder string) []string
	cmd   *exec.Cmd
	ended chan struct{}
}

// Env returns the variables by which programs find the server, and a folder below
// its root, which has to be there.
func (s *Server) Env(folder string) []string { return s.env(folder) }

// Log returns what the server said.
func (s *Server) Log() string {
	text, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Stop ends it.
func (s *Server) Stop() {
	_ = s.cmd.Process.Signal(os.Interrupt)
	select {
	case <-s.ended:
	case <-time.After(5 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.ended
	}
}

// place makes the folder name in dir, for what a server gets, and chooses its address.
func place(dir, name string) (root, address string, err error) {
	root = filepath.Join(dir, name)
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", "", err
	}
	address, err = freeAddress()
	return root, address, err
}

// freeAddress returns a TCP address of this machine that nobody listens at. Its host
// is one of the many of 127.0.0.0/8: programs that choose a port meanwhile do so on
// another.
func freeAddress() (string, error) {
	host := net.IPv4(127, byte(1+rand.IntN(250)), byte(rand.IntN(250)), byte(1+rand.IntN(250)))
	l, err := net.Listen("tcp", net.JoinHostPort(host.String(), "0"))
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// patience is how long a server may take until it listens.
const patience = 30 * time.Second

// start starts a server and returns when it answers. What it says goes to a file in
// the folder dir.
func start(ctx context.Context, dir, address, root string, words ...string) (*Server, error) {
	log, err := os.Create(filepath.Join(dir, filepath.Base(words[0])+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s := &Server{Address: address, Root: root, log: log.Name(), cmd: exec.CommandContext(ctx, words[0], words[1:]...), ended: make(chan struct{})}
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(os.Interrupt) }
	s.cmd.WaitDelay = 5 * time.Second
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(s.ended)
		_ = s.cmd.Wait()
	}()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return s, nil
		}
		select {
		case <-s.ended:
			return nil, fmt.Errorf("%s ended: %s", words[0], s.Log())
		case <-time.After(20 * time.Millisecond):
		}
	}
	s.Stop()
	return nil, fmt.Errorf("%s does not listen at %s: %s", words[0], address, s.Log())
}
