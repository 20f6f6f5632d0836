package web

import (
	"net/http"
	"vzip/internal/generation"
)

// refuse answers that something can't be read, and whether it is worth another try. What
// exactly it is, with the source's path, is for the log alone.
func (s *sender) refuse(about string, err error) {
	code, text := http.StatusInternalServerError, ""
	switch generation.CauseOf(err) {
	case generation.CauseChanged:
		code, text = http.StatusServiceUnavailable, "a source was changed: try again once vzip was reloaded"
	case generation.CauseTimeout:
		code, text = http.StatusServiceUnavailable, "a source does not answer at present: try again later"
	case generation.CauseDamaged:
		text = "a source is damaged: vzip's log says which"
	default:
		text = "a source can't be read: vzip's log says why"
	}
	s.text(code, about+": "+text)
}
