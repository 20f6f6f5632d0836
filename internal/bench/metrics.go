package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Metrics of a daemon that are counted over a measurement (runtime/metrics).
const (
	allocatedBytes   = "/gc/heap/allocs:bytes"
	allocatedObjects = "/gc/heap/allocs:objects"
)

// freeAddress returns a TCP address of this machine that nobody listens at.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// ask gets a page from a daemon's debug server.
func (m *mount) ask(ctx context.Context, page string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.metrics+page, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", page, answer.Status, data)
	}
	return data, err
}

// counters are the daemon's metrics; none of a daemon that does not tell.
func (m *mount) counters(ctx context.Context) (map[string]float64, error) {
	if m.metrics == "" {
		return nil, nil
	}
	data, err := m.ask(ctx, "/debug/metrics")
	if err != nil {
		return nil, err
	}
	numbers := map[string]float64{}
	if err := json.Unmarshal(data, &numbers); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	return numbers, nil
}

// grown puts what the counters have grown by into a sample; nothing where there are none.
func (s *sample) grown(before, after map[string]float64) {
	if s.extra == nil {
		s.extra = map[string]float64{}
	}
	if before == nil {
		return
	}
	for _, name := range []string{allocatedBytes, allocatedObjects} {
		s.extra[name] = after[name] - before[name]
	}
}
