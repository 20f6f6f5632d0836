package generation

// OpenEntry begins a use of the archive, as [Archive.Open] does, to read the data of entry
// i, a file. It is that of the handle from offset first on.
func (a *Archive) OpenEntry(i int) (h Handle, first int64, err error) {
	_, isDeflated := a.EntryCompressedSize(i)
	l, err := a.Open(!isDeflated)
	if err != nil {
		return nil, 0, err
	}
	if !isDeflated {
		return l, a.DataOffset(i), nil
	}
	return &sidecar{l, func(d *Data, p []byte, off int64) error {
		d.call.Resume(a.g.reader.Timeout) // it reads a source itself
		return d.readFile(i, p, off)
	}, a.EntrySize(i)}, 0, nil
}
