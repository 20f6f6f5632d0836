//go:build race

package deflate

// seen shows p to the race detector, which the library may be built without.
func seen(p []byte) {
	for i := 0; i < len(p); i += 8 {
		_ = p[i]
	}
}
