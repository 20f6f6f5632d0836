package servers

import (
	"context"
	"debug/buildinfo"
	"path/filepath"
)

// s3Key and s3Secret are those of the S3 server.
const s3Key, s3Secret = "uploader", "uploader-secret"

// S3 starts versitygw, an S3 server over a folder: its folders are buckets. rclone
// finds it as the remote gw.
func S3(ctx context.Context, program, dir string) (*Server, error) {
	root, address, err := place(dir, "buckets")
	if err != nil {
		return nil, err
	}
	program, err = filepath.Abs(program)
	if err != nil {
		return nil, err
	}
	s, err := start(ctx, dir, address, root, program, "--access", s3Key, "--secret", s3Secret, "--port", address, "--quiet", "posix", root)
	if err != nil {
		return nil, err
	}
	s.env = func(folder string) []string {
		url := "http://" + address
		return []string{
			"S3=" + url, "S3_ADDRESS=" + address, "BUCKET=" + folder,
			"AWS_ACCESS_KEY_ID=" + s3Key, "AWS_SECRET_ACCESS_KEY=" + s3Secret, "AWS_DEFAULT_REGION=us-east-1",
			"RCLONE_CONFIG_GW_TYPE=s3", "RCLONE_CONFIG_GW_PROVIDER=Other", "RCLONE_CONFIG_GW_ENV_AUTH=true",
			"RCLONE_CONFIG_GW_ENDPOINT=" + url, "RCLONE_S3_NO_CHECK_BUCKET=true", "RCLONE_CONFIG=/dev/null",
		}
	}
	return s, nil
}

// S3Version returns the S3 server's name and version.
func S3Version(program string) string {
	if info, err := buildinfo.ReadFile(program); err == nil {
		return "versitygw " + info.Main.Version
	}
	return "versitygw"
}
