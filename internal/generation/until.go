package generation

// Until implements [Handle].
func (l *Lease) Until(end int64) {
	if l.ahead != nil {
		l.ahead.until(max(end, 1)) // 0 is the archive's end
	}
}

// Until implements [Handle].
func (v *volume) Until(end int64) { v.Lease.Until(v.from + min(end, v.size)) }
