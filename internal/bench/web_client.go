package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"time"
)

// rangesChild asks for ranges at random places of a resource over connections that stay
// open, and prints the latencies: from the request to the last byte of the answer.
func rangesChild(args []string) error {
	fs := flag.NewFlagSet("ranges", flag.ContinueOnError)
	size := fs.Int64("size", rangeSize, "of a range")
	connections := fs.Int("connections", 1, "at once")
	count := fs.Int("count", 1000, "of ranges, all connections")
	if err := fs.Parse(args); err != nil || fs.NArg() != 1 {
		return errors.Join(err, errors.New("the word is URL"))
	}
	u, err := url.Parse(fs.Arg(0))
	if err != nil {
		return err
	}
	answer, err := http.Head(u.String())
	if err != nil {
		return err
	}
	_ = answer.Body.Close()
	total := answer.ContentLength
	if total < *size {
		return fmt.Errorf("%s: %s, %d bytes: too few", u, answer.Status, total)
	}
	clients := make([]*rangeClient, *connections)
	for i := range clients {
		if clients[i], err = dialRanges(u, *size, total, uint64(i)); err != nil {
			return err
		}
		defer clients[i].Close()
	}
	return printLatencies(*connections, func(i int) ([]int64, error) {
		took := make([]int64, *count / *connections)
		for j := range took {
			var err error
			if took[j], err = clients[i].ask(); err != nil {
				return nil, err
			}
		}
		return took, nil
	})
}

// rangeClient is one connection. http.Client would cost more than the servers do.
type rangeClient struct {
	net.Conn
	in          *bufio.Reader
	path, host  string
	size, total int64
	rnd         *rand.Rand
	request     []byte
	body        []byte
}

func dialRanges(u *url.URL, size, total int64, seed uint64) (*rangeClient, error) {
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		return nil, err
	}
	return &rangeClient{
		Conn: conn, in: bufio.NewReaderSize(conn, 4*kib), path: u.RequestURI(), host: u.Host,
		size: size, total: total, rnd: rand.New(rand.NewPCG(seed, 1)), body: make([]byte, size),
	}, nil
}

// ask takes one range, and returns the nanoseconds of it.
func (c *rangeClient) ask() (int64, error) {
	first := c.rnd.Int64N(c.total - c.size + 1)
	want := fmt.Sprintf("bytes %d-%d/%d", first, first+c.size-1, c.total)
	c.request = fmt.Appendf(c.request[:0], "GET %s HTTP/1.1\r\nHost: %s\r\nRange: bytes=%d-%d\r\n\r\n", c.path, c.host, first, first+c.size-1)
	begin := time.Now()
	if _, err := c.Write(c.request); err != nil {
		return 0, err
	}
	answer, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return 0, err
	}
	if got := answer.Header.Get("Content-Range"); answer.StatusCode != http.StatusPartialContent || got != want || answer.ContentLength != c.size {
		return 0, fmt.Errorf("%s, %q, %d bytes; want %q", answer.Status, got, answer.ContentLength, want)
	}
	if _, err := io.ReadFull(c.in, c.body); err != nil {
		return 0, err
	}
	return int64(time.Since(begin)), nil
}
