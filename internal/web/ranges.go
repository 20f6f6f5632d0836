package web

import (
	"math"
	"net/http"
	"strconv"
	"strings"

	"vzip/internal/seeded"
)

// maxRanges is of how many ranges a request may be. The whole is sent to one that wants
// more, as RFC 9110, 14.2 allows.
const maxRanges = 64

// limitRanges changes a request's Range where [http.ServeContent] would not do what
// RFC 9110 says. What remains is a single field with ranges of bytes.
func limitRanges(r *http.Request, size int64) {
	fields := r.Header.Values("Range")
	if len(fields) == 0 {
		return
	}
	unit, list, ok := strings.Cut(fields[0], "=")
	// It is defined for GET alone (14.2), and other units than bytes are none of ours.
	if r.Method != http.MethodGet || len(fields) > 1 || !ok || !strings.EqualFold(strings.TrimSpace(unit), "bytes") || strings.Count(list, ",") >= maxRanges {
		r.Header.Del("Range")
		return
	}
	if seeded.On("no-if-range") {
		r.Header.Del("If-Range")
	}
	var specs []string
	for spec := range strings.SplitSeq(list, ",") {
		first, last, ok := strings.Cut(strings.Trim(spec, " \t"), "-")
		if !ok {
			specs = append(specs, spec)
			continue
		}
		first, last = bounded(first), bounded(last)
		if first == "" && last != "" && strings.Trim(last, "0") == "" {
			// The last 0 bytes are none (14.1.2): as what begins behind the end.
			first, last = strconv.FormatInt(size, 10), ""
		}
		specs = append(specs, first+"-"+last)
	}
	r.Header.Set("Range", "bytes="+strings.Join(specs, ","))
}

// bounded returns a number that is too large for an int64 as the largest one.
func bounded(number string) string {
	number = strings.Trim(number, " \t")
	if number == "" || strings.Trim(number, "0123456789") != "" {
		return number
	}
	if _, err := strconv.ParseInt(number, 10, 64); err != nil {
		return strconv.Itoa(math.MaxInt64)
	}
	return number
}
