#!/usr/bin/env bash
# 5 GiB of text in one compressed archive: sizes that need ZIP64, in a file that does not.
source "$(dirname "$0")/lib.sh"
cd "$work"
mkdir -p logs zips
limit=256 # MiB of memory that the daemon may take

say "5 GiB of log, a small file, and one of noise"
python3 - <<'PYTHON'
import random
rnd = random.Random(20)
lines = [f"2026-01-31T12:{rnd.randrange(60):02}:{rnd.randrange(60):02}Z host-{rnd.randrange(9)} app: request {rnd.randrange(10**9)} took {rnd.randrange(5000)} ms\n" for _ in range(200_000)]
size = 0
with open("logs/app.log", "w") as f:
    while size < 5 << 30:
        part = "".join(rnd.choices(lines, k=100_000))
        f.write(part)
        size += len(part)
with open("logs/noise", "wb") as f:
    f.write(rnd.randbytes(3 << 20))
with open("logs/small", "w") as f:
    f.write("hello\n")
PYTHON
run "ls -l logs"
cat >text.yaml <<'YAML'
version: 1
archives:
  - name: text.zip
    method: auto
    entries: [source: logs]
YAML

say "Compressed once, for the sizes alone"
run "\"$vzip\" hash text.yaml"
run "$vzip list text.yaml text.zip"

say "Mounted, and tested by others"
mount_layout text.yaml zips
run "stat -c '%s bytes' zips/text.zip"
run "zipinfo -v zips/text.zip logs/app.log | grep -E 'compress|ZIP64|32-bit CRC|version'"
run "unzip -tq zips/text.zip"
run "7z t zips/text.zip | tail -6"
run "python3 -m zipfile -t zips/text.zip"
run "bsdtar -xOf zips/text.zip logs/app.log | cmp - logs/app.log"
run "bsdtar -xOf - <zips/text.zip logs/app.log | cmp - logs/app.log"

peak=$(memory VmHWM)
echo
echo "  the daemon took at most $peak MiB of memory (limit $limit)"
[ "$peak" -lt "$limit" ] || fail "that is too much"
unmount_layout zips
