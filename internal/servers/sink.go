package servers

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"time"
)

// Sink is an HTTP server that keeps what is PUT to it, if all of it came: as many
// bytes as Content-Length says, or a body that ends as a chunked one has to.
type Sink struct {
	Dir      string
	Patience time.Duration // with a client that sends nothing
}

func (s *Sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPut {
		http.Error(w, "PUT alone", http.StatusMethodNotAllowed)
		return
	}
	if err := s.store(w, r); err != nil {
		w.Header().Set("Connection", "close")
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusCreated)
}

func (s *Sink) store(w http.ResponseWriter, r *http.Request) error {
	name := filepath.Join(s.Dir, filepath.FromSlash(path.Clean("/"+r.URL.Path)))
	f, err := os.Create(name + ".part")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	n, err := io.Copy(f, &patientBody{r.Body, http.NewResponseController(w), s.Patience})
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if r.ContentLength >= 0 && n != r.ContentLength {
		return fmt.Errorf("%d bytes instead of %d", n, r.ContentLength)
	}
	return os.Rename(f.Name(), name)
}

// patientBody reads a body, and waits for each part of it for a while.
type patientBody struct {
	body       io.Reader
	controller *http.ResponseController
	patience   time.Duration
}

func (p *patientBody) Read(b []byte) (int, error) {
	if err := p.controller.SetReadDeadline(time.Now().Add(p.patience)); err != nil {
		return 0, err
	}
	return p.body.Read(b)
}
