package main

// client is a program that reads archives.
type client struct {
	name     string
	words    string // for bash, in an empty folder: $ARCHIVE is the archive, $NAME its name and $MNT its folder
	packages string // Debian's
	makes    product
	server   server
}

// product is what a client leaves in its folder, or at a server.
type product int

const (
	aCopy    product = iota // the archive's bytes
	tarFile                 // archive.tar with the archive as its member
	aTree                   // the entries
	aVerdict                // nothing: it only tells whether the archive is right
)

// server is where a client uploads to.
type server int

const (
	nowhere   server = iota
	ownSink          // see sink
	nginx            // ngx_http_dav_module
	s3Gateway        // versitygw, over a folder
	rsyncDaemon
	sshd // OpenSSH's
)

// s3cmd reads a file for its MD5 first, unless told not to, and each part for its SHA-256 before it is sent.
const s3cmdPut = `s3cmd put --config /dev/null --access_key="$AWS_ACCESS_KEY_ID" --secret_key="$AWS_SECRET_ACCESS_KEY" --host="$S3_ADDRESS" --host-bucket="$S3_ADDRESS" --no-ssl --no-progress `

const curlTo = `curl -sS --fail --max-time 60 -T `

// allClients are the table's rows.
var allClients = []client{
	{name: "cp", words: `cp "$ARCHIVE" .`, packages: "coreutils"},
	{name: "cat", words: `cat "$ARCHIVE" >"$NAME"`, packages: "coreutils"},
	{name: "cat to a pipe", words: `cat "$ARCHIVE" | cat >"$NAME"`, packages: "coreutils"},
	{name: "cat to a pipe, pipefail", words: `set -o pipefail; cat "$ARCHIVE" | cat >"$NAME"`, packages: "coreutils"},
	{name: "dd", words: `dd bs=1M if="$ARCHIVE" of="$NAME" status=none`, packages: "coreutils"},
	{name: "rsync", words: `rsync "$ARCHIVE" .`, packages: "rsync"},
	{name: "rsync --inplace", words: `rsync --inplace "$ARCHIVE" .`, packages: "rsync"},
	{name: "rsync -S", words: `rsync -S "$ARCHIVE" .`, packages: "rsync"},
	{name: "tar -S", words: `tar -S -C "$MNT" -cf archive.tar "$NAME"`, packages: "tar", makes: tarFile},
	{name: "bsdtar -c", words: `bsdtar -C "$MNT" -cf archive.tar "$NAME"`, packages: "libarchive-tools", makes: tarFile},
	{name: "bsdtar -x", words: `bsdtar -xf "$ARCHIVE"`, packages: "libarchive-tools", makes: aTree},
	{name: "unzip -t", words: `unzip -tq "$ARCHIVE"`, packages: "unzip", makes: aVerdict},
	{name: "unzip", words: `unzip -q "$ARCHIVE"`, packages: "unzip", makes: aTree},
	{name: "7z t", words: `7z t -bd "$ARCHIVE"`, packages: "p7zip-full", makes: aVerdict},
	{name: "7z x", words: `7z x -bd "$ARCHIVE"`, packages: "p7zip-full", makes: aTree},
	{name: "Python shutil.copyfile", words: `python3 -c 'import os, shutil; shutil.copyfile(os.environ["ARCHIVE"], os.environ["NAME"])'`, packages: "python3"},
	{name: "Python zipfile.testzip", words: `python3 -c 'import os, sys, zipfile; sys.exit(zipfile.ZipFile(os.environ["ARCHIVE"]).testzip())'`, packages: "python3", makes: aVerdict},
	{name: "curl -T FILE", words: curlTo + `"$ARCHIVE" "$HTTP/$NAME"`, packages: "curl", server: ownSink},
	{name: "curl -T FILE, nginx", words: curlTo + `"$ARCHIVE" "$NGINX/$NAME"`, packages: "curl nginx", server: nginx},
	{name: "curl -T -", words: curlTo + `- "$HTTP/$NAME" <"$ARCHIVE"`, packages: "curl", server: ownSink},
	{name: "curl -T -, nginx", words: curlTo + `- "$NGINX/$NAME" <"$ARCHIVE"`, packages: "curl nginx", server: nginx},
	{name: "aws s3 cp", words: `aws --endpoint-url "$S3" s3 cp --no-progress "$ARCHIVE" "s3://$BUCKET/$NAME"`, packages: "awscli", server: s3Gateway},
	{name: "aws s3 cp -", words: `aws --endpoint-url "$S3" s3 cp --no-progress - "s3://$BUCKET/$NAME" <"$ARCHIVE"`, packages: "awscli", server: s3Gateway},
	{name: "rclone copy", words: `rclone copy "$ARCHIVE" "gw:$BUCKET"`, packages: "rclone", server: s3Gateway},
	{name: "rclone copy, in parts", words: `rclone copy --s3-upload-cutoff 5M "$ARCHIVE" "gw:$BUCKET"`, packages: "rclone", server: s3Gateway},
	{name: "s3cmd put", words: s3cmdPut + `--disable-multipart "$ARCHIVE" "s3://$BUCKET/$NAME"`, packages: "s3cmd", server: s3Gateway},
	{name: "s3cmd put --no-check-md5, in parts", words: s3cmdPut + `--no-check-md5 --multipart-chunk-size-mb=8 "$ARCHIVE" "s3://$BUCKET/$NAME"`, packages: "s3cmd", server: s3Gateway},
	{name: "rsync, daemon", words: `rsync "$ARCHIVE" "$RSYNC/"`, packages: "rsync", server: rsyncDaemon},
	{name: "scp", words: `scp -q -F "$SSH_CONFIG" "$ARCHIVE" "store:$SSH_DIR/"`, packages: "openssh-client openssh-server", server: sshd},
	{name: "scp -O", words: `scp -q -O -F "$SSH_CONFIG" "$ARCHIVE" "store:$SSH_DIR/"`, packages: "openssh-client openssh-server", server: sshd},
	{name: "sftp", words: `echo "put $ARCHIVE $SSH_DIR/" | sftp -q -b - -F "$SSH_CONFIG" store`, packages: "openssh-client openssh-server", server: sshd},
}
