package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// webPeer is a server of an archive over HTTP. "{}" in its words is the address to
// answer at.
type webPeer struct {
	name    string
	command command
	prepare func(address string) error // before it starts; nil: nothing
	path    string                     // of the archive
}

// webServer is one that runs.
type webServer struct {
	name   string
	url    string
	cmd    *exec.Cmd
	stderr bytes.Buffer
	done   chan struct{} // closed when the process has ended
	err    error         // of it, then
}

// webPeers are the candidates. All but vzip serve the archive that makeZIP has written.
func (b *bench) webPeers(d *dataset) []webPeer {
	vzip := func(name string, flags ...string) webPeer {
		words := append([]string{b.vzip, "serve", "--quiet", "--ready", "hashed", "--listen", "{}"}, flags...)
		return webPeer{name: name, command: command{words: append(words, d.layout)}, path: d.archive()}
	}
	return []webPeer{
		b.nginxPeer(d),
		vzip(vzipServe),
		vzip(vzipServeStat, "--verify", "stat"),
		{name: fileServer, command: b.asChild("serve", "{}", filepath.Dir(d.zip)), path: inZIP(d)},
	}
}

// nginxPeer has a worker a core, as its documentation advises, and connections that last
// as long as all others' do.
func (b *bench) nginxPeer(d *dataset) webPeer {
	dir := b.path("nginx")
	return webPeer{
		name: nginx, path: inZIP(d), command: command{words: []string{"nginx", "-p", dir, "-e", "error.log", "-c", "nginx.conf"}},
		prepare: func(address string) error {
			config := fmt.Sprintf(`daemon off; user root; worker_processes auto; pid nginx.pid; error_log error.log;
events { worker_connections 1024; }
http {
	access_log off; sendfile on; default_type application/zip; keepalive_requests 10000000;
	client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
	server { listen %s; root %q; }
}
`, address, filepath.Dir(d.zip))
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(config), 0o644)
		},
	}
}

// startWeb starts a server, and returns when it has the archive. One that this machine
// does not have fails to be measured with errUnavailable.
func (b *bench) startWeb(p webPeer) (*webServer, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	if p.prepare != nil {
		if err := p.prepare(address); err != nil {
			return nil, err
		}
	}
	c := p.command
	c.words = nil
	for _, word := range p.command.words {
		c.words = append(c.words, strings.ReplaceAll(word, "{}", address))
	}
	s := &webServer{name: p.name, url: "http://" + address + "/" + p.path, cmd: b.cmd(c), done: make(chan struct{})}
	s.cmd.Stderr = &tail{to: &s.stderr}
	if err := launch(s.cmd); errors.Is(err, errUnavailable) {
		s.cmd, s.err = nil, err
		return s, nil
	} else if err != nil {
		return nil, err
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); {
		if answer, err := http.Head(s.url); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return s, nil
			}
		}
		select {
		case <-s.done:
			return nil, fmt.Errorf("%s: it ended: %v: %s", p.name, s.err, bytes.TrimSpace(s.stderr.Bytes()))
		case <-time.After(5 * time.Millisecond):
		}
	}
	s.close()
	return nil, fmt.Errorf("%s: no archive after 10 minutes", p.name)
}

// close ends the server.
func (s *webServer) close() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(10 * time.Second):
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
		<-s.done
	}
}

// during measures f, and adds what the server used meanwhile.
func (s *webServer) during(f func() (sample, error)) (out sample, err error) {
	if s.cmd == nil {
		return out, s.err
	}
	before, err := s.cpuTime()
	if err != nil {
		return out, err
	}
	if out, err = f(); err != nil {
		return out, err
	}
	after, err := s.cpuTime()
	if err != nil {
		return out, err
	}
	out.daemon = after - before
	if out.extra == nil {
		out.extra = map[string]float64{}
	}
	out.extra["VmHWM"], err = s.memory()
	return out, err
}

// processes are the server's: nginx has workers.
func (s *webServer) processes() ([]int, error) {
	pid := s.cmd.Process.Pid
	all := []int{pid}
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		text, readErr := os.ReadFile(list)
		if errors.Is(readErr, os.ErrNotExist) || errors.Is(readErr, syscall.ESRCH) {
			continue // the thread has ended
		}
		err = errors.Join(err, readErr)
		for _, word := range strings.Fields(string(text)) {
			child, parseErr := strconv.Atoi(word)
			all, err = append(all, child), errors.Join(err, parseErr)
		}
	}
	return all, err
}

// cpuTime is what all of them have used.
func (s *webServer) cpuTime() (sum time.Duration, err error) {
	all, err := s.processes()
	for _, pid := range all {
		used, usedErr := cpuTime(pid)
		sum, err = sum+used, errors.Join(err, usedErr)
	}
	return sum, err
}

// memory is how much they had at most, in MiB.
func (s *webServer) memory() (sum float64, err error) {
	all, err := s.processes()
	for _, pid := range all {
		mebi, memoryErr := memoryOf(pid, "VmHWM")
		sum, err = sum+mebi, errors.Join(err, memoryErr)
	}
	return sum, err
}

// fileServerChild serves a folder as Go's library does: ADDRESS FOLDER.
func fileServerChild(args []string) error {
	if len(args) != 2 {
		return errors.New("the words are ADDRESS FOLDER")
	}
	return http.ListenAndServe(args[0], http.FileServer(http.Dir(args[1])))
}
