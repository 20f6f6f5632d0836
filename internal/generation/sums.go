package generation

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"github.com/klauspost/crc32"

	"vzip/internal/crccache"
	"vzip/internal/seeded"
	"vzip/internal/source"
)

// sums is what a generation does about the digests of its archives.
type sums struct {
	mu       sync.Mutex
	paused   bool // nothing is summed that nobody waits for
	wanted   bool // all digests are, in the background
	busy     bool // somebody works on that
	finished func(archives int)
	progress func(bytes int64)

	recalling sync.Mutex
}

func (s *sums) isPaused() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.paused
}

func (s *sums) tell(bytes int64) {
	if s.progress != nil {
		s.progress(bytes)
	}
}

// SumUp works out, in the background, the SHA-256s that sidecars tell: one archive after
// the other, with the lowest priority, until Pause or Close. Archives whose CRCs are not
// known are left out. finished, if set, is told how many were worked out, if any were.
func (g *Generation) SumUp(finished func(archives int)) {
	g.sums.mu.Lock()
	defer g.sums.mu.Unlock()
	g.sums.wanted, g.sums.finished = true, finished
	g.startSums()
}

func (g *Generation) pauseSums(paused bool) {
	g.sums.mu.Lock()
	defer g.sums.mu.Unlock()
	g.sums.paused = paused
	g.startSums()
}

// startSums has somebody work in the background if there is cause to. The lock is held.
func (g *Generation) startSums() {
	s := &g.sums
	if s.wanted && !s.paused && !s.busy && g.ctx.Err() == nil {
		s.busy = true
		go g.sumAll()
	}
}

func (g *Generation) sumAll() {
	s := &g.sums
	for {
		count, done := g.sumOnce()
		s.mu.Lock()
		if done || s.paused || g.ctx.Err() != nil {
			s.busy = false
			s.wanted = s.wanted && !done
			finished := s.finished
			s.mu.Unlock()
			if done && count > 0 && finished != nil {
				finished(count)
			}
			return
		}
		s.mu.Unlock()
	}
}

// sumOnce sums all archives that can be, unless it is paused. It returns how many it did.
func (g *Generation) sumOnce() (count int, done bool) {
	g.recallSums()
	for _, a := range g.Archives {
		for a.digest != nil && a.allKnown() {
			w := a.digest.join(a)
			if w == nil {
				break
			}
			select {
			case <-w.done:
			case <-g.ctx.Done():
				return count, false
			}
			if w.err == nil {
				count++
			}
			switch {
			case w.err == nil || w.err != errStopped && w.a == a: // a failure is for readers to see
			case g.sums.isPaused() || g.ctx.Err() != nil:
				return count, false
			default:
				continue
			}
			break
		}
	}
	return count, true
}

// Sum works out every SHA-256 that a sidecar tells and that is not remembered: of as many
// archives at a time as there are workers. Start and Progress are of bytes of archives. A
// SourceErrors tells of sources that can't be read; a failing cache's error comes second.
func (g *Generation) Sum(ctx context.Context, o HashOptions) (err, cacheErr error) {
	g.recallSums()
	var todo []*Archive
	bytes := int64(0)
	for _, a := range g.Archives {
		if a.digest == nil {
			continue
		}
		if _, known := a.digest.get(); !known {
			todo = append(todo, a)
			bytes += a.Size()
		}
	}
	if len(todo) == 0 {
		return nil, nil
	}
	if o.Start != nil {
		o.Start(len(todo), bytes)
	}
	g.sums.progress = o.Progress
	errs := make([]error, len(todo))
	slots := make(chan struct{}, max(o.Workers, 1))
	var wg sync.WaitGroup
	for i, a := range todo {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			errs[i] = a.awaitSum(ctx.Done())
		})
	}
	wg.Wait()
	if g.cache != nil {
		cacheErr = g.cache.Flush()
	}
	if ctx.Err() != nil {
		return ctx.Err(), cacheErr
	}
	var failed SourceErrors
	for i, err := range errs {
		if err != nil {
			failed = append(failed, fmt.Errorf("archive %s: %w", todo[i].Name, err))
		}
	}
	if len(failed) > 0 {
		return failed, cacheErr
	}
	return nil, cacheErr
}

// allKnown tells whether every CRC of the archive is known.
func (a *Archive) allKnown() bool { return a.known.clear(0, a.Len()) == a.Len() }

// recallSums takes digests from the cache, of all archives whose CRCs are known, and that
// it was not asked for before.
func (g *Generation) recallSums() {
	if g.cache == nil {
		return
	}
	g.sums.recalling.Lock()
	defer g.sums.recalling.Unlock()
	want := map[crccache.Key][]*Archive{}
	for _, a := range g.Archives {
		if a.digest == nil || a.sumKey != nil || !a.allKnown() {
			continue
		}
		key, err := a.newSumKey()
		if err != nil { // of a defect: it is worked out, then
			continue
		}
		a.sumKey = &key
		if _, known := a.digest.get(); !known {
			want[key] = append(want[key], a)
		}
	}
	if len(want) == 0 {
		return
	}
	// A cache that can't be read has been told of.
	_, _ = g.cache.Scan(func(r crccache.Record) {
		for _, a := range want[r.Key] {
			if sum, ok := sumOf(r); ok {
				a.digest.set(sum)
			}
		}
	})
}

// newSumKey returns what an archive's digest is remembered under: it stands for all that
// is known of the archive's bytes, whatever the archive is called. All CRCs must be known.
func (a *Archive) newSumKey() (crccache.Key, error) {
	h := sha256.New()
	if err := a.copyDirectory(h, a.Plan.NewReader(headers{a})); err != nil {
		return crccache.Key{}, err
	}
	var b []byte
	for _, l := range a.large {
		b = b[:0]
		for _, crc := range l.blocks {
			b = binary.LittleEndian.AppendUint32(b, crc)
		}
		h.Write(b)
	}
	if seeded.On("same-sum") {
		h.Reset()
	}
	return crccache.KeyOf("sha256 " + hex.EncodeToString(h.Sum(nil))), nil
}

// rememberSum adds a digest to the cache.
func (a *Archive) rememberSum(sum [sha256.Size]byte) {
	if a.g.cache == nil {
		return
	}
	a.g.recallSums() // has the key, at the latest now
	a.g.sums.recalling.Lock()
	key := a.sumKey
	a.g.sums.recalling.Unlock()
	if key == nil {
		return
	}
	// A cache that fails has been told of, or is when it is used next.
	_ = a.g.cache.Add(sumRecord(*key, sum))
	_ = a.g.cache.Flush()
}

// sumRecord is a digest as the cache has it: in the four numbers of an identity, with the
// CRC-32 of the 32 bytes.
func sumRecord(k crccache.Key, sum [sha256.Size]byte) crccache.Record {
	word := func(i int) int64 { return int64(binary.LittleEndian.Uint64(sum[8*i:])) }
	r := crccache.Record{Key: k, Identity: source.Identity{Mtime: word(0), Ctime: word(1), Btime: word(2), Ino: uint64(word(3))}}
	r.CRC32 = crc32.ChecksumIEEE(sum[:])
	return r
}

func sumOf(r crccache.Record) (sum [sha256.Size]byte, ok bool) {
	for i, word := range []uint64{uint64(r.Mtime), uint64(r.Ctime), uint64(r.Btime), r.Ino} {
		binary.LittleEndian.PutUint64(sum[8*i:], word)
	}
	return sum, r.Size == 0 && r.CRC32 == crc32.ChecksumIEEE(sum[:])
}

// whenLeft calls f once nobody waits for the call any more, until stop is called.
func (d *Data) whenLeft(f func()) (stop func()) {
	ended := make(chan struct{})
	go func() {
		look := time.NewTicker(tickEvery)
		defer look.Stop()
		for {
			select {
			case <-ended:
				return
			case <-look.C:
				if d.call.Left() {
					f()
					return
				}
			}
		}
	}()
	return func() { close(ended) }
}
