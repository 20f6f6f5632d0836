package layout

// Access says who may read an archive where the mount lets other users in.
type Access struct {
	UID, GID       uint32
	HasUID, HasGID bool   // false: the daemon's own
	Mode           uint32 // permission bits: 0444 or fewer
}

// Access returns who may read the archive: only those who may read every source
// themselves, unless expose is world.
func (p *Plan) Access() Access { return p.access }
