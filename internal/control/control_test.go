package control

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// device returns a folder and the number of the file system that it is on.
func device(t *testing.T) (dir string, major, minor int) {
	t.Helper()
	dir = t.TempDir()
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		t.Fatal(err)
	}
	return dir, int(unix.Major(st.Dev)), int(unix.Minor(st.Dev))
}

func TestAsk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Setenv("TMPDIR", "/dev/shm") // a folder whose owner is believed
	}
	dir, major, minor := device(t)
	ask := func(name string) (Answer, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		return Ask(ctx, dir, name)
	}
	if _, err := ask("reload"); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), dir) {
		t.Errorf("nobody listens: got error %v, want %v", err, ErrUnreachable)
	}
	want := Answer{Message: "a\nb", ExitCode: 3, Data: json.RawMessage(`{"a":1}`)}
	release := make(chan struct{})
	time.AfterFunc(startGrace/4, func() { close(release) })
	var s *Server
	started := make(chan error, 1)
	go func() { // who asks at once waits for a moment
		<-release
		var err error
		s, err = Serve(major, minor, map[string]func(context.Context) Answer{
			"reload": func(context.Context) Answer { return want },
			"hang":   func(ctx context.Context) Answer { <-ctx.Done(); return Answer{} },
		})
		started <- err
	}()
	got, err := ask("reload")
	if startErr := <-started; startErr != nil {
		t.Fatal(startErr)
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v and error %v, want %+v", got, err, want)
	}
	if _, err := Serve(major, minor, nil); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("a second server: got error %v, want %v", err, unix.EADDRINUSE)
	}
	// As an older version, which has not all requests.
	if _, err := ask("nothing"); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), `"nothing"`) {
		t.Errorf("nothing: got error %v, want %v", err, ErrUnknown)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Ask(ctx, dir, "hang"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an answer that does not come: got error %v, want %v", err, context.DeadlineExceeded)
	}
	// A mount's number may be that of one before, whose process is about to end.
	time.AfterFunc(endGrace/4, func() {
		if err := s.Close(); err != nil && !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	next, err := Serve(major, minor, nil)
	if err != nil {
		t.Fatal(err)
	}
	next.Close()
}
