// No version of github.com/martin-sucha/zipserve is named: scripts/bench-peer.sh takes
// the newest.
module vzip/internal/peer/zipserve

go 1.26.8

replace vzip => ../../..

require vzip v0.0.0

require golang.org/x/sys v0.50.0 // indirect
