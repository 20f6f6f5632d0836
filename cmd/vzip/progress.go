package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// lineInterval is how often progress is told where there is no terminal.
const lineInterval = 5 * time.Second

// backgroundLines is of how many such lines a daemon's log gets one.
const backgroundLines = 12

// progress shows how far the CRCs are: a bar on a terminal, a line now and then
// elsewhere, nothing where quiet is asked for.
type progress struct {
	app        *app
	hidden     bool         // show nothing
	background bool         // of a daemon: no bar, and a line only now and then
	status     func(string) // if set, is told it, too
	doing      string       // what is done, if not working out CRC-32s
	did        string       // what was done of files, if not working out their CRC-32s
	sums       bool         // it is of SHA-256s of archives, not of CRC-32s of files

	files atomic.Int64
	total atomic.Int64
	begin time.Time
	done  atomic.Int64
	about atomic.Pointer[string] // what status says first; nil for nothing

	mu      sync.Mutex // of what follows: a build that hangs is stopped under its feet
	stopped bool
	bar     *progressbar.ProgressBar
	quit    chan struct{}
	wg      sync.WaitGroup
}

// start is called again when changed sources are looked at again.
func (p *progress) start(files int, bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end()
	p.files.Store(int64(files))
	p.total.Store(bytes)
	p.begin = time.Now()
	p.done.Store(0)
	if p.stopped || p.hidden || p.app.quiet && p.status == nil {
		return
	}
	if !p.app.quiet && !p.background && isTerminal(p.app.stderr) && p.app.logFormat == "text" {
		p.bar = progressbar.NewOptions64(max(bytes, 1),
			progressbar.OptionSetWriter(p.app.stderr),
			progressbar.OptionSetDescription(p.what()),
			progressbar.OptionShowBytes(true),
			progressbar.OptionSetPredictTime(true),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionFullWidth(),
			progressbar.OptionClearOnFinish(),
		)
	}
	p.quit = make(chan struct{})
	p.wg.Go(p.show)
}

// what is what it tells the progress of.
func (p *progress) what() string {
	if p.sums {
		return "SHA-256"
	}
	return cmp.Or(p.doing, "CRC-32")
}

func (p *progress) add(bytes int64) { p.done.Add(bytes) }

// figures are how many files and bytes there are to do, and how many bytes are done. It
// waits for nothing, not even for a log that nobody reads.
func (p *progress) figures() (files int, done, total int64) {
	total = p.total.Load()
	return int(p.files.Load()), min(p.done.Load(), total), total
}

func (p *progress) show() {
	every := lineInterval
	if p.bar != nil {
		every = 100 * time.Millisecond
	}
	told, lines := time.Now(), 0
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-p.quit:
			return
		case <-ticker.C:
		}
		if p.bar != nil {
			_ = p.bar.Set64(min(p.done.Load(), p.total.Load()-1)) // the last byte would end it
		}
		if time.Since(told) < lineInterval {
			continue
		}
		told = time.Now()
		if lines++; p.bar == nil && (!p.background || lines%backgroundLines == 0) {
			p.app.log.Info(p.line())
		}
		p.tellStatus(p.line())
	}
}

// tell tells status about something, and how far the CRCs are until they are done.
func (p *progress) tell(about string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.quit == nil {
		p.status(about)
		return
	}
	p.about.Store(&about)
	p.tellStatus(p.line())
}

func (p *progress) tellStatus(line string) {
	if about := p.about.Load(); p.status != nil && about != nil {
		p.status(*about + "; " + line)
	}
}

// line tells bytes, rate and time left.
func (p *progress) line() string {
	done, elapsed := p.done.Load(), time.Since(p.begin)
	rate := float64(done) / elapsed.Seconds()
	left := "unknown"
	if rate > 0 {
		left = time.Duration(float64(p.total.Load()-done) / rate * float64(time.Second)).Round(time.Second).String()
	}
	return fmt.Sprintf("%s: %s of %s (%d %%), %s/s, %s left", p.what(), size(done), size(p.total.Load()),
		100*done/max(p.total.Load(), 1), size(int64(rate)), left)
}

// end takes the display away; the lock is held.
func (p *progress) end() {
	if p.quit != nil {
		close(p.quit)
		p.wg.Wait()
		p.quit = nil
	}
	if p.bar != nil {
		_ = p.bar.Clear()
		p.bar = nil
	}
}

// stop ends the display, and says what was done.
func (p *progress) stop(ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return
	}
	p.stopped = true
	p.end()
	if about := p.about.Load(); about != nil {
		p.status(*about)
	}
	if !ok || p.hidden {
		return
	}
	if p.files.Load() == 0 {
		p.app.log.Info("no file had to be read")
		return
	}
	took := time.Since(p.begin)
	did, of := cmp.Or(p.did, "worked out the "+p.what()+" of"), "files"
	if p.sums {
		of = "archives"
	}
	p.app.log.Info(fmt.Sprintf("%s %d %s, %s in %v (%s/s)", did, p.files.Load(), of, size(p.total.Load()),
		took.Round(time.Millisecond), size(int64(float64(p.total.Load())/max(took.Seconds(), 1e-3)))))
}

func size(bytes int64) string { return humanize.Bytes(uint64(max(bytes, 0))) }

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
