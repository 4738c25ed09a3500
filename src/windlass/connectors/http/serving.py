"""Python's own server over a folder. It understands byte ranges, so that downloads from it can be resumed."""

from __future__ import annotations

import os
import re
import sys
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any

from windlass.ports import is_for_this_machine

__all__ = ["RangeHandler"]


class RangeHandler(SimpleHTTPRequestHandler):
    """Files of a folder, and parts of them (RFC 9110, section 14, single ranges with a known start).

    It serves what is in the folder, not what links in it lead to elsewhere. It answers who asks for this machine by
    a name or an address that nobody else can have: a page of a stranger's whose name was made to lead here asks for
    that (DNS rebinding).
    """

    protocol_version = "HTTP/1.1"
    _range: tuple[int, int] | None = None

    def send_head(self) -> Any:
        self._range = None
        if not is_for_this_machine(self.headers.get("Host", "")):
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return None
        if not _is_within(Path(self.directory), Path(self.translate_path(self.path))):
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        path = Path(self.translate_path(self.path))
        if match is None or not path.is_file():
            return super().send_head()
        size = path.stat().st_size
        first, last = int(match[1]), min(int(match[2] or size), size - 1)
        if first > last:
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self.send_header("Content-Range", f"bytes */{size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        file = path.open("rb")
        file.seek(first)
        self._range = (first, last)
        self.send_response(HTTPStatus.PARTIAL_CONTENT)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("Last-Modified", self.date_time_string(int(path.stat().st_mtime)))
        self.end_headers()
        return file

    def end_headers(self) -> None:
        self.send_header("Accept-Ranges", "bytes")
        super().end_headers()

    def copyfile(self, source: IO[bytes], outputfile: IO[bytes]) -> None:  # type: ignore[override]
        if self._range is None:
            return super().copyfile(source, outputfile)
        left = self._range[1] - self._range[0] + 1
        while left > 0 and (chunk := source.read(min(left, 1 << 16))):
            outputfile.write(chunk)
            left -= len(chunk)
        return None

    def log_message(self, *_: object) -> None:
        return


def _is_within(folder: Path, path: Path) -> bool:
    """Whether a path, and what is served where it is a folder, is below the folder once all links are followed."""
    try:
        served = (path, path / "index.html", path / "index.htm")
        return all(file.resolve().is_relative_to(folder.resolve()) for file in served)
    except (OSError, ValueError, RuntimeError):  # a NUL, a link to itself
        return False


def main(folder: str) -> None:
    """Serve until stopped."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(RangeHandler, directory=folder)) as server:
        os.write(1, f"{server.server_port}\n".encode())
        server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
