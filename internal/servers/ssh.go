package servers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
)

// SSH starts an OpenSSH server that lets this user in with a new key:
// scp -F "$SSH_CONFIG" FILE "store:$SSH_DIR/". Nothing of the user's own ~/.ssh is used.
func SSH(ctx context.Context, dir string) (*Server, error) {
	root, address, err := place(dir, "files")
	if err != nil {
		return nil, err
	}
	if os.Geteuid() == 0 { // sshd wants this folder to be there, and stay empty; it is there where a machine has sshd of its own at work
		if err := os.Mkdir("/run/sshd", 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	sshd, err := exec.LookPath("sshd") // it starts itself again, and wants to know where it is
	if err != nil {
		return nil, err
	}
	who, err := user.Current()
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	path := func(name string) string { return filepath.Join(dir, name) }
	for _, key := range []string{"host_key", "user_key"} {
		if out, err := exec.CommandContext(ctx, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path(key)).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("ssh-keygen: %w: %s", err, out)
		}
	}
	hostKey, err := os.ReadFile(path("host_key.pub"))
	if err != nil {
		return nil, err
	}
	for name, text := range map[string]string{
		"known_hosts": fmt.Sprintf("[%s]:%s %s", host, port, hostKey),
		"sshd_config": fmt.Sprintf(`ListenAddress %s
HostKey %s
AuthorizedKeysFile %s
PidFile none
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PermitUserRC no
Subsystem sftp internal-sftp
`, address, path("host_key"), path("user_key.pub")),
		"ssh_config": fmt.Sprintf(`Host store
HostName %s
Port %s
User %s
IdentityFile %s
IdentitiesOnly yes
IdentityAgent none
UserKnownHostsFile %s
GlobalKnownHostsFile none
BatchMode yes
`, host, port, who.Username, path("user_key"), path("known_hosts")),
	} {
		if err := os.WriteFile(path(name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	s, err := start(ctx, dir, address, root, sshd, "-D", "-e", "-f", path("sshd_config"))
	if err != nil {
		return nil, err
	}
	s.env = func(folder string) []string {
		return []string{"SSH_CONFIG=" + path("ssh_config"), "SSH_DIR=" + filepath.Join(root, folder)}
	}
	return s, nil
}
