"""One connection for the pages of an API, as long as its server keeps it open; and none afterwards."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from windlass.connections import Address
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.http.opening import open_source
from windlass.connectors.http.options import Source
from windlass.connectors.scratch import Scratch
from windlass.connectors.source import Reading
from windlass.errors import FatalError
from windlass.options import read_options
from windlass.testing import Copier
from windlass.web_session import Session, SessionClosedError
from windlass.workspace import Workspace

Read = Callable[..., list[dict[str, Any]]]
LAST = 20


class Server(http.server.ThreadingHTTPServer):
    """Twenty pages over connections that stay open for `patience` requests, and then end without a word."""

    daemon_threads = True

    def __init__(self, patience: int = 1000, *, chunked: bool = False, cut: int | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.patience, self.chunked, self.cut = patience, chunked, cut
        self.connections, self.asked, self.ended = 0, list[tuple[int, int]](), threading.Semaphore(0)
        self.holds = threading.Event()
        self.holds.set()
        self.is_asked = threading.Semaphore(0)

    @property
    def address(self) -> Address:
        return Address("http", "127.0.0.1", self.server_address[1], scheme="http")

    def handle_error(self, *_: object) -> None:
        """That a reader has left is no error."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body go out together
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1
        self.number, self.left = self.server.connections, self.server.patience

    def finish(self) -> None:
        super().finish()
        self.server.ended.release()

    def do_GET(self) -> None:
        page = int(dict(parse_qsl(urlsplit(self.path).query)).get("page", 1))
        self.server.asked.append((self.number, page))
        self.server.is_asked.release()
        self.server.holds.wait()
        body = json.dumps([{"id": page}] if page <= LAST else []).encode()
        self.send_response(200)
        if self.server.chunked:
            self.send_header("Transfer-Encoding", "chunked")
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.server.cut == page:
            self.server.cut, body, self.left = None, body[:3], 1
        self.wfile.write(body)
        self.left -= 1
        self.close_connection = not self.left

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(*args: Any, **kwargs: Any) -> Iterator[Server]:
    with Server(*args, **kwargs) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
def test_pages_come_over_one_connection_or_over_others_where_it_is_closed(
    read: Read, *, chunked: bool
) -> None:
    """Whenever the server closes it, also in the middle of a page."""
    for patience in (1000, 7, 1):
        with serving(patience, chunked=chunked, cut=5) as server:
            options = {"paginate": {"type": "page_number"}, "retry": {"attempts": 2, "max_wait": 0.0}}
            found = read(server, address=server.address, **options)
            assert found == [{"id": page} for page in range(1, LAST + 1)]
            asked = LAST + 2  # the empty page, and the one that was cut off
            assert [page for _, page in server.asked] == [*range(1, 6), *range(5, LAST + 2)]
            assert server.connections == {1000: 2, 7: 4, 1: asked}[patience]
            for _ in range(server.connections):
                server.ended.acquire()  # none stays open


def test_a_reader_that_is_left_asks_no_more_and_waits_for_nothing(copier: Copier) -> None:
    """Neither for an answer that does not come, nor for the time of another attempt."""
    with serving() as server:
        server.holds.clear()
        options = {
            "path": "/x",
            "query": {"page": "{symbol}"},
            "parent": {"values": [1, 2, 3, 4, 5], "as": "symbol", "concurrency": 2},
        }
        workspace = Workspace(copier.folder, copier.folder)
        end = ConnectedEnd(
            options=read_options(Source, options),
            workspace=workspace,
            connection="api",
            address=server.address,
        )
        source = open_source(end)
        failed = list[BaseException]()

        def reading() -> None:
            with Scratch(100_000_000, copier.folder) as scratch:
                try:
                    source.open(Reading(), scratch)
                except (SessionClosedError, FatalError) as exc:
                    failed.append(exc)

        thread = threading.Thread(target=reading)
        thread.start()
        for _ in range(2):
            server.is_asked.acquire()
        source.close()
        thread.join()
        server.holds.set()
        assert len(server.asked) == 2
        assert [type(exc) for exc in failed] == [SessionClosedError]
    session = Session()
    session.close()
    with pytest.raises(SessionClosedError):
        session.pause(1000)
