package layout

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// sizeUnits are what a size may end in: as KiB = 1024 and kB = 1000 bytes. "G" alone
// means either, to one program or another, and is none of them.
var sizeUnits = map[string]int64{
	"": 1, "B": 1,
	"kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
	"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
}

var (
	errNoSize   = errors.New("is no size: write whole bytes, or a number with kB, MB, GB, TB, KiB, MiB, GiB or TiB, such as 2GiB")
	errHugeSize = errors.New("is more than any file has")
)

// parseSize returns the bytes that a text stands for, such as 65536, 700MB or "2 GiB".
func ParseSize(s string) (int64, error) {
	digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
	unit, ok := sizeUnits[strings.TrimPrefix(s[digits:], " ")]
	if digits == 0 || !ok || strings.HasSuffix(s, " ") {
		return 0, errNoSize
	}
	n, err := strconv.ParseInt(s[:digits], 10, 64)
	if err != nil || n > math.MaxInt64/unit {
		return 0, errHugeSize
	}
	return n * unit, nil
}
