package main

import (
	"strings"
	"testing"

	"vzip/internal/require"
)

// Compressed archives are measured, all that aims are for, and each level.
func TestDeflate(t *testing.T) {
	require.Needs(t, "7z", "zip", "bsdtar", "pigz")
	o := tiny(t, "deflate,levels")
	o.scale = 0.01 // or the archives are smaller than a read
	var text, progress strings.Builder
	if err := run(t.Context(), o, &text, &progress); err != nil {
		t.Fatalf("%v\n%s\n%s", err, &text, &progress)
	}
	f := &figures{}
	if err := f.load(o.figures); err != nil {
		t.Fatal(err)
	}
	for _, set := range deflateSets {
		for _, name := range []string{hashAll, hashOne, deflateLoop, infoZip, sevenZip5, pigz, bsdtarZip} {
			if !strings.Contains(text.String(), "| "+name+" | ") {
				t.Errorf("no table has %q:\n%s", name, &text)
			}
			// What a compressor makes of a few MB differs little, but for that of 7z.
			if got := f.get(set.section().name, set.name, name, "size to zip -6"); !(got > 0.5 && got < 1.5) && name != deflateLoop {
				t.Errorf("%s, %s: size to zip -6: got %v", set.name, name, got)
			}
		}
	}
	for _, set := range levelSets {
		for level := range 9 {
			name := "vzip's compressor, level " + string(rune('1'+level))
			if got := f.get("levels", set.name, name, "size to zip"); !(got > 0.8 && got < 1.2) {
				t.Errorf("%s, level %d: size to zip: got %v", set.name, level+1, got)
			}
		}
	}
	text.Reset()
	_ = run(t.Context(), options{from: o.figures, check: true}, &text, &progress) // at this size not all need hold
	if !strings.Contains(text.String(), "of 21 aims hold") {
		t.Errorf("not 21 aims:\n%s", &text)
	}
}
