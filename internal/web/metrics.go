package web

import (
	"net/http"
	"strconv"
	"vzip/internal/generation"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what /metrics tells, in Prometheus' text format.
type metrics struct {
	handler  http.Handler
	requests *prometheus.CounterVec
	bytes    prometheus.Counter
	errors   *prometheus.CounterVec
	cut      prometheus.Counter
	active   prometheus.Gauge
}

func newMetrics(h *Handler) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "vzip_http_requests_total", Help: "Requests that were answered, by status."}, []string{"code"}),
		bytes:    prometheus.NewCounter(prometheus.CounterOpts{Name: "vzip_http_body_bytes_total", Help: "Bytes of archives that were sent."}),
		errors:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "vzip_http_errors_total", Help: "Requests that failed for a source, by cause: changed, damaged, timeout, io."}, []string{"cause"}),
		cut:      prometheus.NewCounter(prometheus.CounterOpts{Name: "vzip_http_cut_off_total", Help: "Answers that were not sent to their end: for a source, or because the client went away."}),
		active:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "vzip_http_requests_active", Help: "Requests that are being answered."}),
	}
	for _, c := range generation.CauseNames { // so that they are there, as 0
		m.errors.WithLabelValues(c)
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	r := prometheus.NewRegistry()
	r.MustRegister(m.requests, m.bytes, m.errors, m.cut, m.active,
		gauge("vzip_archives", "Archives that are shown.", func() float64 {
			if s := h.shown.Load(); s != nil {
				return float64(len(s.files))
			}
			return 0
		}),
		gauge("vzip_generation", "Number of the generation that is shown: it grows when a reload changes something.", func() float64 { return float64(h.State().Generation) }),
		gauge("vzip_reload_failed", "1 if the last reload failed.", func() float64 {
			if h.State().ReloadHasFailed {
				return 1
			}
			return 0
		}),
		gauge("vzip_hash_bytes", "Bytes of files whose CRC-32 was not known at the start.", func() float64 { return float64(h.State().ToHash) }),
		gauge("vzip_hashed_bytes", "Bytes of those that were read for their CRC-32.", func() float64 { return float64(h.State().Hashed) }),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	m.handler = promhttp.HandlerFor(r, promhttp.HandlerOpts{DisableCompression: true})
	return m
}

// begin counts a request, and its answer when the returned function is called.
func (m *metrics) begin() (end func(*sender)) {
	m.active.Inc()
	return func(s *sender) {
		m.active.Dec()
		if s.sent {
			m.requests.WithLabelValues(strconv.Itoa(s.code)).Inc()
		}
		if s.err != nil && s.sent && s.content != nil || s.gone {
			m.cut.Inc()
		}
	}
}

func (m *metrics) failed(err error) { m.errors.WithLabelValues(generation.CauseOf(err).String()).Inc() }
