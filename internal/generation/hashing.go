package generation

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"vzip/internal/checksum"
	"vzip/internal/source"
)

// hashing works out the CRCs of a generation that can be read already. What a reader
// waits for comes first, then what is ahead of readers, then all the rest. It is gone
// when all are known.
type hashing struct {
	g *Generation
	StartOptions
	begin time.Time

	// Of the reader that read last.
	at   atomic.Uint64 // key
	when atomic.Int64  // in nanoseconds since begin

	urgent atomic.Int32 // how many could be taken from queue
	dirty  atomic.Bool  // something is to be remembered
	writes atomic.Bool  // it is being written

	groups [][]uint32 // of each archive's entries

	mu      sync.Mutex
	order   order
	queue   []*job          // that readers wait for, and nobody works on
	begun   []*job          // in the order they were begun
	jobs    map[uint32]*job // both, by group
	failed  map[uint32]failure
	unknown int       // groups
	adding  int       // sums, to the cache
	paused  bool      // nothing is done that no reader waits for
	rest    time.Time // nothing is begun before that no reader waits for
	over    bool      // Finished was called
	warned  bool      // of what can't be remembered

	workers int                  // at work
	parked  int                  // beside them, those whose source does not answer
	silent  map[uint64]int       // by device: jobs whose source does not answer
	quiet   map[uint64]time.Time // by device: when it was last found not to answer
}

// StartOptions say how a generation's CRCs are worked out while it is read.
type StartOptions struct {
	HashOptions
	// Finished, if set, is called once: when all CRCs are known, or all but those of
	// so many files that can't be read.
	Finished func(failed int)
	// Warn, if set, takes what the user should know and what stops nothing.
	Warn func(string)
}

// job is the hashing of a group of equal files.
type job struct {
	group   uint32
	key     uint64 // of its first file
	urgent  bool   // a reader waits for it
	pulse   source.Pulse
	file    *source.File
	work    *checksum.Work // nil until the file is open
	workers int
	parked  bool // they are not counted, as the source does not answer
	outcome *outcome
	read    atomic.Int64 // bytes that were hashed

	answered int64     // what the pulse had
	since    time.Time // when it was another, or the job was made
}

// outcome is what becomes of a job.
type outcome struct {
	done chan struct{}
	err  error // once done is closed
}

// failure is a file that could not be hashed.
type failure struct {
	err     error
	when    time.Time
	tries   int
	changed bool // it is another file now, until it is found to be back
}

const (
	// tickEvery is how often hashing looks after itself.
	tickEvery = 100 * time.Millisecond
	// parkAfter is after which time without an answer others take a worker's place.
	// maxParked is for how many that is done, and maxSilent how many files of a device
	// are asked for when it does not answer.
	parkAfter = time.Second
	maxParked = 64
	maxSilent = 8
	// flushEvery is how often what was worked out is written to the cache.
	flushEvery = 2 * time.Second
	// retryEvery is how often a file that failed is tried again at most, and restAfter
	// how long nothing is tried that nobody asks for once all has been.
	retryEvery = time.Second
	restAfter  = 5 * time.Second
)

// Start works out the CRCs that are not known yet, while the generation is read. They
// are remembered where those of the scan were. It returns whether there are any.
func (g *Generation) Start(o StartOptions) bool {
	groups, bytes := g.missing()
	if len(groups) == 0 {
		return false
	}
	if o.Start != nil {
		o.Start(len(groups), bytes)
	}
	if o.Progress == nil {
		o.Progress = func(int64) {}
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	if o.Cache == nil {
		o.Cache = g.cache
	}
	o.Workers = max(o.Workers, 1)
	h := &hashing{
		g: g, StartOptions: o, begin: time.Now(), order: newOrder(g), unknown: len(groups),
		jobs: map[uint32]*job{}, failed: map[uint32]failure{}, silent: map[uint64]int{}, quiet: map[uint64]time.Time{},
	}
	for _, a := range g.Archives {
		h.groups = append(h.groups, make([]uint32, a.Len()))
	}
	for group := range g.groups {
		for _, f := range g.members(group) {
			h.groups[f.archive][f.entry] = uint32(group)
		}
	}
	h.when.Store(-int64(readFor))
	g.hashing.Store(h)
	h.mu.Lock()
	h.kick()
	h.mu.Unlock()
	go h.lookAfter()
	return true
}

// Pause lets nothing be hashed or summed but what a reader waits for, until Resume. What is
// known is remembered when it returns.
func (g *Generation) Pause() {
	g.pauseSums(true)
	if h := g.hashing.Load(); h != nil {
		h.mu.Lock()
		h.paused = true
		h.mu.Unlock()
		h.flush()
	}
}

// Resume ends Pause.
func (g *Generation) Resume() {
	g.pauseSums(false)
	if h := g.hashing.Load(); h != nil {
		h.mu.Lock()
		h.paused = false
		h.kick()
		h.mu.Unlock()
	}
}

// group returns the group that a file is in.
func (h *hashing) group(key uint64) uint32 {
	a, i := h.g.at(key)
	return h.groups[a.index][i]
}

// kick starts as many workers as there may be; those who find nothing to do end. The
// lock is held.
func (h *hashing) kick() {
	for h.workers < h.Workers && h.g.ctx.Err() == nil {
		h.workers++
		go h.run()
	}
}

var hashBuffers = sync.Pool{New: func() any { return new([checksum.BufferLen]byte) }}

func (h *hashing) run() {
	buf := hashBuffers.Get().(*[checksum.BufferLen]byte)
	defer hashBuffers.Put(buf)
	for j := h.take(nil); j != nil; j = h.take(j) {
		h.do(j, buf[:])
	}
}

// take ends a worker's part in a job, if it had one, and returns the next one; nil if
// the worker has to end.
func (h *hashing) take(was *job) *job {
	h.mu.Lock()
	defer h.mu.Unlock()
	if was != nil {
		was.workers--
		if was.parked { // somebody else may have this one's place
			h.parked--
			h.workers++
		}
		if h.g.ctx.Err() != nil {
			h.drop(was)
		}
	}
	if h.workers <= h.Workers && h.g.ctx.Err() == nil {
		if j := h.choose(); j != nil {
			j.workers++
			return j
		}
	}
	h.workers--
	return nil
}

func (h *hashing) do(j *job, buf []byte) {
	defer func() {
		if v := recover(); v != nil { // nobody should wait for ever, or lose a mount, for a defect
			h.end(j, checksum.Sum{}, fmt.Errorf("a defect in vzip: %v", v))
		}
	}()
	if j.work == nil {
		if err := h.open(j); err != nil {
			h.end(j, checksum.Sum{}, err)
			return
		}
	}
	if !j.work.Do(h.g.ctx, buf, func() bool { return h.leave(j) }) {
		return
	}
	sum, err := j.work.Sum()
	if err == nil {
		_, id, _ := h.g.Source(j.key)
		err = j.file.Check(id)
	}
	j.file.Close()
	h.end(j, sum, err)
}

func (h *hashing) open(j *job) error {
	f, err := h.g.openAtRest(h.g.ctx, j.key, &j.pulse, h.begin)
	if err != nil {
		return err
	}
	w, err := checksum.NewWork(f, func(n int64) {
		j.read.Add(n)
		h.Progress(n)
	})
	if err != nil {
		f.Close()
		return err
	}
	h.mu.Lock()
	j.file, j.work = f, w
	if f.Size() > checksum.BufferLen {
		h.kick() // others may help, or do what comes next
	}
	h.mu.Unlock()
	return nil
}
