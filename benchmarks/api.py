"""`python -m benchmarks.api PORT RECORDS`: a JSON API with so many orders, 1,000 a page, as fast as Python serves it.

Its pages are made beforehand, and connections stay open, so that what is measured is who asks.
"""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from urllib.error import URLError
from urllib.parse import parse_qs, urlsplit

from windlass.ports import free_port

__all__ = ["serving"]

PAGE = 1000


@contextmanager
def serving(records: int) -> Iterator[str]:
    """The address of an API with so many orders, for the length of the block."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.api", str(port), str(records)])
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(f"{address}/orders")
        yield address
    finally:
        process.terminate()
        process.wait()


def _wait(url: str) -> None:
    for _ in range(1200):
        try:
            urllib.request.urlopen(url).close()
        except URLError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"{url} does not answer")


def _order(number: int) -> dict[str, object]:
    return {
        "id": number,
        "customer": {"id": number % 5000, "name": f"customer {number % 5000}"},
        "amount": round(number * 1.37, 2),
        "status": ("new", "paid", "sent")[number % 3],
        "created_at": (datetime(2024, 1, 1) + timedelta(seconds=number)).isoformat() + "Z",
        "note": f"order {number} of the day",
        "gift": number % 2 == 0,
    }


def _pages(records: int) -> list[bytes]:
    """All pages, the last one empty."""
    starts = range(1, records + 1, PAGE)
    orders = [[_order(n) for n in range(start, min(start + PAGE, records + 1))] for start in starts]
    return [json.dumps({"data": page, "total": records}).encode() for page in (*orders, [])]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body go out together
    pages: list[bytes]

    def do_GET(self) -> None:
        number = int(parse_qs(urlsplit(self.path).query).get("page", ["1"])[0])
        body = self.pages[min(number, len(self.pages)) - 1]
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody wants to know."""


if __name__ == "__main__":
    _Handler.pages = _pages(int(sys.argv[2]))
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), _Handler).serve_forever()
