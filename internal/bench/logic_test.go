package main

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{7}, 7},
		{[]float64{9, 1}, 5},
		{[]float64{100, 1, 2}, 2},
		{[]float64{4, 1, 100, 2}, 3},
	} {
		if got := median(c.values); got != c.want {
			t.Errorf("%v: got %v, want %v", c.values, got, c.want)
		}
	}
	if got := median(nil); !math.IsNaN(got) {
		t.Errorf("of nothing: got %v", got)
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	var hundred []int64
	for i := range int64(100) {
		hundred = append(hundred, i+1)
	}
	for q, want := range map[float64]float64{0: 1, 0.5: 50, 0.99: 99, 0.991: 100, 1: 100} {
		if got := quantile(hundred, q); got != want {
			t.Errorf("%v: got %v, want %v", q, got, want)
		}
	}
	if got := quantile([]float64{3}, 0.99); got != 3 {
		t.Errorf("of one: got %v", got)
	}
}

// Rows run in turn, slow ones once; the round to warm up does not count; a row that is not there is
// left out, and one that fails ends it.
func TestMeasure(t *testing.T) {
	t.Parallel()
	var text, order strings.Builder
	b := &bench{ctx: t.Context(), stdout: &text, stderr: &text, missing: map[string]bool{}}
	calls := 0
	rows := func() []row {
		return []row{
			{"a", func() (sample, error) {
				order.WriteString("a")
				calls++
				return sample{time: time.Duration([]int{1000, 3, 1, 2}[calls-1]) * time.Second, daemon: time.Second, extra: map[string]float64{"x": float64(calls)}}, nil
			}},
			{"gone", func() (sample, error) { order.WriteString("g"); return sample{}, errUnavailable }},
			{"b", func() (sample, error) { order.WriteString("b"); return sample{reader: time.Second}, nil }},
		}
	}
	results, err := b.measure("test", 3, rows(), row{"slow", func() (sample, error) { order.WriteString("s"); return sample{}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	if order.String() != "agbabsabab" {
		t.Errorf("order: got %s", &order)
	}
	if len(results) != 3 || results[2].name != "slow" || results[0].time != 2 || results[0].cpu() != 1 || results[0].extra["x"] != 3 || results[1].reader != 1 {
		t.Errorf("got %+v", results)
	}
	if got := strings.Count(text.String(), "Left out: gone"); got != 1 {
		t.Errorf("what is missing was told %d times", got)
	}
	if !math.IsNaN(find(results, "gone").time) {
		t.Error("a row that was left out has a time")
	}
	broken := errors.New("broken")
	if _, err := b.measure("test", 1, []row{{"c", func() (sample, error) { return sample{}, broken }}}); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

func TestAims(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		aim   aim
		value float64
		want  bool
	}{
		{atLeast(1.3, "", nil), 1.3, true}, {atLeast(1.3, "", nil), 1.299, false},
		{atMost(0.75, "", nil), 0.75, true}, {atMost(0.75, "", nil), 0.751, false},
		{atMost(0, "", nil), 0, true},
	} {
		if got := c.aim.holds(c.value); got != c.want {
			t.Errorf("%v of %v: got %v", c.aim, c.value, got)
		}
	}
	of := func(speed float64) *figures {
		f := &figures{}
		for candidate, value := range map[string]float64{vzipCRC: speed, shippedServed: 1} {
			_ = f.add(figure{"sequential", "large, cat", candidate, "throughput", value, ""}) // written nowhere
		}
		return f
	}
	var text strings.Builder
	if err := checkAims(of(1.4), &text); err != nil || !strings.Contains(text.String(), "HOLDS   sequential, large, cat: throughput to loopback as it ships: at least 1.3: 1.40\n1 of 1 aims hold") {
		t.Errorf("%v: %s", err, &text)
	}
	text.Reset()
	if err := checkAims(of(1.2), &text); err == nil || !strings.Contains(text.String(), "MISSED") {
		t.Errorf("%v: %s", err, &text)
	}
	if err := checkAims(&figures{}, &text); err == nil {
		t.Error("no error where nothing was measured")
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for value, want := range map[float64]string{
		0: "0.00", 1: "1.00", 12.345: "12.3", 123.4: "123", 1234567: "1234567", 0.5: "0.500", 0.0123: "0.0123", 1e-9: "0.00000", -2.5: "-2.50", math.Inf(1): "-",
	} {
		if got := number(value); got != want {
			t.Errorf("%v: got %s, want %s", value, got, want)
		}
	}
	if got := ratio(0, 0); got != "-" {
		t.Errorf("0/0: got %s", got)
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	all, err := choose("")
	if err != nil || len(all) == 0 {
		t.Fatal(all, err)
	}
	for _, s := range all {
		if s.onDemand {
			t.Errorf("%s runs though nobody asked for it", s.name)
		}
	}
	if two, err := choose("growth,random"); err != nil || names(two) != "growth,random" {
		t.Errorf("got %v, %v", names(two), err)
	}
	if three, err := choose("deflate"); err != nil || names(three) != "deflate-tar,deflate-log,deflate-mixed" {
		t.Errorf("got %v, %v", names(three), err)
	}
	if _, err := choose("nothing"); err == nil {
		t.Error("no error for a section that is not there")
	}
}

// What strace prints of reads, here of version 6.1.
func TestTracedBytes(t *testing.T) {
	t.Parallel()
	trace := []byte(`read(3</etc/ld.so.cache>, "..."..., 4096) = 4096
pread64(5</tmp/s/data/file>, "abc"..., 1048576, 0) = 1000
pread64(5</tmp/s/data/file>, "", 1048576, 1000) = 0
mmap(NULL, 4096, PROT_READ, MAP_SHARED, 6</tmp/s/data/other>, 0) = 0x7f1
pread64(7</tmp/s/data-2/file>, "abc"..., 10, 0) = 3
pread64(8</tmp/s/data/sub/file>, "a"..., 10, 0) = 10
read(9</tmp/s/data/dir>, 0xc000, 10) = -1 EISDIR (Is a directory)
`)
	if got := tracedBytes(trace, "/tmp/s/data/"); got != 1010 {
		t.Errorf("got %v, want 1010", got)
	}
}

func TestAccounted(t *testing.T) {
	t.Parallel()
	if got := accounted("Type: cpu\nShowing nodes accounting for 2.07s, 45.49% of 4.55s total\n"); got != 45.49 {
		t.Errorf("got %v", got)
	}
	if got := accounted(""); got != 0 {
		t.Errorf("of nothing: got %v", got)
	}
}
