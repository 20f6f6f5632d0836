package verified

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"vzip/internal/deflate"
)

// gate lets a load begin, and holds it until it is opened.
type gate struct {
	entered, open chan struct{}
	loads         atomic.Int32
}

func (d *deflatedFiles) gate() *gate {
	g := &gate{entered: make(chan struct{}, 100), open: make(chan struct{})}
	d.read = func(_ uint64, n int) {
		if n == 0 {
			g.loads.Add(1)
			g.entered <- struct{}{}
			<-g.open
		}
	}
	return g
}

// Many who want a block at once have it deflated once, however little is kept.
func TestDeflatedOnce(t *testing.T) {
	t.Parallel()
	for _, most := range []int64{-1, 0} {
		d := deflatedOf(t, 6, deflate.BlockLen+5)
		g := d.gate()
		r := NewReader(Options{Timeout: time.Minute, Deflated: most})
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { wantBlock(t, r, d, 0, 0) })
		}
		<-g.entered
		time.Sleep(100 * time.Millisecond) // for the others to wait
		close(g.open)
		wg.Wait()
		if n := g.loads.Load(); n != 1 && most == 0 || n > 3 {
			t.Errorf("it was deflated %d times, want once", n)
		}
		wantIdle(t, r)
		r.Close()
	}
}

// fillSlots takes all slots of the device, and returns what gives them back.
func fillSlots(t *testing.T, r *Reader, x Sources) (free func()) {
	t.Helper()
	calls := make([]*Call, cap(r.devices.get(1).slots))
	for i := range calls {
		calls[i] = newCall(context.Background(), time.Minute)
		must(t, r.Enter(calls[i], x, 0))
	}
	return func() {
		for _, c := range calls {
			r.Leave(c)
		}
	}
}

// Who waits for a block gets it though the one who was to load it gave up, or began so
// long before that its time is over.
func TestDeflatedLoaderGone(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func() (*Call, func()){
		"left": func() (*Call, func()) {
			ctx, cancel := context.WithCancel(context.Background())
			return newCall(ctx, time.Minute), cancel
		},
		"late": func() (*Call, func()) {
			return newCall(context.Background(), 200*time.Millisecond), func() {}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := deflatedOf(t, 6, 1000)
			r := NewReader(Options{Timeout: time.Minute})
			defer r.Close()
			free := fillSlots(t, r, d)
			loader, end := call()
			ended, begun := make(chan error), time.Now()
			go func() { ended <- r.ReadDeflated(loader, d, 0, d.block(0, 0), make([]byte, 1), 0) }()
			time.Sleep(50 * time.Millisecond) // it waits for a slot
			var wg sync.WaitGroup
			for range 10 {
				wg.Go(func() { wantBlock(t, r, d, 0, 0) })
			}
			time.Sleep(50 * time.Millisecond) // they wait for it
			end()
			if err := <-ended; !errors.Is(err, context.Canceled) && !errors.As(err, new(*TimeoutError)) {
				t.Errorf("the loader: got error %v", err)
			}
			time.Sleep(20 * time.Millisecond)
			free()
			wg.Wait()
			if took := time.Since(begun); took > 20*time.Second {
				t.Errorf("they waited %v", took)
			}
			r.Leave(loader)
			wantIdle(t, r)
		})
	}
}

// Those who wait for a block have no slot that the one who loads it may need.
func TestDeflatedSlots(t *testing.T) {
	t.Parallel()
	d := deflatedOf(t, 6, 1000)
	r := NewReader(Options{Timeout: 10 * time.Second})
	defer r.Close()
	calls := make([]*Call, cap(r.devices.get(1).slots))
	for i := range calls {
		calls[i] = newCall(context.Background(), r.Timeout)
		must(t, r.Enter(calls[i], d, 0))
	}
	var wg sync.WaitGroup
	read := func(c *Call) {
		wg.Go(func() {
			p := make([]byte, 10)
			if err := r.ReadDeflated(c, d, 0, d.block(0, 0), p, 7); err != nil || !bytes.Equal(p, d.want[0][0][7:17]) {
				t.Errorf("other bytes, or error %v", err)
			}
			// It keeps what it has, as one that goes on to another block does.
		})
	}
	loader := newCall(context.Background(), r.Timeout)
	read(loader)
	for begun := time.Now(); ; time.Sleep(time.Millisecond) {
		r.deflated.mu.Lock()
		n := len(r.deflated.all)
		r.deflated.mu.Unlock()
		if n > 0 {
			break
		}
		if time.Since(begun) > 5*time.Second {
			t.Fatal("nobody loads the block")
		}
	}
	for _, c := range calls {
		read(c)
	}
	wg.Wait()
	for _, c := range append(calls, loader) {
		r.Leave(c)
	}
	wantIdle(t, r)
}

// Reads that hang, as many as blocks can be deflated at once, stop nobody once they are late.
func TestDeflatedHung(t *testing.T) {
	t.Parallel()
	d := deflatedOf(t, 1, cap(newDeflating())*deflate.BlockLen, 1000)
	r := NewReader(Options{Timeout: 10 * time.Second})
	defer r.Close()
	tokens := r.devices.get(1).deflating
	open := make(chan struct{})
	d.read = func(key uint64, _ int) {
		if key == 0 {
			<-open
		}
	}
	var wg sync.WaitGroup
	calls := make([]*Call, cap(tokens))
	for n := range calls {
		calls[n] = newCall(context.Background(), r.Timeout)
		wg.Go(func() { _ = r.ReadDeflated(calls[n], d, 0, d.block(0, n), make([]byte, 1), 0) })
	}
	for begun := time.Now(); len(tokens) > 0; time.Sleep(time.Millisecond) {
		if time.Since(begun) > 5*time.Second {
			t.Fatalf("%d tokens are left, want none", len(tokens))
		}
	}
	for _, c := range calls {
		if err := r.Late(c, d); !errors.As(err, new(*TimeoutError)) {
			t.Errorf("late: got error %v", err)
		}
	}
	wantBlock(t, r, d, 1, 0)
	close(open)
	wg.Wait()
	for _, c := range calls {
		r.Leave(c)
	}
	wantIdle(t, r)
}
