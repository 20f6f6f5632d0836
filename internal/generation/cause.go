package generation

import (
	"errors"

	"golang.org/x/sys/unix"

	"vzip/internal/verified"
)

// Cause is why an archive can't be read.
type Cause int

// Causes of read errors, and how many there are.
const (
	CauseChanged Cause = iota // a source is not what it was: ESTALE
	CauseDamaged              // a block has other bytes though its file was not changed
	CauseTimeout              // a source did not answer in time
	CauseIO                   // all else
	Causes
)

// CauseNames are the causes' names in status, metrics and the log. They are a contract.
var CauseNames = [Causes]string{"changed", "damaged", "timeout", "io"}

func (c Cause) String() string { return CauseNames[c] }

// CauseOf returns the cause of a read's error.
func CauseOf(err error) Cause {
	switch {
	case errors.Is(err, unix.ESTALE):
		return CauseChanged
	case errors.As(err, new(*verified.CorruptError)):
		return CauseDamaged
	case errors.As(err, new(*verified.TimeoutError)):
		return CauseTimeout
	}
	return CauseIO
}
