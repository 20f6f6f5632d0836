package servers

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// Rsync starts an rsync daemon with one module: rsync://Address/files/.
func Rsync(ctx context.Context, dir string) (*Server, error) {
	root, address, err := place(dir, "files")
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	user := "" // root's daemon would become nobody; who is not root stays who they are
	if os.Geteuid() == 0 {
		user = "uid = root\ngid = root\n"
	}
	config := filepath.Join(dir, "rsyncd.conf")
	err = os.WriteFile(config, fmt.Appendf(nil, "use chroot = no\nreverse lookup = no\n%s[files]\npath = %s\nread only = no\n", user, root), 0o644)
	if err != nil {
		return nil, err
	}
	s, err := start(ctx, dir, address, root, "rsync", "--daemon", "--no-detach", "--config", config, "--address", host, "--port", port)
	if err != nil {
		return nil, err
	}
	s.env = func(folder string) []string {
		return []string{"RSYNC=rsync://" + address + "/files/" + folder}
	}
	return s, nil
}
