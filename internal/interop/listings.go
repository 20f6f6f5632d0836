package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// What programs that list archives print.

// permissions reads "rwxr-sr-t".
func permissions(s string) (mode uint32) {
	for i := range 9 {
		c, bit := s[i], uint32(1)<<(8-i)
		if strings.IndexByte("rwxst", c) >= 0 {
			mode |= bit
		}
		if strings.IndexByte("sStT", c) >= 0 {
			mode |= map[int]uint32{2: 0o4000, 5: 0o2000, 8: 0o1000}[i]
		}
	}
	return mode
}

// In zipinfo's long listing, by entry: attributes, CRC, size and name.
var zipinfoLine = regexp.MustCompile(`(?m)^([-dl?])([-rwxsStT]{9}) .* (\d{8}\.\d{6}) (.*)$`)

func zipinfo(ctx context.Context, w *workplace, archive string) ([]entry, error) {
	list, err := w.output(ctx, "zipinfo", "-s", "-T", "--h-t", archive)
	if err != nil {
		return nil, err
	}
	long, err := w.output(ctx, "unzip", "-v", archive)
	if err != nil {
		return nil, err
	}
	var entries []entry
	for _, m := range zipinfoLine.FindAllStringSubmatch(list, -1) {
		t, err := time.Parse("20060102.150405", m[3])
		if err != nil {
			return nil, err
		}
		e := entry{name: m[4], kind: m[1][0], mode: permissions(m[2]), mtime: t.Unix(), told: modes | mtime | dosTime}
		if e.kind == '-' || e.kind == 'l' {
			e.kind = 'f'
		}
		entries = append(entries, e)
	}
	rows := regexp.MustCompile(`(?m)^ *(\d+)  (?:Stored|Defl:N) +\d+ +-?\d+% .* ([0-9a-f]{8})  (.*)$`).FindAllStringSubmatch(long, -1)
	if len(rows) != len(entries) {
		return nil, fmt.Errorf("unzip -v lists %d entries, zipinfo %d", len(rows), len(entries))
	}
	for i, m := range rows {
		c, _ := strconv.ParseUint(m[2], 16, 32)
		entries[i].crc = uint32(c)
		entries[i].size, _ = strconv.ParseInt(m[1], 10, 64)
		entries[i].told |= size | crc
	}
	return entries, nil
}

func sevenZipList(ctx context.Context, w *workplace, archive string) ([]entry, error) {
	out, err := w.output(ctx, "7z", "l", "-slt", archive)
	if err != nil {
		return nil, err
	}
	_, list, _ := strings.Cut(out, "\n----------\n")
	var entries []entry
	for _, record := range strings.Split(strings.TrimSuffix(list, "\n"), "\n\n") {
		e := entry{kind: 'f'}
		for line := range strings.Lines(record) {
			key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " = ")
			switch key {
			case "Path":
				e.name = value
			case "Folder":
				if value == "+" {
					e.kind = 'd'
					e.name += "/"
				}
			case "Size":
				e.size, _ = strconv.ParseInt(value, 10, 64)
				e.told |= size
			case "CRC":
				c, _ := strconv.ParseUint(value, 16, 32)
				e.crc = uint32(c)
				e.told |= crc
			case "Modified":
				if t, err := time.Parse("2006-01-02 15:04:05", value[:min(19, len(value))]); err == nil {
					e.mtime = t.Unix()
					e.told |= mtime | dosTime
				}
			case "Attributes":
				if _, unixMode, ok := strings.Cut(value, " "); ok && len(unixMode) == 10 {
					e.mode = permissions(unixMode[1:])
					e.told |= modes
				} else if len(value) == 10 {
					e.mode = permissions(value[1:])
					e.told |= modes
				}
			}
		}
		if e.name != "" {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

func lsar(ctx context.Context, w *workplace, archive string) ([]entry, error) {
	out, err := w.output(ctx, "lsar", "-j", archive)
	if err != nil {
		return nil, err
	}
	var list struct {
		Contents []struct {
			Name  string `json:"XADFileName"`
			IsDir any    `json:"XADIsDirectory"`
			Size  int64  `json:"XADFileSize"`
			Mode  uint32 `json:"XADPosixPermissions"`
			CRC   uint32 `json:"ZipCRC32"`
			Date  string `json:"XADLastModificationDate"`
		} `json:"lsarContents"`
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		return nil, fmt.Errorf("its JSON: %w", err)
	}
	var entries []entry
	for _, c := range list.Contents {
		e := entry{name: c.Name, kind: 'f', size: c.Size, crc: c.CRC, mode: c.Mode & 0o7777, told: size | crc | modes}
		if c.IsDir != nil {
			e.kind, e.name = 'd', strings.TrimSuffix(e.name, "/")+"/"
		}
		if t, err := time.Parse("2006-01-02 15:04:05 -0700", c.Date); err == nil {
			e.mtime = t.Unix()
			e.told |= mtime | dosTime
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func sqlite(ctx context.Context, w *workplace, archive string) ([]entry, error) {
	query := `SELECT hex(name), mode, mtime, sz, hex(data) FROM zipfile('` + strings.ReplaceAll(archive, "'", "''") + `')`
	out, err := w.output(ctx, "sqlite3", "-bail", ":memory:", query)
	if err != nil {
		return nil, err
	}
	var entries []entry
	for line := range strings.Lines(out) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "|")
		if len(f) != 5 {
			return nil, fmt.Errorf("the row %.100q", line)
		}
		name, err1 := hex.DecodeString(f[0])
		mode, err2 := strconv.ParseUint(f[1], 10, 32)
		when, err3 := strconv.ParseInt(f[2], 10, 64)
		n, err4 := strconv.ParseInt(f[3], 10, 64)
		data, err5 := hex.DecodeString(f[4])
		if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
			return nil, err
		}
		e := entry{name: string(name), kind: 'f', mode: uint32(mode) & 0o7777, mtime: when, size: n, told: size | content | modes | mtime | dosTime | links}
		switch mode & unix.S_IFMT {
		case unix.S_IFDIR:
			e.kind = 'd'
		case unix.S_IFLNK:
			e.kind = 'l'
		}
		_, _, e.sha, _ = sums(strings.NewReader(string(data)))
		entries = append(entries, e)
	}
	return entries, nil
}

// zipcmp compares an archive with one that Python makes of the same tree: names,
// sizes, CRC-32s, and the data with these.
func zipcmp(ctx context.Context, w *workplace, archive string) ([]entry, error) {
	dir, done, err := w.scratch()
	if err != nil {
		return nil, err
	}
	defer done()
	other := filepath.Join(dir, "other.zip")
	tree := filepath.Join(w.dir, "stored", strings.TrimSuffix(filepath.Base(archive), ".zip"))
	if _, err := w.run(ctx, tree, nil, nil, "python3", "-c", pythonWriter, other); err != nil {
		return nil, err
	}
	out, err := w.output(ctx, "zipcmp", "-t", archive, other)
	if out != "" {
		return nil, differ("entries", "%s", firstLine(strings.SplitN(out+"\n\n", "\n", 3)[2]))
	}
	return nil, err
}

var (
	ziptoolName = regexp.MustCompile(`(?m)^name: '(.*)'$`)
	ziptoolSize = regexp.MustCompile(`(?m)^size: '(\d+)'$`)
	ziptoolTime = regexp.MustCompile(`(?m)^mtime: '(.*)'$`)
	ziptoolCRC  = regexp.MustCompile(`(?m)^crc: '([0-9a-f]+)'$`)
)

func ziptool(ctx context.Context, w *workplace, archive string) ([]entry, error) {
	out, err := w.output(ctx, "ziptool", "-r", archive, "get_num_entries", "0")
	if err != nil {
		return nil, err
	}
	count, err := strconv.Atoi(regexp.MustCompile(`\d+`).FindString(out))
	if err != nil {
		return nil, fmt.Errorf("%q: %w", out, err)
	}
	out = ""
	const most = 5000 // what fits a command line
	for i := 0; i < count; i += most {
		command := []string{"ziptool", "-r", archive}
		for j := i; j < min(count, i+most); j++ {
			command = append(command, "stat", strconv.Itoa(j))
		}
		part, err := w.output(ctx, command...)
		if err != nil {
			return nil, err
		}
		out += strings.TrimSpace(part) + "\n\n"
	}
	if count == 0 {
		return nil, nil
	}
	var entries []entry
	for _, record := range strings.Split(strings.TrimSpace(out), "\n\n") {
		name, n, when, sum := ziptoolName.FindStringSubmatch(record), ziptoolSize.FindStringSubmatch(record), ziptoolTime.FindStringSubmatch(record), ziptoolCRC.FindStringSubmatch(record)
		if name == nil || n == nil || when == nil || sum == nil {
			return nil, fmt.Errorf("the record %.200q", record)
		}
		e := entry{name: name[1], kind: 'f', told: size | crc | mtime | dosTime}
		e.size, _ = strconv.ParseInt(n[1], 10, 64)
		c, _ := strconv.ParseUint(sum[1], 16, 32)
		e.crc = uint32(c)
		t, err := time.Parse("Mon Jan 02 2006 15:04:05", when[1])
		if err != nil {
			return nil, err
		}
		e.mtime = t.Unix()
		if strings.HasSuffix(e.name, "/") {
			e.kind = 'd'
		}
		entries = append(entries, e)
	}
	return entries, nil
}

var aaptLine = regexp.MustCompile(`(?m)^ *(\d+)  (?:Stored|Defl\S*) +\d+ +\S+ .* (?:ffffffff)?([0-9a-f]{8})  (.*)$`) // it prints negative numbers

func aapt(ctx context.Context, w *workplace, archive string) ([]entry, error) {
	out, err := w.output(ctx, "aapt", "list", "-v", archive)
	if err != nil {
		return nil, err
	}
	var entries []entry
	for _, m := range aaptLine.FindAllStringSubmatch(out, -1) {
		e := entry{name: m[3], kind: 'f', told: size | crc}
		e.size, _ = strconv.ParseInt(m[1], 10, 64)
		c, _ := strconv.ParseUint(m[2], 16, 32)
		e.crc = uint32(c)
		if strings.HasSuffix(e.name, "/") {
			e.kind = 'd'
		}
		entries = append(entries, e)
	}
	return entries, nil
}
