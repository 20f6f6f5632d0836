package deflate

// sampled is how many blocks at most are looked at before a file is deflated.
const sampled = 4

// Sample returns the numbers of the blocks of a file of size bytes that tell whether it
// is worth deflating: all of a small one, else the first of each quarter.
func Sample(size int64) []int {
	n := Blocks(size)
	var list []int
	for i := range min(n, sampled) {
		list = append(list, i*n/min(n, sampled))
	}
	return list
}

// Shrinks tells whether what has size bytes and takes so many compressed is worth it: it
// becomes smaller by a twentieth.
func Shrinks(size, compressed int64) bool { return compressed <= size-(size+19)/20 }
