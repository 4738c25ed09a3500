"""A web server of this machine for webhooks: it keeps what is posted to it."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Web", "hooks"]


@dataclass
class Web:
    """Keeps what is posted to it, and answers as it is told to."""

    port: int = 0
    status: int = 200
    answer: str = "ok"
    busy: list[str] = field(default_factory=list)
    """The `Retry-After` of each answer 429 that comes first."""

    posted: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    """Path, headers by their lower case, JSON."""


@contextmanager
def hooks() -> Iterator[Web]:
    """Such a server, up inside the block."""
    kept = Web()

    class Handler(http.server.BaseHTTPRequestHandler):
        def _take(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            kept.posted.append((f"{self.command} {self.path}", headers, json.loads(body)))
            self.send_response(429 if kept.busy else kept.status)
            if kept.busy:
                self.send_header("Retry-After", kept.busy.pop(0))
            self.send_header("Content-Length", str(len(kept.answer)))
            self.end_headers()
            self.wfile.write(kept.answer.encode())

        do_POST = do_PUT = _take  # noqa: N815 # names of the library

        def log_message(self, *_: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        kept.port = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield kept
        server.shutdown()
