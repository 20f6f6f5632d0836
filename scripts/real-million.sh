#!/usr/bin/env bash
# A million small files in one archive.
source "$(dirname "$0")/lib.sh"
cd "$work"
mkdir -p many zips
files=1000000
aim=256  # MiB of memory for the daemon while it serves
peak=333 # MiB at most, while it starts

say "Making $files files"
python3 - "$files" <<'PYTHON'
import os, sys
for i in range(int(sys.argv[1])):
    folder = f"many/folder-{i // 1000:04d}"
    if i % 1000 == 0:
        os.mkdir(folder)
    with open(f"{folder}/file-{i:07d}.txt", "w") as f:
        f.write(f"{i}\n")
PYTHON
cat >many.yaml <<'YAML'
version: 1
defaults:
  directories: false
archives:
  - name: many.zip
    entries:
      - source: many
YAML

say "Mounted for the first time: every file is read"
mount_layout many.yaml zips
echo "  ready after $ready s; the daemon took at most $(memory VmHWM) MiB of memory"
unmount_layout zips

say "Mounted again: CRCs are remembered"
mount_layout many.yaml zips
grep -q 'no file had to be read' vzip.log || fail "files were read again"
echo "  ready after $ready s"
run "unzip -l zips/many.zip | tail -1"
[ "$(unzip -l zips/many.zip | tail -1 | awk '{print $2}')" = "$files" ] || fail "the number of files is wrong"
run "python3 -c \"import zipfile; z = zipfile.ZipFile('zips/many.zip'); print(len(z.infolist()), 'entries;', z.read('many/folder-0777/file-0777777.txt'))\""
now=$(memory VmRSS) most=$(memory VmHWM)
echo "  the daemon takes $now MiB of memory (aim: at most $aim), and took at most $most MiB (aim: $peak)"
[ "$now" -le "$aim" ] && [ "$most" -le "$peak" ] || fail "that is more than the aim"
unmount_layout zips
