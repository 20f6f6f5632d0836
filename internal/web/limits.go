package web

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// Limits are what clients may cost.
type Limits struct {
	// Connections is how many there may be at once. Others wait.
	Connections int
	// Stall is how long a client may take nothing of what it is sent.
	Stall time.Duration
	// Header is how long a request may take to come, Idle how long a connection stays
	// open without one.
	Header, Idle time.Duration
}

// DefaultLimits suit most.
var DefaultLimits = Limits{Connections: 256, Stall: time.Minute, Header: 10 * time.Second, Idle: time.Minute}

// maxHeader bounds a request's line and fields, in bytes. Names may be long.
const maxHeader = 64 << 10

// NewServer returns a server of a handler with these limits. It takes listeners that
// Listener has returned.
func (l Limits) NewServer(h http.Handler, log slog.Handler) *http.Server {
	return &http.Server{
		Handler: h,
		// No ReadTimeout: it would end long downloads, too.
		ReadHeaderTimeout: l.Header, IdleTimeout: l.Idle, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(log, slog.LevelDebug), // what clients do wrong
	}
}

// Listener bounds how many connections there are, and cuts off those that stall.
func (l Limits) Listener(in net.Listener) net.Listener {
	return &listener{Listener: in, stall: l.Stall, places: make(chan struct{}, l.Connections), closed: make(chan struct{})}
}

// listener is netutil.LimitListener, but for connections that can still be closed one
// way: without that an answer is lost where the client has more to say.
type listener struct {
	net.Listener
	stall  time.Duration
	places chan struct{} // one a connection
	once   sync.Once
	closed chan struct{}
}

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) {
	select {
	case l.places <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.places
		return nil, err
	}
	return &conn{Conn: c, l: l}, nil
}

// Close implements [net.Listener].
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// conn is a connection whose writes take as long as they need, as long as the client
// takes something.
type conn struct {
	net.Conn
	l    *listener
	once sync.Once
}

// stallTries is how often a write that stalls is tried.
const stallTries = 10

// Write implements [net.Conn]. It tries again and again: the kernel wakes who waits only
// once much of its buffer is free, but takes more whenever the client has taken some.
func (c *conn) Write(p []byte) (n int, err error) {
	for idle := 0; ; {
		if err := c.SetWriteDeadline(time.Now().Add(c.l.stall / stallTries)); err != nil {
			return n, err
		}
		took, err := c.Conn.Write(p[n:])
		n += took
		if idle++; took > 0 {
			idle = 0
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || idle == stallTries {
			return n, err
		}
	}
}

// CloseWrite is used by net/http.
func (c *conn) CloseWrite() error {
	if c, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// Close implements [net.Conn].
func (c *conn) Close() error {
	c.once.Do(func() { <-c.l.places })
	return c.Conn.Close()
}
