package generation

// Unhashed tells how many files' CRC-32s are not known yet, and how many of these could
// not be worked out when that was last tried. ended tells that only those are left.
func (g *Generation) Unhashed() (files, failed int, ended bool) {
	h := g.hashing.Load()
	if h == nil {
		return 0, 0, true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.unknown, len(h.failed), h.over
}

// Opened returns how many uses of each archive there are that began with Open, in the
// order of Archives.
func (g *Generation) Opened() []int {
	n := make([]int, len(g.Archives))
	g.mu.Lock()
	defer g.mu.Unlock()
	for l := range g.leases {
		if a := l.archive.Load(); a != nil {
			n[a.index]++
		}
	}
	return n
}

// Stale returns how many of the archive's sources are known to have other bytes now.
// As long as there is one it can't be opened.
func (a *Archive) Stale() int { return int(a.stale.Load()) }
