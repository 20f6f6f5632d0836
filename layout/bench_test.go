package layout

import (
	"fmt"
	"os"
	"runtime"
	"testing"
)

// BenchmarkScan scans 20,000 files in 200 folders, once from a warm cache of the
// kernel's.
func BenchmarkScan(b *testing.B) {
	const folders, files = 200, 100
	dir := b.TempDir()
	for i := range folders {
		folder := fmt.Sprintf("%s/src/folder-%d", dir, i*7919%folders)
		must(b, os.MkdirAll(folder, 0o755))
		for j := range files {
			must(b, os.WriteFile(fmt.Sprintf("%s/file-%d.txt", folder, j*7919%files), nil, 0o644))
		}
	}
	for _, bm := range []struct{ name, entry string }{
		{"all", "source: src"},
		{"include", `{source: src, include: ["**/*.txt"]}`},
		{"exclude", `{source: src, exclude: ["**/*.tmp", .git, "**/node_modules"]}`},
	} {
		b.Run(bm.name, func(b *testing.B) {
			l := load(b, dir, one("", bm.entry))
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			entries := 0
			var plans []*Plan
			for b.Loop() {
				var err error
				plans, err = l.Scan(b.Context(), ScanOptions{})
				must(b, err)
				entries += plans[0].Len()
			}
			runtime.ReadMemStats(&after)
			if entries/b.N != folders*files+folders+1 {
				b.Fatalf("got %d entries", entries/b.N)
			}
			b.ReportMetric(float64(entries)/b.Elapsed().Seconds(), "entries/s")
			b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(entries), "B/entry")
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(plans[0].Len()), "B/entry-kept")
			b.ReportMetric(0, "ns/op")
		})
	}
}
