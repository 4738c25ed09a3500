"""A JSON API, whose pages have two records each."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from windlass.connections import Address
from windlass.plan.model import Source
from windlass.testing import Copier, Kit, Row, record, source_of

_PAGE = 2


class _Api(ThreadingHTTPServer):
    """Lists of records, by their paths."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lists: dict[str, list[Row]] = {}


class _Handler(BaseHTTPRequestHandler):
    server: _Api

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        begin = (int(parse_qs(parts.query)["page"][0]) - 1) * _PAGE
        rows = self.server.lists[parts.path][begin : begin + _PAGE]
        body = f'{{"items": [{", ".join(map(record, rows))}]}}'.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


class HttpKit(Kit):
    connector = "http"

    def __init__(self, copier: Copier) -> None:
        super().__init__(copier)
        self._api = _Api()
        threading.Thread(target=self._api.serve_forever, args=(0.01,), daemon=True).start()
        copier.addresses["api"] = Address("http", "127.0.0.1", self._api.server_port, scheme="http")

    def source(self, rows: Sequence[Row]) -> Source:
        path = f"/items/{len(self._api.lists)}"
        self._api.lists[path] = list(rows)
        return source_of(connection="api", path=path, records="items", paginate={"type": "page_number"})

    def add(self, source: Source, row: Row) -> None:
        self._api.lists[source.options["path"]].append(row)

    def close(self) -> None:
        self._api.shutdown()
        self._api.server_close()
