package generation

import "time"

// sumFailure is what is kept of bytes that are not those of the CRC-32s, where each read of
// a sidecar would have all of them read again only to fail again.
type sumFailure struct {
	err   error
	when  time.Time
	tries int
	from  int // digest.changes when the work began
}

const (
	// resumAfter is how long an archive that failed is not summed again at least, without
	// a change of a source that is known. It doubles with each failure, up to maxResum.
	resumAfter = 10 * time.Second
	maxResum   = time.Hour
)

// fail keeps the failure of the work, and tells whether it is another than the last that
// was told.
func (d *digest) fail(err error) (another bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	tries := 1
	if d.failed != nil {
		tries += d.failed.tries
	}
	d.failed = &sumFailure{err: err, when: time.Now(), tries: tries, from: d.from}
	another = d.told != err.Error()
	d.told = err.Error()
	return another
}

// due tells whether what failed is tried again. The lock is held.
func (d *digest) due(now time.Time) bool {
	f := d.failed
	pause := min(resumAfter<<min(f.tries-1, 20), maxResum)
	return f.from != d.changes || now.Sub(f.when) >= pause
}

// sourceChanged is told that a source is not what it was any more, or is again.
func (d *digest) sourceChanged() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.changes++
}

// changed returns how many changes of sources there were.
func (d *digest) changed() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changes
}

// hasFailed tells whether a failure is kept.
func (d *digest) hasFailed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failed != nil
}

// shareDigest takes over what is known, or under way, of the sum of an archive with the same
// bytes. What failed is tried again if sources are not what they were.
func (a *Archive) shareDigest(before *Archive) {
	if a.digest == nil || before.digest == nil {
		return
	}
	a.digest = before.digest
	if a.digest.hasFailed() && !a.sameSources(before) {
		a.digest.sourceChanged()
	}
}

// sameSources tells whether sources were the same files when each archive was scanned.
func (a *Archive) sameSources(b *Archive) bool {
	if a.Len() != b.Len() {
		return false
	}
	for i := range a.Len() {
		if a.IsFile(i) && (a.Identity(i) != b.Identity(i) || a.Plan.Device(i) != b.Plan.Device(i)) {
			return false
		}
	}
	return true
}
