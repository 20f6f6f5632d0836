package generation

func (a *Archive) sidecars() []*File { return nil }
