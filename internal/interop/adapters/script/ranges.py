"""Prints the entries of a ZIP archive that zipfile reads over HTTP, a range at a time.

usage: ranges.py URL
"""

import http.client
import io
import sys
import urllib.parse
import zipfile

import read

BUFFER = 1 << 20  # bytes of a request, at least, but for the last


class RangeFile(io.RawIOBase):
    """A file whose reads are requests for one range each, over one connection."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.path, self.at = parts.path, 0
        self.connection = http.client.HTTPConnection(parts.netloc, timeout=300)
        head = self.ask("HEAD", 200, {})
        head.read()
        self.size, self.tag = int(head.headers["Content-Length"]), head.headers["ETag"]

    def ask(self, method, status, fields):
        self.connection.request(method, self.path, headers=fields)
        response = self.connection.getresponse()
        if response.status != status or response.headers["Accept-Ranges"] != "bytes":
            raise OSError(f"{method}: {response.status} {response.reason}")
        return response

    def readable(self):
        return True

    def seekable(self):
        return True

    def seek(self, offset, whence=io.SEEK_SET):
        self.at = offset + (0, self.at, self.size)[whence]
        return self.at

    def tell(self):
        return self.at

    def readinto(self, buffer):
        end = min(self.at + len(buffer), self.size)
        if end <= self.at:
            return 0
        response = self.ask("GET", 206, {"Range": f"bytes={self.at}-{end - 1}", "If-Match": self.tag})
        got, want = response.headers["Content-Range"], f"bytes {self.at}-{end - 1}/{self.size}"
        data = response.read()
        if got != want or len(data) != end - self.at:
            raise OSError(f"{len(data)} bytes, {got}, in place of {want}")
        buffer[: len(data)] = data
        self.at = end
        return len(data)


def main():
    file = RangeFile(sys.argv[1])
    with zipfile.ZipFile(io.BufferedReader(file, BUFFER)) as z:
        # An entry by itself, from the end to the front, before all in order.
        for info in reversed(z.infolist()[-3:]):
            with z.open(info) as data:
                while data.read(BUFFER):
                    pass
    read.show(read.by_zipfile(io.BufferedReader(file, BUFFER)))


read.run(main)
