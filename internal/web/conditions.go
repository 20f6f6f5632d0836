package web

import (
	"net/http"
	"strings"

	"vzip/internal/seeded"
)

// disbelieveDates leaves out conditions that dates alone would meet, and ranges that rest
// on nothing else. Bytes can change and keep their date, or change twice within a second:
// what a client has is only good if its ETag is the same. That is as RFC 9110 has it: dates
// are weak validators (8.8.2.2), If-Range with one is false (13.1.5), and any Range may be
// ignored (14.2). If-Unmodified-Since still fails where the date says so (13.1.4).
func disbelieveDates(r *http.Request) {
	if seeded.On("believe-date") {
		return
	}
	h := r.Header
	ifRange, ifMatch := h.Get("If-Range"), h.Get("If-Match")
	byDate := ifRange != "" && !strings.HasPrefix(ifRange, `"`) || h.Get("If-Modified-Since") != "" || h.Get("If-Unmodified-Since") != ""
	byTag := strings.HasPrefix(ifRange, `"`) || ifMatch != "" && strings.TrimSpace(ifMatch) != "*"
	if byDate && !byTag {
		h.Del("Range")
	}
	if !strings.HasPrefix(ifRange, `"`) {
		if ifRange != "" {
			h.Del("Range")
		}
		h.Del("If-Range")
	}
	h.Del("If-Modified-Since")
}
