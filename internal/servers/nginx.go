package servers

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Nginx starts nginx with ngx_http_dav_module, which keeps what is PUT to
// http://Address/. It waits for so long, at least a second, for a client that sends nothing.
func Nginx(ctx context.Context, dir string, patience time.Duration) (*Server, error) {
	root, address, err := place(dir, "files")
	if err != nil {
		return nil, err
	}
	user := "" // who is not root stays who they are
	if os.Geteuid() == 0 {
		user = "user root; "
	}
	config := fmt.Sprintf(`daemon off; %sworker_processes 1; pid nginx.pid; error_log error.log;
events {}
http {
  access_log off; client_body_temp_path temp;
  proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server { listen %s; root files; dav_methods PUT; client_max_body_size 0; client_body_timeout %ds; }
}
`, user, address, patience/time.Second)
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(config), 0o644); err != nil {
		return nil, err
	}
	s, err := start(ctx, dir, address, root, "nginx", "-p", dir, "-e", "error.log", "-c", "nginx.conf")
	if err != nil {
		return nil, err
	}
	s.env = func(folder string) []string {
		return []string{"NGINX=http://" + address + "/" + folder}
	}
	return s, nil
}
