package web

import (
	"errors"
	"net/http"

	"golang.org/x/sys/unix"

	"vzip/internal/verified"
)

// cause is why an archive can't be read.
type cause string

const (
	changed cause = "changed" // a source has other bytes now
	damaged cause = "damaged" // a source has other bytes, and does not say so
	timeout cause = "timeout" // a source does not answer
	other   cause = "io"      // a source can't be read
)

var causes = []cause{changed, damaged, timeout, other}

func causeOf(err error) cause {
	switch {
	case errors.Is(err, unix.ESTALE):
		return changed
	case errors.As(err, new(*verified.CorruptError)):
		return damaged
	case errors.As(err, new(*verified.TimeoutError)):
		return timeout
	}
	return other
}

// refuse answers that something can't be read, and whether it is worth another try. What
// exactly it is, with the source's path, is for the log alone.
func (s *sender) refuse(about string, err error) {
	code, text := http.StatusInternalServerError, ""
	switch causeOf(err) {
	case changed:
		code, text = http.StatusServiceUnavailable, "a source was changed: try again once vzip was reloaded"
	case timeout:
		code, text = http.StatusServiceUnavailable, "a source does not answer at present: try again later"
	case damaged:
		text = "a source is damaged: vzip's log says which"
	default:
		text = "a source can't be read: vzip's log says why"
	}
	s.text(code, about+": "+text)
}
