"""A web server with one file, that is at times a bad one."""

from __future__ import annotations

import hashlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["CONTENT", "SHA256", "Handler", "Server"]

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT; breaks off its first answers after some bytes, and notes what it was asked for."""

    etag = '"one"'
    content = CONTENT
    breaks_off_after: list[int]
    asked: list[str]
    paths: list[str]
    status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/file"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.server.asked.append(wanted)
        self.server.paths.append(self.path)
        if self.server.status != 200:
            self.send_error(self.server.status)
            return
        first = 0
        if wanted and self.headers.get("If-Range") == self.server.etag:
            first = int(wanted.removeprefix("bytes=").rstrip("-"))
        rest = self.server.content[first:]
        self.send_response(206 if first else 200)
        self.send_header("ETag", self.server.etag)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        cut = self.server.breaks_off_after.pop(0) if self.server.breaks_off_after else len(rest)
        self.wfile.write(rest[:cut])

    def log_message(self, *_: object) -> None:
        return
