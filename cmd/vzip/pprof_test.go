package main

import (
	"encoding/json"
	"net"
	"net/http"
	"testing"
)

func TestPprof(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"8080", ":8080", "0.0.0.0:8080", "192.0.2.1:8080", "example.org:8080"} {
		if stop, err := servePprof(address); exitCode(err) != exitUsage {
			t.Errorf("%s: got %v, want an error of usage", address, err)
			if stop != nil {
				stop()
			}
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if _, err := servePprof(address); exitCode(err) != exitUsage {
		t.Errorf("a port that is taken: got %v, want an error of usage", err)
	}
	l.Close()
	stop, err := servePprof(address)
	if err != nil {
		t.Fatal(err)
	}
	var numbers map[string]float64
	answer, err := http.Get("http://" + address + "/debug/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&numbers); err != nil || numbers["/gc/heap/allocs:objects"] == 0 {
		t.Errorf("%v, %v: the number of allocations is missing", numbers, err)
	}
	stop()
	http.DefaultClient.CloseIdleConnections()
	if _, err := http.Get("http://" + address + "/debug/metrics"); err == nil {
		t.Error("it answers after its end")
	}
}
