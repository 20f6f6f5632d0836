package rig

import "github.com/prometheus/procfs"

// Memory returns the resident memory of a process now, and the most so far, in MiB.
func Memory(pid int) (now, most float64, err error) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return 0, 0, err
	}
	s, err := p.NewStatus()
	return float64(s.VmRSS) / (1 << 20), float64(s.VmHWM) / (1 << 20), err
}
