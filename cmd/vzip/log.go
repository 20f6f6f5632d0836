package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"log/syslog"
	"strings"
	"sync"
	"sync/atomic"

	"vzip/internal/oneline"
)

// swapHandler is the handler behind the program's logger. A daemon changes it
// when it leaves the terminal, while reads are already being served.
type swapHandler struct{ now atomic.Pointer[slog.Handler] }

func (h *swapHandler) swap(to slog.Handler) { h.now.Store(&to) }

func (h *swapHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return (*h.now.Load()).Enabled(ctx, l)
}

func (h *swapHandler) Handle(ctx context.Context, r slog.Record) error {
	return (*h.now.Load()).Handle(ctx, r)
}

func (h *swapHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return (*h.now.Load()).WithAttrs(attrs)
}

func (h *swapHandler) WithGroup(name string) slog.Handler { return (*h.now.Load()).WithGroup(name) }

// warn tells the user what stops nothing.
func (a *app) warn(s string) { a.log.Warn(s) }

func newHandler(format string, w io.Writer, level slog.Level) (slog.Handler, error) {
	switch format {
	case "text":
		return newTextHandler(w, level), nil
	case "json":
		return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}), nil
	}
	return nil, usageError("--log-format %q is not known: use text or json", format)
}

// textHandler writes messages as people read them: "vzip: message", with each
// line of a longer message on its own, so that "file:line:column:" can be
// clicked on.
type textHandler struct {
	mu    *sync.Mutex
	w     io.Writer
	level slog.Level
	attrs []slog.Attr
}

func newTextHandler(w io.Writer, level slog.Level) *textHandler {
	return &textHandler{mu: new(sync.Mutex), w: w, level: level}
}

func (h *textHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }

func (h *textHandler) Handle(_ context.Context, r slog.Record) error {
	var b bytes.Buffer
	prefix := "vzip: "
	if r.Level == slog.LevelWarn {
		prefix = "vzip: warning: "
	}
	for line := range strings.SplitSeq(r.Message, "\n") {
		b.WriteString(prefix)
		b.WriteString(oneline.Text(line))
		attr := func(a slog.Attr) bool {
			fmt.Fprintf(&b, " %s=%v", a.Key, a.Value)
			return true
		}
		for _, a := range h.attrs {
			attr(a)
		}
		r.Attrs(attr)
		b.WriteByte('\n')
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := h.w.Write(b.Bytes())
	return err
}

func (h *textHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.attrs = append(with.attrs[:len(with.attrs):len(with.attrs)], attrs...)
	return &with
}

func (h *textHandler) WithGroup(string) slog.Handler { return h }

// syslogHandler hands messages to the system's log, which stamps them itself.
type syslogHandler struct {
	*textHandler
	log *syslog.Writer
}

func newSyslogHandler(level slog.Level) (slog.Handler, error) {
	w, err := syslog.New(syslog.LOG_DAEMON|syslog.LOG_INFO, "vzip")
	if err != nil {
		return nil, err
	}
	return &syslogHandler{newTextHandler(w, level), w}, nil
}

func (h *syslogHandler) Handle(_ context.Context, r slog.Record) error {
	switch {
	case r.Level >= slog.LevelError:
		return h.log.Err(r.Message)
	case r.Level >= slog.LevelWarn:
		return h.log.Warning(r.Message)
	case r.Level >= slog.LevelInfo:
		return h.log.Info(r.Message)
	}
	return h.log.Debug(r.Message)
}
