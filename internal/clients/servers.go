package main

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"time"
)

// s3Key and s3Secret are what the S3 server is started with.
const s3Key, s3Secret = "clients", "clients-secret"

// place is where the uploads of one cell go. Each cell has its own: a server may
// still be busy with what a client broke off.
func (b *bench) place(s server, cell string) string {
	switch s {
	case ownSink:
		return b.path("sink", cell)
	case nginx:
		return b.path("nginx", "files", cell)
	case s3Gateway:
		return b.path("s3", cell) // a bucket
	}
	return b.path("target", cell)
}

// startServers starts those that are needed.
func (b *bench) startServers(ctx context.Context, needed map[server]bool, o options) (stop func(), err error) {
	var stops []func()
	stop = func() {
		for _, f := range stops {
			f()
		}
	}
	if needed[ownSink] {
		s := httptest.NewServer(&sink{dir: b.path("sink"), patience: o.patience})
		stops = append(stops, s.Close)
		b.httpURL = s.URL
	}
	if needed[nginx] {
		address, err := freeAddress()
		if err != nil {
			return stop, err
		}
		b.nginxURL = "http://" + address
		config := fmt.Sprintf(`daemon off; user root; worker_processes 1; pid nginx.pid; error_log error.log;
events {}
http {
  access_log off; client_body_temp_path temp;
  proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server { listen %s; root files; dav_methods PUT; client_max_body_size 0; client_body_timeout %ds; }
}
`, address, o.patience/time.Second)
		if err := os.WriteFile(b.path("nginx", "nginx.conf"), []byte(config), 0o644); err != nil {
			return stop, err
		}
		f, err := b.serve(ctx, address, "nginx", "-p", b.path("nginx"), "-e", "error.log", "-c", "nginx.conf")
		if err != nil {
			return stop, err
		}
		stops = append(stops, f)
	}
	if needed[s3Gateway] {
		address, err := freeAddress()
		if err != nil {
			return stop, err
		}
		b.s3URL = "http://" + address
		versitygw, err := filepath.Abs(o.versitygw)
		if err != nil {
			return stop, err
		}
		f, err := b.serve(ctx, address, versitygw, "--access", s3Key, "--secret", s3Secret, "--port", address, "--quiet", "posix", b.path("s3"))
		if err != nil {
			return stop, err
		}
		stops = append(stops, f)
	}
	return stop, nil
}

// gatewayVersion returns the S3 server's name and version.
func gatewayVersion(path string) string {
	if info, err := buildinfo.ReadFile(path); err == nil {
		return "versitygw " + info.Main.Version
	}
	return "versitygw"
}

// freeAddress returns a TCP address of this machine that nobody listens at.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// serve starts a server and returns when it answers.
func (b *bench) serve(ctx context.Context, address string, words ...string) (stop func(), err error) {
	log, err := os.Create(b.path(filepath.Base(words[0]) + ".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	stop = func() {
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
	}
	for range 500 {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return stop, nil
		}
		select {
		case <-ended:
			text, _ := os.ReadFile(log.Name())
			return nil, fmt.Errorf("%s ended: %s", words[0], text)
		case <-time.After(20 * time.Millisecond):
		}
	}
	stop()
	return nil, fmt.Errorf("%s does not listen at %s", words[0], address)
}

// sink keeps what is PUT to it, if all of it came: as many bytes as Content-Length
// says, or a body that ends as a chunked one has to.
type sink struct {
	dir      string
	patience time.Duration // with a client that sends nothing
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPut {
		http.Error(w, "PUT alone", http.StatusMethodNotAllowed)
		return
	}
	if err := s.store(w, r); err != nil {
		w.Header().Set("Connection", "close")
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusCreated)
}

func (s *sink) store(w http.ResponseWriter, r *http.Request) error {
	name := filepath.Join(s.dir, filepath.FromSlash(path.Clean("/"+r.URL.Path)))
	f, err := os.Create(name + ".part")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	n, err := io.Copy(f, &patient{r.Body, http.NewResponseController(w), s.patience})
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if r.ContentLength >= 0 && n != r.ContentLength {
		return fmt.Errorf("%d bytes instead of %d", n, r.ContentLength)
	}
	return os.Rename(f.Name(), name)
}

// patient reads a body, and waits for each part of it for a while.
type patient struct {
	body       io.Reader
	controller *http.ResponseController
	patience   time.Duration
}

func (p *patient) Read(b []byte) (int, error) {
	if err := p.controller.SetReadDeadline(time.Now().Add(p.patience)); err != nil {
		return 0, err
	}
	return p.body.Read(b)
}
