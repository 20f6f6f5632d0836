package web

import (
	"errors"
	"os"
	"testing"
	"time"
)

// TestTagsBeside: what stands beside archives of equal bytes has equal ETags exactly where
// it has equal bytes, on whatever machine, however it came to be.
func TestTagsBeside(t *testing.T) {
	t.Parallel()
	text := func(split, name string) string {
		return "version: 1\ndefaults: {sidecars: [sha256, crc32, manifest], split: " + split + "}\narchives:\n  - {name: " + name + ", entries: [{source: x}]}\n"
	}
	at := time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC)
	type resource struct{ state, path string }
	tags, bodies := map[resource]string{}, map[resource]string{}
	keep := func(s *site, state, archive string, suffixes ...string) {
		t.Helper()
		for _, suffix := range suffixes {
			path := "/" + archive + suffix
			resp, body, err := s.ask("GET", path)
			must(t, err)
			if resp.StatusCode != 200 {
				t.Fatalf("%s %s: %s", state, path, resp.Status)
			}
			r := resource{state, path}
			if tags[r], bodies[r] = resp.Header.Get("ETag"), string(body); tags[r] == "" {
				t.Errorf("%s %s: no ETag", state, path)
			}
		}
	}
	sidecars := []string{"", ".sha256", ".crc32", ".json"}
	all := append([]string{".001", ".002", ".003"}, sidecars...)
	two := append([]string{".001", ".002"}, sidecars...)
	begin := func(data []byte, split, name string) *site {
		dir := t.TempDir()
		must(t, errors.Join(os.WriteFile(dir+"/x", data, 0o644), os.Chtimes(dir+"/x", at, at)))
		return serve(t, dir, DefaultLimits, text(split, name))
	}
	data := randomBytes("x", 180_000)
	s := begin(data, "64KiB", "a.zip")
	x := s.file[:len(s.file)-len("layout.yaml")] + "x"
	keep(s, "built", "a.zip", all...)
	must(t, os.Chtimes(x, at, at.Add(time.Hour)))
	s.publish()
	keep(s, "touched", "a.zip", all...)
	must(t, os.Chtimes(x, at, at))
	s.publish()
	keep(s, "touched back", "a.zip", all...)
	hash := s.early()
	for _, suffix := range all {
		if resp, _, err := s.ask("HEAD", "/a.zip"+suffix); err != nil || resp.Header.Get("ETag") != "" {
			t.Errorf("%s before it is hashed: %v, %v", suffix, resp.Header, err)
		}
	}
	hash()
	_, _, err := s.ask("GET", "/a.zip") // all of it is hashed then
	must(t, err)
	keep(s, "hashed", "a.zip", all...)
	must(t, os.WriteFile(s.file, []byte(text("100KiB", "a.zip")), 0o644))
	s.publish()
	keep(s, "split", "a.zip", two...)
	must(t, os.WriteFile(s.file, []byte(text("100KiB", "b.zip")), 0o644))
	s.publish()
	keep(s, "renamed", "b.zip", two...)
	must(t, os.WriteFile(s.file, []byte(text("100KiB", "sub/b.zip")), 0o644))
	s.publish()
	keep(s, "moved", "sub/b.zip", two...)
	keep(begin(data, "64KiB", "a.zip"), "elsewhere", "a.zip", all...)
	keep(begin(randomBytes("y", len(data)), "64KiB", "a.zip"), "other", "a.zip", all...)
	equal := 0
	for a := range tags {
		for b := range tags {
			// A part of an archive of other bytes may have the same, but is not of the same.
			if same := bodies[a] == bodies[b]; (tags[a] == tags[b]) != same && (!same || a.state != "touched" && b.state != "touched") {
				t.Errorf("%v %s and %v %s: bytes are equal: %v", a, tags[a], b, tags[b], bodies[a] == bodies[b])
			}
			if a != b && tags[a] == tags[b] {
				equal++
			}
		}
	}
	if equal == 0 {
		t.Errorf("the test itself: nothing is equal: %v", tags)
	}
}
