package deflate

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	"vzip/internal/require"
)

// text returns n bytes that deflate well.
func text(n int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	words := strings.Fields("GET POST /index /login 200 404 500 error warn info user session token timeout bytes from to at of in ms")
	var b bytes.Buffer
	for b.Len() < n {
		fmt.Fprintf(&b, "%s %d %s\n", words[r.IntN(len(words))], r.IntN(5000), words[r.IntN(len(words))])
	}
	return b.Bytes()[:n]
}

func noise(n int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// levels are all of them, but with the race detector, which makes what the test does itself
// take many times as long: TestPortable has them all without it.
func levels() (list []int) {
	for level := MinLevel; level <= MaxLevel; level++ {
		if !require.RaceDetector || level == MinLevel || level == DefaultLevel {
			list = append(list, level)
		}
	}
	return list
}

// inputs are blocks of each kind.
func inputs() map[string][]byte {
	mixed := append(text(100_000, 3), noise(100_000, 4)...)
	return map[string][]byte{
		"one":    {7},
		"short":  text(100, 1),
		"text":   text(BlockLen, 2),
		"noise":  noise(200_000, 3),
		"mixed":  append(mixed, text(100_000, 5)...),
		"zeros":  make([]byte, BlockLen),
		"65535":  noise(storedLen, 6),
		"65536":  noise(storedLen+1, 7),
		"binary": bytes.Repeat(noise(1000, 8), 200),
	}
}

// stream returns what a file is made to, and where blocks of it start.
func stream(t testing.TB, c *Compressor, data []byte, blockLen int) (out []byte, starts []int) {
	t.Helper()
	for at := 0; at < len(data); at += blockLen {
		end := min(at+blockLen, len(data))
		starts = append(starts, len(out))
		next := c.Block(out, data[at:end], end == len(data))
		if n := len(next) - len(out); n > MaxLen(end-at) {
			t.Fatalf("a block of %d bytes makes %d, more than %d", end-at, n, MaxLen(end-at))
		}
		out = next
	}
	return out, starts
}

func inflate(t testing.TB, b []byte) (data []byte, left int) {
	t.Helper()
	in := bytes.NewReader(b)
	data, err := io.ReadAll(flate.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	return data, in.Len()
}

// Blocks in a row are one stream, which ends with the last of them; each is what it is
// when it is made alone by another compressor; and the rest can be read from each.
func TestStream(t *testing.T) {
	t.Parallel()
	for _, level := range levels() {
		c := New(level)
		for name, block := range inputs() {
			t.Run(fmt.Sprint(level, name), func(t *testing.T) {
				block := block[:min(len(block), 70_000)]
				data := append(append(append([]byte{}, block...), text(70_000, 9)...), block...)
				const blockLen = 50_000
				out, starts := stream(t, c, data, blockLen)
				got, left := inflate(t, out)
				if !bytes.Equal(got, data) || left != 0 {
					t.Fatalf("inflated to %d bytes of %d, with %d left", len(got), len(data), left)
				}
				for i, start := range starts {
					at, end := i*blockLen, min((i+1)*blockLen, len(data))
					stop := len(out)
					if i+1 < len(starts) {
						stop = starts[i+1]
					}
					alone := New(level).Block(nil, data[at:end], end == len(data))
					if !bytes.Equal(alone, out[start:stop]) {
						t.Fatalf("block %d is another when it is made alone", i)
					}
					if again := Again(level, len(alone), nil, data[at:end], end == len(data)); !bytes.Equal(again, alone) {
						t.Fatalf("block %d is another when its size is known", i)
					}
					if rest, _ := inflate(t, out[start:]); !bytes.Equal(rest, data[at:]) {
						t.Fatalf("the stream from block %d on is wrong", i)
					}
				}
			})
		}
	}
}

// A compressor makes the same of a block whatever it made before, and beside others.
func TestHistory(t *testing.T) {
	t.Parallel()
	in := inputs()
	for _, level := range levels() {
		want := map[string][]byte{}
		for name, block := range in {
			want[name] = New(level).Block(nil, block, true)
		}
		var wg sync.WaitGroup
		for seed := range uint64(3) {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(seed, 5))
				names := []string{}
				for name := range in {
					names = append(names, name)
				}
				for range 5 {
					name := names[r.IntN(len(names))]
					if !bytes.Equal(Block(level, nil, in[name], true), want[name]) {
						t.Errorf("level %d: %s is another after other blocks", level, name)
					}
				}
			})
		}
		wg.Wait()
	}
}

// Zeros make what they are compressed to, though they are not each time.
func TestZeros(t *testing.T) {
	t.Parallel()
	almost := make([]byte, BlockLen)
	almost[BlockLen-1] = 1
	for _, level := range levels() {
		c := New(level)
		for name, src := range map[string][]byte{"zeros": make([]byte, BlockLen), "zeros and a one": almost, "ones": bytes.Repeat([]byte{1}, BlockLen), "few": make([]byte, 1000)} {
			for _, last := range []bool{false, true, false, true} {
				if got := Block(level, []byte("before"), src, last); string(got[:6]) != "before" || !bytes.Equal(got[6:], c.Block(nil, src, last)) {
					t.Errorf("level %d, %s, last %v: other bytes", level, name, last)
				}
			}
		}
	}
}

// golden is what version 1 makes of inputs, as a SHA-256 a level. Where it fails, a change
// has other bytes: Version has to be another, and these with it.
var golden = map[int][MaxLevel + 1]string{
	1: {
		1: "1e9148674b4819db82076fe5c99d3b34",
		2: "c5202f2f5c092724c79cb44b63f396a9",
		3: "8881f2ffdbc5ecaa3f2a55f975284c85",
		4: "8c426a59d0ed8a7b8adcfcd8136124b9",
		5: "e15d451a228707f0cad63389aa98d854",
		6: "07e6e09d8f782212be32afd8feeca63b",
		7: "6d06070df1421738ae308d75b9db9d4c",
		8: "6d06070df1421738ae308d75b9db9d4c",
		9: "f48b1136cfc56b5030ab262783b3856b",
	},
}

// digest stands for what a level makes of all inputs.
func digest(level int) string {
	h := sha256.New()
	c := New(level)
	in := inputs()
	for _, name := range []string{"one", "short", "text", "noise", "mixed", "zeros", "65535", "65536", "binary"} {
		for _, last := range []bool{false, true} {
			h.Write(c.Block(nil, in[name], last))
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for _, level := range levels() {
		if got, want := digest(level), golden[Version][level]; got != want {
			t.Errorf("level %d: version %d makes other bytes: %s, want %s", level, Version, got, want)
		}
	}
}

// Programs that are built without assembly and unsafe code, and for another processor,
// make the same bytes.
func TestPortable(t *testing.T) {
	t.Parallel()
	for _, tags := range []string{"purego", "noasm", "nounsafe"} {
		out, err := exec.Command("go", "test", "-count=1", "-tags", tags, "-run", "^Test(Golden|Stream)$", ".").CombinedOutput()
		if err != nil {
			t.Errorf("-tags %s: %v\n%s", tags, err, out)
		}
	}
	if runtime.GOARCH != "amd64" { // which alone runs programs for 386, too
		return
	}
	cmd := exec.Command("go", "test", "-count=1", "-run", "^TestGolden$", ".")
	cmd.Env = append(cmd.Environ(), "GOARCH=386", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("GOARCH=386: %v\n%s", err, out)
	}
}

// With room in dst nothing is allocated.
func TestAllocations(t *testing.T) {
	c, dst := New(DefaultLevel), make([]byte, 0, MaxLen(BlockLen))
	for name, block := range inputs() {
		if n := testing.AllocsPerRun(3, func() { c.Block(dst, block, false) }); n > 0 {
			t.Errorf("%s: %v allocations a block", name, n)
		}
	}
}

func TestSample(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		size int64
		want []int
	}{
		{1, []int{0}},
		{BlockLen, []int{0}},
		{BlockLen + 1, []int{0, 1}},
		{4 * BlockLen, []int{0, 1, 2, 3}},
		{4*BlockLen + 1, []int{0, 1, 2, 3}},
		{100 * BlockLen, []int{0, 25, 50, 75}},
	} {
		if got := Sample(x.size); fmt.Sprint(got) != fmt.Sprint(x.want) {
			t.Errorf("%d bytes: blocks %v, want %v", x.size, got, x.want)
		}
	}
	for _, x := range []struct {
		size, compressed int64
		want             bool
	}{{100, 95, true}, {100, 96, false}, {1, 1, false}, {1, 0, true}, {19, 18, true}, {10, 10, false}} {
		if got := Shrinks(x.size, x.compressed); got != x.want {
			t.Errorf("%d to %d: %v", x.size, x.compressed, got)
		}
	}
}

func FuzzBlock(f *testing.F) {
	var compressors [MaxLevel + 1]*Compressor
	f.Add([]byte("hello, hello, hello"), uint16(7), uint8(6))
	f.Add(noise(70_000, 1), uint16(65_535), uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, blockLen uint16, level uint8) {
		if len(data) == 0 {
			return
		}
		n := MinLevel + int(level)%MaxLevel
		c := compressors[n]
		if c == nil {
			c = New(n)
			compressors[n] = c
		}
		block := c.Block(nil, data, true)
		if again := Again(n, len(block), nil, data, true); !bytes.Equal(again, block) {
			t.Fatalf("a block of %d bytes, %d deflated, is another when its size is known", len(data), len(block))
		}
		out, _ := stream(t, c, data, max(int(blockLen), 1+len(data)/1000))
		if got, left := inflate(t, out); !bytes.Equal(got, data) || left != 0 {
			t.Fatalf("inflated to %d bytes of %d, with %d left", len(got), len(data), left)
		}
	})
}
