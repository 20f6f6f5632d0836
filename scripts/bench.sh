#!/usr/bin/env bash
# Measures vzip against other programs that do the same work, in one run and
# interleaved. Machines differ and are noisy: the ratios count, not the seconds.
source "$(dirname "$0")/lib.sh"
cd "$work"
VZIP=$vzip python3 - <<'PYTHON'
import mmap, os, random, shutil, statistics, subprocess, time

VZIP, ROUNDS = os.environ["VZIP"], 7


def command(text):
    """Runs a shell command; returns its seconds and its CPU seconds."""
    before, begin = os.times(), time.perf_counter()
    subprocess.run(text, shell=True, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    took, after = time.perf_counter() - begin, os.times()
    return took, after.children_user + after.children_system - before.children_user - before.children_system


class Mount:
    """A mount whose page cache is empty; its CPU counts as well."""

    def __init__(self, layout, flags=()):
        self.layout, self.flags = layout, flags

    def __enter__(self):
        self.daemon = subprocess.Popen([VZIP, "mount", "--quiet", *self.flags, self.layout, "zips"])
        while not os.path.ismount("zips"):
            time.sleep(0.01)
        return self

    def __exit__(self, *_):
        subprocess.run([VZIP, "umount", "zips"], check=True)
        self.daemon.wait()

    def cpu(self):
        fields = open(f"/proc/{self.daemon.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def mounted(layout, text, *flags):
    def run():
        with Mount(layout, flags) as m:
            before = m.cpu()
            took, used = command(text) if isinstance(text, str) else text()
            return took, used + m.cpu() - before
    return run


def random_reads(path, span, count):
    """Reads 4 KiB at random offsets below span, past the kernel's cache of the mount."""
    def run():
        before, begin = os.times(), time.perf_counter()
        buffer, pick = mmap.mmap(-1, 4096), random.Random(1)
        fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
        for _ in range(count):
            if os.preadv(fd, [buffer], pick.randrange(span // 4096) * 4096) != 4096:
                raise SystemExit(f"{path}: a short read")
        os.close(fd)
        after = os.times()
        return time.perf_counter() - begin, after.user + after.system - before.user - before.system
    return run


def table(title, bytes, rows):
    """Runs the rows in turn, and prints medians and ratios to the first row."""
    results = {name: [] for name, _ in rows}
    for name, run in rows:
        run()  # to warm up
    for _ in range(ROUNDS):
        for name, run in rows:
            results[name].append(run())
    print(f"\n{title}")
    print(f"  {'':44} {'GB/s':>7} {'CPU s/GB':>9} {'time to first':>14}")
    base = statistics.median(t for t, _ in results[rows[0][0]])
    for name, _ in rows:
        t = statistics.median(t for t, _ in results[name])
        cpu = statistics.median(c for _, c in results[name])
        print(f"  {name:44} {bytes / 1e9 / t:7.2f} {cpu / bytes * 1e9:9.2f} {t / base:14.3f}")


def layout(name, folder):
    open(f"{name}.yaml", "w").write(f"version: 1\narchives: [{{name: {name}.zip, entries: [{{source: {folder}}}]}}]\n")


def hash_all(text):
    def run():
        shutil.rmtree("bench-cache", ignore_errors=True)
        return command(text)
    return run


os.mkdir("zips")
os.mkdir("large")
block = os.urandom(1 << 20)
for i in range(8):
    with open(f"large/{i}", "wb") as f:
        for _ in range(128):
            f.write(block)
os.mkdir("small")
for i in range(20000):
    with open(f"small/{i:05d}", "wb") as f:
        f.write(block[:16384])
layout("large", "large")
layout("small", "small")
large, small = 8 * 128 << 20, 20000 * 16384
command(f"{VZIP} hash large.yaml; {VZIP} hash small.yaml")
print(f"{os.cpu_count()} cores; everything in the page cache; medians of {ROUNDS} rounds, interleaved")

table("Reading an archive of 8 files of 128 MiB", large, [
    ("cat of the sources", lambda: command("cat large/* | cat >/dev/null")),
    ("cat of the virtual archive", mounted("large.yaml", "cat zips/large.zip | cat >/dev/null")),
    ("dd bs=1M of the virtual archive", mounted("large.yaml", "dd if=zips/large.zip bs=1M status=none | cat >/dev/null")),
    ("vzip cat", lambda: command(f"{VZIP} cat large.yaml large.zip | cat >/dev/null")),
])
table("Reading an archive of 20,000 files of 16 KiB", small, [
    ("cat of the sources", lambda: command("cat small/* | cat >/dev/null")),
    ("cat of the virtual archive", mounted("small.yaml", "cat zips/small.zip | cat >/dev/null")),
    ("vzip cat", lambda: command(f"{VZIP} cat small.yaml small.zip | cat >/dev/null")),
])
cat = "cat zips/large.zip >/dev/null"
table("Checking every block, sequential, 8 files of 128 MiB", large, [
    ("--verify stat", mounted("large.yaml", cat, "--verify", "stat")),
    ("--verify crc, the default", mounted("large.yaml", cat)),
])
cat = "cat zips/small.zip >/dev/null"
table("Checking every block, sequential, 20,000 files of 16 KiB", small, [
    ("--verify stat", mounted("small.yaml", cat, "--verify", "stat")),
    ("--verify crc, the default", mounted("small.yaml", cat)),
])
reads = 20000
for where, span in [("the same 4 MiB", 4 << 20), ("all of it", large)]:
    table(f"Checking every block, {reads} reads of 4 KiB anywhere in {where}", reads * 4096, [
        ("--verify stat", mounted("large.yaml", random_reads("zips/large.zip", span, reads), "--verify", "stat")),
        ("--verify crc, the default", mounted("large.yaml", random_reads("zips/large.zip", span, reads))),
    ])
table("CRC-32 of 8 files of 128 MiB", large, [
    ("7z h -scrcCRC32", lambda: command("7z h -scrcCRC32 large")),
    ("vzip hash", hash_all(f"{VZIP} hash --cache bench-cache large.yaml")),
])
table("CRC-32 of 20,000 files of 16 KiB", small, [
    ("7z h -scrcCRC32", lambda: command("7z h -scrcCRC32 small")),
    ("vzip hash", hash_all(f"{VZIP} hash --cache bench-cache small.yaml")),
])
table("From 8 files of 128 MiB to a ZIP that can be read", large, [
    ("zip -0 -r", lambda: command("rm -f out.zip; zip -0 -q -r out.zip large")),
    ("7z a -tzip -mx0", lambda: command("rm -f out.zip; 7z a -tzip -mx0 out.zip large")),
    ("vzip mount, nothing remembered", hash_all(f"{VZIP} exec --cache bench-cache large.yaml -- true")),
    ("vzip mount, CRCs remembered", lambda: command(f"{VZIP} exec large.yaml -- true")),
    ("vzip exec: mount and cp, CRCs remembered", lambda: command(f"rm -f out.zip; {VZIP} exec large.yaml -- sh -c 'cp $VZIP_MOUNT/large.zip out.zip'")),
])
PYTHON
