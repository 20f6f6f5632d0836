package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/spf13/cobra"

	"vzip/internal/web"
	"vzip/layout"
	"vzip/vfs"
)

// webFlags are the flags of what is served over HTTP.
type webFlags struct {
	listen      string
	connections int
	hosts       []string
}

func (a *app) serveCommand() *cobra.Command {
	var f serviceFlags
	var o webFlags
	var dir string
	var allowOther bool
	cmd := &cobra.Command{
		Use:   "serve LAYOUT",
		Short: "Serve a layout's archives over HTTP",
		Long: "serve answers HTTP requests for the archives: their exact length, ranges, and\n" +
			"validators that are equal wherever the bytes are. Where a source fails in the middle\n" +
			"the connection is cut off, so that no client takes a part for the whole. SIGINT or\n" +
			"SIGTERM end it: downloads may finish for the time that --drain gives; a second signal\n" +
			"ends it at once. SIGHUP is vzip reload.",
		Args:              exactArgs("LAYOUT"),
		ValidArgsFunction: completeLayout(nil),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			switch {
			case o.connections < 1:
				return usageError("--max-connections %d makes no sense: use 1 or more", o.connections)
			case slices.ContainsFunc(o.hosts, func(s string) bool { return s == "" || strings.ContainsAny(s, "/:*[] ") }):
				return usageError("--host %q is no name: write it as in a URL, without a port", o.hosts)
			case allowOther && dir == "":
				return usageError("--allow-other is for --fuse: without a mount there is nobody to let in")
			}
			return a.serveUntilEnd(service{file: args[0], flags: &f, dir: dir, mount: vfs.Options{AllowOther: allowOther}, web: &o})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.listen, "listen", "127.0.0.1:8080", "address to answer at, HOST:PORT; port 0 takes a free one")
	flags.IntVar(&o.connections, "max-connections", web.DefaultLimits.Connections, "how many connections there may be at once; others wait")
	flags.StringArrayVar(&o.hosts, "host", nil, "a name that requests may have in Host, besides addresses and localhost; can be repeated")
	flags.StringVar(&dir, "fuse", "", "show the archives at this mountpoint as well")
	flags.BoolVar(&allowOther, "allow-other", false, "with --fuse: let other users read the archives there")
	_ = cmd.MarkFlagDirname("fuse") // it is there
	f.add(flags, "scan")
	return cmd
}

// webServer is what answers over HTTP.
type webServer struct {
	*web.Handler
	server *http.Server
	url    string
	ended  chan struct{} // closed when it answers no more
	broken atomic.Bool   // it was not asked to end
}

// listen begins to answer over HTTP. There are no archives yet.
func (s *server) listen(l *layout.Layout, f *webFlags) error {
	if err := checkNames(l); err != nil {
		return err
	}
	in, err := listener(f.listen)
	if err != nil {
		return err
	}
	w := &webServer{ended: make(chan struct{}), url: urlOf(in.Addr())}
	options := web.Options{Warn: s.warn, State: s.webState, Served: s.counters.count, Failed: s.counters.failed}
	at, tcp := in.Addr().(*net.TCPAddr)
	if tcp { // no browser gets at other sockets
		options.Local, options.Hosts = at.IP.IsLoopback(), f.hosts
	}
	w.Handler = web.New(options)
	limits := web.DefaultLimits
	limits.Connections = f.connections
	w.server = limits.NewServer(w.Handler, s.log.Handler())
	s.web = w
	if tcp && !options.Local {
		s.warn(fmt.Sprintf("%s is not only for this machine: who can connect can read all archives", w.url))
	}
	go func() {
		defer close(w.ended)
		if err := w.server.Serve(limits.Listener(in)); !errors.Is(err, http.ErrServerClosed) {
			w.broken.Store(true)
			s.log.Error(fmt.Sprintf("%s is answered no more: %v", w.url, err))
		}
	}()
	return nil
}

// listener is a socket that the service manager has opened (sd_listen_fds(3)), or one at
// an address.
func listener(address string) (net.Listener, error) {
	given, err := activation.Listeners()
	if err != nil {
		return nil, fmt.Errorf("the service manager's socket: %w", err)
	}
	switch {
	case len(given) > 1:
		return nil, usageError("the service manager gave %d sockets: give one", len(given))
	case len(given) == 1 && given[0] != nil:
		return given[0], nil
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, usageError("--listen: %w: write HOST:PORT, such as 127.0.0.1:8080", err)
	}
	in, err := net.Listen("tcp", address)
	if err != nil {
		return nil, &exitError{exitFailure, fmt.Errorf("--listen: %w: use an address of this machine and a port that is free", err)}
	}
	return in, nil
}

func urlOf(a net.Addr) string {
	if a.Network() == "unix" {
		return "unix:" + a.String()
	}
	return "http://" + a.String() + "/"
}

// tellOpen warns of archives that HTTP lets more people read than a mount would.
func (s *server) tellOpen() {
	n, first := 0, ""
	for _, archive := range s.generation().Archives {
		if archive.Access().Mode != 0o444 {
			if n == 0 {
				first = archive.Name
			}
			n++
		}
	}
	if n > 0 {
		s.log.Info(fmt.Sprintf("%d archives (%s first) have sources that not every user of this machine may read, but who can connect to %s can", n, first, s.web.url))
	}
}

// checkNames refuses archives that HTTP has no path for.
func checkNames(l *layout.Layout) error {
	var failed []error
	for _, archive := range l.Archives {
		if err := web.CheckName(archive.Name); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", l.File, err))
		}
	}
	if len(failed) > 0 {
		return &exitError{exitLayout, errors.Join(failed...)}
	}
	return nil
}

func (s *server) webState() web.State {
	state := web.State{Generation: s.number.Load()}
	_, state.Hashed, state.ToHash = s.progress.figures()
	failure, _ := s.failure.Load().(string)
	state.ReloadHasFailed = failure != ""
	return state
}

// drain takes no more connections, and returns when nobody downloads any more; after
// the grace, or once cut is closed, those who still do are cut off, and finished is false.
func (w *webServer) drain(a *app, cut <-chan struct{}, grace time.Duration) (finished bool) {
	w.Drain()
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	go func() {
		select {
		case <-cut:
			cancel()
		case <-ctx.Done():
		}
	}()
	if n := w.Active(); n > 0 && grace > 0 {
		a.log.Info(fmt.Sprintf("%s takes no more requests; waiting up to %v for %d downloads; a second signal ends it now", w.url, grace, n))
	}
	err := w.server.Shutdown(ctx)
	if n := w.Active(); err != nil && n > 0 {
		a.log.Warn(fmt.Sprintf("%s ends during %d downloads: they are cut off", w.url, n))
	} else {
		finished = true
	}
	w.close()
	return finished
}

// close ends all connections.
func (w *webServer) close() {
	_ = w.server.Close()
	<-w.ended
}
