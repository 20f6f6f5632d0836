package main

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"

	"vzip/internal/servers"
)

// place is where the uploads of one cell go. Each cell has its own: a server may
// still be busy with what a client broke off.
func (b *bench) place(kind server, cell string) string {
	switch kind {
	case nowhere:
		return b.path("target", cell)
	case ownSink:
		return b.path("sink", cell)
	}
	return filepath.Join(b.servers[kind].Root, cell)
}

// startServers starts those that are needed.
func (b *bench) startServers(ctx context.Context, needed map[server]bool, o options) (stop func(), err error) {
	b.servers = map[server]*servers.Server{}
	stop = func() {
		for _, s := range b.servers {
			s.Stop()
		}
	}
	for kind, start := range map[server]func(dir string) (*servers.Server, error){
		nginx:       func(dir string) (*servers.Server, error) { return servers.Nginx(ctx, dir, o.patience) },
		s3Gateway:   func(dir string) (*servers.Server, error) { return servers.S3(ctx, o.versitygw, dir) },
		rsyncDaemon: func(dir string) (*servers.Server, error) { return servers.Rsync(ctx, dir) },
		sshd:        func(dir string) (*servers.Server, error) { return servers.SSH(ctx, dir) },
	} {
		if !needed[kind] {
			continue
		}
		dir, err := os.MkdirTemp(b.dir, "server-")
		if err == nil {
			b.servers[kind], err = start(dir)
		}
		if err != nil {
			delete(b.servers, kind)
			stop()
			return nil, err
		}
	}
	if needed[ownSink] {
		s := httptest.NewServer(&servers.Sink{Dir: b.path("sink"), Patience: o.patience})
		b.sinkURL = s.URL
		others := stop
		stop = func() { s.Close(); others() }
	}
	return stop, nil
}
