#!/usr/bin/env bash
# Two sparse disk images of 70 GB and 85 GB in one archive, their folders renamed.
source "$(dirname "$0")/lib.sh"
cd "$work"
mkdir -p nightly-win nightly-lin zips
limit=64 # MiB of memory that the daemon may take

say "Two sparse images with a few hundred MB of data at many places"
python3 - <<'PYTHON'
import random
rnd = random.Random(20)
for name, size in (("nightly-win/disk.vhdx", 70 * 10**9), ("nightly-lin/disk.vhdx", 85 * 10**9)):
    with open(name, "wb") as f:
        f.truncate(size)
        for place in range(150):
            f.seek(rnd.randrange(size - 2**21))
            f.write(rnd.randbytes(rnd.randrange(1, 2**21)))
        f.seek(0)
        f.write(b"first")
        f.seek(size - 4)
        f.write(b"last")
PYTHON
run "ls -l nightly-*/disk.vhdx && du -sh nightly-*"
cat >vm.yaml <<'YAML'
version: 1
archives:
  - name: vm-images.zip
    entries:
      - source: nightly-win
        as: images/windows
      - source: nightly-lin
        as: images/linux
YAML

say "Mounted"
mount_layout vm.yaml zips
run "cat vzip.log"
run "stat -c '%s bytes, %b blocks of 512 bytes' zips/vm-images.zip"
echo "  ready after $ready s"

say "What others see in it"
run "unzip -l zips/vm-images.zip"
run "zipinfo -v zips/vm-images.zip | grep -E 'compressed size:|ZIP64|32-bit CRC|offset of local header' | sort | uniq -c | sort -rn | head -20"
run "7z l zips/vm-images.zip | tail -6"

say "Twenty reads of 1 MiB at random offsets of each image, and both ends"
python3 - <<'PYTHON' || fail "the archive differs from its sources"
import os, random, struct, zipfile
sources = {"images/windows/disk.vhdx": "nightly-win/disk.vhdx", "images/linux/disk.vhdx": "nightly-lin/disk.vhdx"}
rnd = random.SystemRandom()
archive = open("zips/vm-images.zip", "rb", buffering=0)
z = zipfile.ZipFile("zips/vm-images.zip")
for name, source in sources.items():
    info = z.getinfo(name)
    assert info.file_size == os.path.getsize(source), name
    archive.seek(info.header_offset)
    header = archive.read(30)
    data = info.header_offset + 30 + sum(struct.unpack("<HH", header[26:30]))
    size, n = info.file_size, 2**20
    f = open(source, "rb", buffering=0)
    # Half of the places hold data: the others are mostly holes.
    places = [rnd.randrange(size - n) for _ in range(10)]
    places += [max(0, min(os.lseek(f.fileno(), rnd.randrange(size * 9 // 10), os.SEEK_DATA) + rnd.randrange(-1000, 1000), size - n)) for _ in range(10)]
    zeros = 0
    for off in places + [0, size - n]:
        want, got = os.pread(f.fileno(), n, off), os.pread(archive.fileno(), n, data + off)
        assert len(got) == n and got == want, f"{name} differs at {off}"
        zeros += not any(want)
    print(f"    {name}: {len(places) + 2} reads equal the source ({zeros} of them holes), CRC-32 {info.CRC:08x}")
PYTHON

say "Copies by programs that look for holes"
timed() {
	local begin=$EPOCHREALTIME
	run "$1"
	python3 -c "print(f'    {$EPOCHREALTIME - $begin:.1f} s')"
}
timed "cp --sparse=auto zips/vm-images.zip copy.zip"
timed "tar -C zips -Scf copy.tar vm-images.zip"
mkdir tar
timed "tar -C tar -Sxf copy.tar"
run "du -h --apparent-size zips/vm-images.zip && du -h zips/vm-images.zip copy.zip copy.tar tar/vm-images.zip"
python3 - <<'PYTHON' || fail "a copy differs from the archive"
import os
def data(fd):
    at, size = 0, os.fstat(fd).st_size
    while at < size:
        try:
            at = os.lseek(fd, at, os.SEEK_DATA)
        except OSError: # ENXIO: a hole up to the end
            return
        end = os.lseek(fd, at, os.SEEK_HOLE)
        yield from ((off, min(1 << 20, end - off)) for off in range(at, end, 1 << 20))
        at = end
archive = os.open("zips/vm-images.zip", os.O_RDONLY)
for name in "copy.zip", "tar/vm-images.zip":
    copy, total = os.open(name, os.O_RDONLY), 0
    assert os.fstat(copy).st_size == os.fstat(archive).st_size
    for fd in archive, copy: # what is data in neither of them is zeros in both
        for off, n in data(fd):
            assert os.pread(copy, n, off) == os.pread(archive, n, off), f"{name} differs at {off}"
            total += n
    print(f"    {name}: {total} bytes that are data in it, or in the archive, are equal")
PYTHON

peak=$(memory VmHWM)
echo
echo "  the daemon took at most $peak MiB of memory (limit $limit)"
[ "$peak" -lt "$limit" ] || fail "that is too much"
unmount_layout zips
