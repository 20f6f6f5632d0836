package main

import "math"

// allAims are in the order of the sections.
func allAims() (all []aim) {
	for _, section := range [][]aim{sequentialAims(), matrixAims(), randomAims(), hashingAims(), jobAims(), writeAims(), deflateAims(), startAims(), profileAims(), growthAims()} {
		all = append(all, section...)
	}
	return all
}

func sequentialAims() (all []aim) {
	const s = "sequential"
	for _, set := range sequentialSets {
		for _, reader := range sequentialReaders {
			of := set.name + ", " + reader.name
			add := func(a aim) {
				a.text = s + ", " + of + ": " + a.text
				all = append(all, a)
			}
			switch {
			case set.name == "small" && reader.name == "cat":
				add(atLeast(1, "throughput to the sources'", over(s, of, "throughput", vzipCRC, sources)))
				add(atMost(1, "CPU to the sources'", over(s, of, "cpu", vzipCRC, sources)))
			case set.name != "small":
				add(atLeast(1.3, "throughput to loopback as it ships", over(s, of, "throughput", vzipCRC, shippedServed)))
				add(atMost(0.75, "CPU to loopback as it ships", over(s, of, "cpu", vzipCRC, shippedServed)))
				add(atLeast(0.85, "throughput to the best loopback", over(s, of, "throughput", vzipCRC, bestOf)))
			}
			add(atMost(1.1, "time of checking CRCs to that without", over(s, of, "time", vzipCRC, vzipStat)))
		}
	}
	return all
}

func matrixAims() (all []aim) {
	for _, r := range matrixReaders {
		all = append(all, atMost(2, "matrix, "+r.name+": default mode's time to the best mode's", over("matrix", r.name, "time", modes[0].name, bestMode)))
	}
	return all
}

func randomAims() (all []aim) {
	for _, c := range randomCases {
		for _, metric := range []string{"p50", "p99"} {
			all = append(all, atMost(2, "random, "+c.String()+": "+metric+" to loopback as it ships", over("random", c.String(), metric, vzipCRC, shippedServed)))
		}
	}
	return all
}

func hashingAims() (all []aim) {
	const s = "hashing"
	for _, set := range hashingSets {
		name := s + ", " + set.name
		all = append(all,
			atLeast(0.85, name+": throughput to cores × the bare loop's", one(s, set.name+", warm", vzipHash, "throughput to cores")),
			atLeast(0.95, name+", cold: throughput to cat of the sources", over(s, set.name+", cold", "throughput", vzipHash, sources)),
			atMost(0, name+", remembered: bytes read of sources", one(s, set.name+", remembered", vzipHash, "source bytes read")))
	}
	return append(all, atMost(3, s+", sparse pair: seconds", one(s, "sparse", vzipHash, "time")))
}

func jobAims() []aim {
	return []aim{
		atLeast(1.5, "job: time of the fastest other to vzip's", over("job", "tree", "time", fastestOther, vzipJob)),
		// Blocks are whole, and CRCs are remembered.
		atMost(1.01, "job: bytes that vzip has written to those of the copy", one("job", "tree", vzipJob, "written to written once")),
	}
}

func writeAims() []aim {
	return []aim{
		atLeast(100, "write, large files on XFS: 7z's time to vzip's", over("write", "XFS, large", "time", sevenZip, vzipWrite)),
		atMost(0.01, "write, large files on XFS: new blocks to the data", one("write", "XFS, large", vzipWrite, "new blocks to data")),
		atMost(2, "write, sparse pair on XFS: seconds", one("write", "XFS, sparse", vzipWrite, "time")),
	}
}

func deflateAims() (all []aim) {
	for _, set := range deflateSets {
		s, name, read := set.section().name, set.section().name, set.name+", read"
		all = append(all,
			atMost(1.02, name+": size to zip -6's", one(s, set.name, hashAll, "size to zip -6")),
			atLeast(0.9, name+": throughput to cores × the bare loop's", one(s, set.name, hashAll, "throughput to cores")),
			atLeast(0.8, name+", nothing cached: throughput to cores × the bare loop's", one(s, read, readNew, "throughput to cores")),
			atLeast(0.5, name+", blocks cached: bytes of the archive to method: store's", one(s, read, readCached, "archive throughput to store")),
			atMost(1, name+": p99 of random reads to the time of two blocks", one(s, read, "random", "p99 to two blocks")),
			atMost(256, name+": peak memory, MiB", one(s, read, "vzip mount", "VmHWM")),
			atLeast(1, name+": time of 7z and cp to vzip's", over(s, set.name+", whole job", "time", sevenZipJob, deflateJob)))
	}
	return all
}

func startAims() []aim {
	return []aim{
		atMost(1, "start: seconds from scanned to the first byte", one("start", "cold", readyScan, "first byte")),
		atMost(1.15, "start: time to that of the copy alone", over("start", "cold", "time", readyScan, remembered)),
	}
}

func profileAims() []aim {
	share := func(f *figures, name string) float64 { return f.get("profile", "steady", vzipCRC, "share: "+name) }
	return []aim{
		// What few are comes from timers and the collector, not from reads.
		atMost(0.1, "profile: objects allocated for a READ", one("profile", "steady", vzipCRC, "allocations per READ")),
		atLeast(1, "profile: the least of copying, reading and CRC-32 to the largest other part", func(f *figures) float64 {
			least, other := math.Inf(1), math.Inf(-1)
			for i, p := range parts {
				if i < mainParts {
					least = min(least, share(f, p.name))
				} else {
					other = max(other, share(f, p.name))
				}
			}
			return least / other
		}),
	}
}

func growthAims() []aim {
	const s, memory = "growth", 256
	all := []aim{
		atMost(12, s+": seconds to start", one(s, millions, vzipCRC, "time")),
		atMost(memory, s+": resident memory, MiB", one(s, millions, vzipCRC, "VmRSS")),
		atMost(1.3*memory, s+": peak of it, MiB", one(s, millions, vzipCRC, "VmHWM")),
	}
	for _, what := range []string{"ls", "stat", "first byte", "last byte"} {
		all = append(all, atMost(0.01, s+": seconds of "+what, one(s, millions, vzipCRC, what)))
	}
	return all
}
