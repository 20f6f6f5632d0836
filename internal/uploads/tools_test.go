package uploads

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"vzip/internal/require"
	"vzip/internal/servers"
)

// upload is a tool and the server it uploads to.
type upload struct {
	name   string
	words  string // for bash; $ARCHIVE is the archive, $NAME its name; what the server adds is said in servers
	server func(ctx context.Context, dir string) (*servers.Server, error)
	needs  []string // programs
	parts  bool     // the object has to have come in parts
}

// Parts are small, for there to be many.
const (
	aws   = `aws --endpoint-url "$S3" s3 cp --no-progress `
	s3cmd = `s3cmd put --config /dev/null --access_key="$AWS_ACCESS_KEY_ID" --secret_key="$AWS_SECRET_ACCESS_KEY" --host="$S3_ADDRESS" --host-bucket="$S3_ADDRESS" --no-ssl --no-progress `
)

var uploadsOfTools = []upload{
	{name: "curl -T, nginx", words: `curl -sS --fail -T "$ARCHIVE" "$NGINX/$NAME"`, server: nginx, needs: []string{"curl", "nginx"}},
	{name: "aws s3 cp", words: aws + `"$ARCHIVE" "s3://$BUCKET/$NAME"`, server: s3, needs: []string{"aws", s3Server}, parts: true},
	{name: "aws s3 cp -", words: aws + `--expected-size "$("$VZIP" list --json --cache "$CACHE" "$LAYOUT" | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["size"])')" - "s3://$BUCKET/$NAME" <"$ARCHIVE"`,
		server: s3, needs: []string{"aws", s3Server, "python3"}, parts: true},
	{name: "rclone copy", words: `rclone copy --s3-upload-cutoff 16M --s3-chunk-size 8M "$ARCHIVE" "gw:$BUCKET"`, server: s3, needs: []string{"rclone", "aws", s3Server}, parts: true},
	{name: "s3cmd put", words: s3cmd + `--no-check-md5 "$ARCHIVE" "s3://$BUCKET/$NAME"`, server: s3, needs: []string{"s3cmd", "aws", s3Server}, parts: true},
	{name: "scp", words: `scp -q -F "$SSH_CONFIG" "$ARCHIVE" "store:$SSH_DIR/"`, server: servers.SSH, needs: []string{"scp", "sshd", "ssh-keygen"}},
	{name: "sftp", words: `echo "put $ARCHIVE $SSH_DIR/" | sftp -q -b - -F "$SSH_CONFIG" store`, server: servers.SSH, needs: []string{"sftp", "sshd", "ssh-keygen"}},
}

func nginx(ctx context.Context, dir string) (*servers.Server, error) {
	return servers.Nginx(ctx, dir, time.Minute)
}

func s3(ctx context.Context, dir string) (*servers.Server, error) {
	return servers.S3(ctx, s3Server, dir)
}

// What the server has is the archive, and vzip's memory stays small.
func TestUploads(t *testing.T) {
	t.Parallel()
	require.Needs(t, "fuse", "bash")
	for _, u := range uploadsOfTools {
		t.Run(u.name, func(t *testing.T) {
			t.Parallel()
			require.Needs(t, u.needs...)
			m, err := mixed()
			if err != nil {
				t.Fatal(err)
			}
			s := startServer(t, u.server)
			mount := m.mount(t)
			watch := watchMemory(t, mount.Pid)
			run(t, s, u.words, "ARCHIVE="+mount.Path(archiveName), "LAYOUT="+m.layout, "CACHE="+m.cache)
			watch.check(t, u.name)
			if got := sumOf(t, filepath.Join(s.Root, folder, archiveName)); got != m.sum {
				t.Errorf("the server has SHA-256 %s, want %s", got, m.sum)
			}
			if u.parts {
				inParts(t, s)
			}
		})
	}
}

// folder is the one below a server's root, or bucket, that is uploaded to.
const folder = "archives"

func startServer(t *testing.T, start func(ctx context.Context, dir string) (*servers.Server, error)) *servers.Server {
	t.Helper()
	s, err := start(context.Background(), t.TempDir()) // not the test's context: it ends before the clean-up, by which the server ends in peace
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	if err := os.Mkdir(filepath.Join(s.Root, folder), 0o755); err != nil {
		t.Fatal(err)
	}
	return s
}

// patience is how long a tool may take on a busy machine.
const patience = 5 * time.Minute

// run runs a tool's words and returns what it said.
func run(t *testing.T, s *servers.Server, words string, env ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	home := t.TempDir()
	cmd := exec.CommandContext(ctx, "bash", "-euc", "set -o pipefail; "+words)
	cmd.Dir = home
	// All that a tool obeys is here. Debian's are taken, also where others stand before them.
	cmd.Env = append(s.Env(folder), "PATH=/usr/bin:/bin:/usr/sbin:/sbin:"+os.Getenv("PATH"), "HOME="+home, "TMPDIR="+home, "LC_ALL=C.UTF-8", "TZ=UTC", "VZIP="+vzip.Path, "NAME="+archiveName)
	cmd.Env = append(cmd.Env, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	begin := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s; the server said: %s", err, out, s.Log())
	}
	t.Logf("%.1f s", time.Since(begin).Seconds())
	return string(out)
}

// partsTag is the ETag of an object that came in two parts or more.
var partsTag = regexp.MustCompile(`"ETag": "\\"[0-9a-f]{32}-([2-9]|\d\d+)\\""`)

// inParts asks the server whether the object came in parts.
func inParts(t *testing.T, s *servers.Server) {
	t.Helper()
	head := run(t, s, `aws --endpoint-url "$S3" s3api head-object --bucket "$BUCKET" --key "$NAME"`)
	if !partsTag.MatchString(head) {
		t.Errorf("the object did not come in parts: %s", strings.TrimSpace(head))
	}
}
