package main

import (
	"path/filepath"
)

// peer is a way to read an archive: where its file is once it is there, and how much
// of the work another process does.
type peer struct {
	name  string
	path  func(*dataset) string // without a mount
	serve func(*dataset) server // with one
	file  func(*dataset) string // below the mountpoint
}

// with lends a fresh mount of the peer, whose cache is empty, to f.
func (b *bench) with(p peer, d *dataset, f func(path string, m *mount) (sample, error)) (s sample, err error) {
	if p.serve == nil {
		return f(p.path(d), nil)
	}
	m, err := b.mount(p.serve(d))
	if err != nil {
		return s, err
	}
	defer func() {
		if e := m.close(); err == nil {
			err = e
		}
	}()
	path := filepath.Join(m.dir, p.file(d))
	return m.during(b.ctx, func() (sample, error) { return f(path, m) })
}

// vzipPeer is a mount by vzip with more flags.
func (b *bench) vzipPeer(name string, flags ...string) peer {
	return peer{
		name: name,
		file: (*dataset).archive,
		serve: func(d *dataset) server {
			words := append([]string{b.vzip, "mount", "--quiet", "--pprof", "{metrics}"}, flags...)
			return server{command: command{words: append(words, d.layout, "{}")}, metrics: true}
		},
	}
}

func inZIP(d *dataset) string { return filepath.Base(d.zip) }

// zipPeer is the ZIP file itself.
func zipPeer() peer {
	return peer{name: "the real ZIP, read directly", path: func(d *dataset) string { return d.zip }}
}

const (
	// shippedServed are the settings of go-fuse's example, without passthrough: what it
	// is for everybody but root, and before Linux 6.9.
	shippedServed = "loopback as it ships, reads served"
	// shippedKernel is the example itself, run by root: the kernel reads the file, and
	// asks the process for nothing but its name.
	shippedKernel = "loopback as it ships, passthrough by the kernel"
)

// shipped is go-fuse's example.
func (b *bench) shipped() peer {
	return peer{name: shippedKernel, file: inZIP, serve: func(d *dataset) server {
		return server{command: command{words: []string{b.loopback, "-q", "-ro", "{}", filepath.Dir(d.zip)}}}
	}}
}

// bindfs is the C peer.
func (b *bench) bindfs() peer {
	return peer{name: "bindfs", file: inZIP, serve: func(d *dataset) server {
		return server{command: command{words: []string{"bindfs", "-f", "-r", filepath.Dir(d.zip), "{}"}}}
	}}
}

// loopbacks are those of go-fuse that see the bytes, with the settings of each variant.
func (b *bench) loopbacks() []peer {
	var all []peer
	for _, v := range loopbackVariants {
		all = append(all, peer{name: v.name, file: inZIP, serve: func(d *dataset) server {
			return server{command: b.asChild("loopback", v.name, "{}", filepath.Dir(d.zip)), readAhead: v.readAhead}
		}})
	}
	return all
}
