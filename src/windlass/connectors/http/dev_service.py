"""The dev service of an HTTP API that serves files: Python's own server over a folder of the project.

It runs as a process of its own (`python -m windlass.connectors.http.dev_service FOLDER`), prints its port, and
understands byte ranges, so that downloads from it can be resumed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from windlass import logs
from windlass.connections import Address
from windlass.devservices import DevService
from windlass.devservices.running import is_running, note_port, noted_port
from windlass.errors import Code, FatalError
from windlass.ports import is_loopback
from windlass.processes import last_words
from windlass.processes.launch import launch

__all__ = ["start"]

_left_running: list[subprocess.Popen[bytes]] = []
"""The launchers, which may outlive this process: Python warns of a process that nobody holds."""


def start(service: DevService) -> Address:
    """The address of the server; started unless it runs already. Raises FatalError without `serve`."""
    serve = service.options.serve
    if serve is None:
        hint = f"say which files to serve (`dev: {{serve: folder}}`), or set WINDLASS_CONN_{service.name.upper()}"
        raise FatalError(
            f"connection {service.name!r} is not configured, and there is nothing to serve",
            hint=hint,
            code=Code.DEV_SERVICE,
        )
    folder = service.project / serve
    if not folder.is_dir():
        raise FatalError(
            f"connection {service.name!r}: there is no folder {serve!r} to serve", code=Code.DEV_SERVICE
        )
    if not is_running(service):
        port = _launch(service, folder)
        note_port(service, port)
        logs.info("dev_service_started", connection=service.name, type="http", port=port)
    return Address("http", "127.0.0.1", noted_port(service), scheme="http", origin="a dev service")


def _launch(service: DevService, folder: Path) -> int:
    command = (sys.executable, "-m", "windlass.connectors.http.dev_service", str(folder))
    process = launch(
        command, service.users_lock, shared_by_users=True, alive=service.alive_lock, output=subprocess.PIPE
    )
    assert process.stdout is not None
    line = process.stdout.readline().decode()
    if not line.strip().isdigit():
        said = last_words(line + process.stdout.read().decode(errors="replace"), process.wait())
        raise FatalError(f"the dev service of {service.name!r} did not start:{said}", code=Code.DEV_SERVICE)
    _left_running.append(process)
    return int(line)


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
        if not _is_this_machine(urlsplit(f"//{self.headers.get('Host', '')}").hostname):
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


def _is_this_machine(host: str | None) -> bool:
    """Whether it is loopback; or what a container calls this machine, which is an address, or a name that no domain has."""
    if is_loopback(host) or (host or "").endswith(".internal"):
        return True
    try:
        ip_address(host or "")
    except ValueError:
        return False
    return True


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
