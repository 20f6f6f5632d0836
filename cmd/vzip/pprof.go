package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"runtime/metrics"
	"time"
)

// servePprof answers net/http/pprof's requests at an address of this machine, and
// /debug/metrics with the numbers of runtime/metrics. It is for developers; whoever
// can connect sees what the process does.
func servePprof(address string) (stop func(), err error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, usageError("--pprof: %w: write 127.0.0.1:PORT", err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, usageError("--pprof %s would be for other machines, too: write 127.0.0.1:PORT", address)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, usageError("--pprof: %w: use a free port", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/metrics", serveMetrics)
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.Serve(l) }() // until it is closed
	return func() { _ = s.Close() }, nil
}

// serveMetrics answers with an object of every metric that is one number.
func serveMetrics(w http.ResponseWriter, _ *http.Request) {
	var samples []metrics.Sample
	for _, d := range metrics.All() {
		samples = append(samples, metrics.Sample{Name: d.Name})
	}
	metrics.Read(samples)
	numbers := map[string]any{}
	for _, s := range samples {
		switch s.Value.Kind() {
		case metrics.KindUint64:
			numbers[s.Name] = s.Value.Uint64()
		case metrics.KindFloat64:
			numbers[s.Name] = s.Value.Float64()
		}
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(numbers); err != nil {
		http.Error(w, fmt.Sprint(err), http.StatusInternalServerError)
	}
}
