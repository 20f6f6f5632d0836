package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"vzip/internal/seeded"
)

// pieceLen is how much is read and sent at once, in bytes: what is read ahead comes in
// parts of that size.
const pieceLen = 256 << 10

// sender is an [http.ResponseWriter] that sends headers only once the first piece of the
// body is there, so that a source that can't be read gets a status of its own. After
// that it cuts the connection off, as there is no other way to tell.
type sender struct {
	w       http.ResponseWriter
	h       *Handler
	url     *url.URL
	html    bool     // errors are wanted as pages
	content *content // what the body is of; nil: of something else

	code int   // what was asked for; 0 if nothing was
	sent bool  // the headers were
	body int64 // bytes
	err  error // why the body is not whole
	gone bool  // the client is
}

var (
	_ http.ResponseWriter = (*sender)(nil)
	_ io.ReaderFrom       = (*sender)(nil)
)

func (s *sender) Header() http.Header { return s.w.Header() }

// Unwrap is for [http.ResponseController].
func (s *sender) Unwrap() http.ResponseWriter { return s.w }

// WriteHeader keeps the status for the first piece, or finish.
func (s *sender) WriteHeader(code int) {
	if s.code == 0 {
		s.code = code
	}
	if seeded.On("early-header") {
		s.sendHeader()
	}
}

func (s *sender) sendHeader() {
	if s.sent {
		return
	}
	s.sent = true
	s.WriteHeader(http.StatusOK)
	if s.code >= 400 { // an answer about the resource, not one of it
		s.Header().Del("Content-Disposition")
	}
	s.w.WriteHeader(s.code)
}

// Write implements [io.Writer].
func (s *sender) Write(p []byte) (int, error) {
	s.sendHeader()
	n, err := s.w.Write(p)
	s.body += int64(n)
	s.gone = s.gone || err != nil
	if s.content != nil && s.code < 400 {
		s.h.Served(n)
		s.h.metrics.bytes.Add(float64(n))
	}
	return n, err
}

// ReadFrom is how the body of content is sent. It does not copy a range of it, and reads
// the first piece of several before anything is sent.
func (s *sender) ReadFrom(r io.Reader) (n int64, err error) {
	if l, ok := r.(*io.LimitedReader); ok {
		if c, ok := l.R.(*content); ok {
			return s.readContent(c, &l.N)
		}
	}
	buf := pieces.Get().(*[pieceLen]byte)
	defer pieces.Put(buf)
	for {
		got, err := io.ReadFull(r, buf[:])
		end := err == io.EOF || err == io.ErrUnexpectedEOF
		if err != nil && !end {
			s.err = err
			return n, err
		}
		took, writeErr := s.Write(buf[:got])
		n += int64(took)
		if end || writeErr != nil {
			return n, writeErr
		}
	}
}

var pieces = sync.Pool{New: func() any { return new([pieceLen]byte) }}

func (s *sender) readContent(c *content, left *int64) (n int64, err error) {
	c.until(*left) // the whole, or one range: several come another way
	for *left > 0 {
		b, err := c.next(int(min(*left, pieceLen)))
		if err != nil {
			s.err = err
			return n, err
		}
		for _, p := range b.Slices() {
			took, err := s.Write(p)
			n, *left = n+int64(took), *left-int64(took)
			if err != nil {
				b.Release()
				return n, err
			}
		}
		b.Release()
	}
	return n, nil
}

// finish ends the answer: with the status of an error where nothing was sent yet, and
// with the connection where something was.
func (s *sender) finish() {
	switch {
	case s.err == nil:
		s.sendHeader()
	case s.gone || errors.Is(s.err, context.Canceled):
		panic(http.ErrAbortHandler)
	case !s.sent:
		s.code = 0
		s.refuse(s.content.about, s.err)
		s.sendHeader()
	default:
		s.h.Warn(fmt.Sprintf("%s: a download was cut off after %d bytes: %v", s.content.about, s.body, s.err))
		panic(http.ErrAbortHandler)
	}
}

// text answers with a line of text, or several; with a page where it tells of an error
// to a browser.
func (s *sender) text(code int, text string) {
	if s.html && code >= 400 {
		s.errorPage(code, text)
		return
	}
	s.whole(code, "text/plain; charset=utf-8", []byte(text+"\n"))
}

// bodyTime is how long a client may take to send a body that nobody wants.
const bodyTime = 5 * time.Second

// refuseBody ends the connection after the answer to a request that has a body.
func (s *sender) refuseBody() {
	s.Header().Set("Connection", "close")
	_ = http.NewResponseController(s.w).SetReadDeadline(time.Now().Add(bodyTime))
}
