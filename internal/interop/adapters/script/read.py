"""Prints the entries of a ZIP archive as Python's own modules read them.

usage: read.py zipfile|zipimport ARCHIVE
"""

import calendar
import hashlib
import stat
import sys
import zipfile
import zipimport

PIECE = 1 << 18


def by_zipfile(archive):
    with zipfile.ZipFile(archive) as z:
        for info in z.infolist():
            mode = info.external_attr >> 16
            line = {
                "name": info.filename.encode().hex(),
                "type": "d" if info.is_dir() else "l" if stat.S_ISLNK(mode) else "f",
                "size": info.file_size,
                "crc": f"{info.CRC:08x}",
                "mode": f"{mode:o}",
                "mtime": calendar.timegm(info.date_time),
            }
            if not info.is_dir():
                sha = hashlib.sha256()
                with z.open(info) as data:
                    while piece := data.read(PIECE):
                        sha.update(piece)
                line["sha"] = sha.hexdigest()
            yield line


def by_zipimport(archive):
    importer = zipimport.zipimporter(archive)
    # The table is the only list of names that the importer has: a tuple of path, method,
    # compressed size, size, offset, DOS time, DOS date and CRC-32 for each.
    for name, (_, _, _, size, _, time, date, crc) in importer._files.items():
        directory = name.endswith("/")
        line = {
            "name": name.encode().hex(),
            "type": "d" if directory else "f",
            "size": size,
            "crc": f"{crc:08x}",
            "mtime": int(zipimport._parse_dostime(date, time)),
        }
        if not directory:
            line["sha"] = hashlib.sha256(importer.get_data(name)).hexdigest()
        yield line


def main():
    reader, archive = sys.argv[1:]
    show({"zipfile": by_zipfile, "zipimport": by_zipimport}[reader](archive))


def show(lines):
    for line in lines:
        print(*(f"{key}={value}" for key, value in line.items()))


def run(main):
    try:
        main()
    except Exception as e:
        sys.exit(f"{type(e).__name__}: {e}")


if __name__ == "__main__":
    run(main)
