"""An API in this process that says what a test wants, and keeps what it was asked; and a copy of its records."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import pytest

from windlass.connections import Address
from windlass.testing import Copier, destination_of, source_of

__all__ = ["Api", "Asked", "answer", "make_api", "read"]

ONCE = {"attempts": 1}


class Asked(NamedTuple):
    """A request."""

    path: str
    headers: dict[str, str]
    method: str
    body: bytes

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.path).query))


@dataclass
class Api:
    """Gives its answers in turn, or those of what answers for it, and keeps what was asked."""

    answers: list[bytes] = field(default_factory=list)
    answering: Callable[[Asked], bytes] | None = None
    asked: list[Asked] = field(default_factory=list)
    port: int = 0

    @property
    def address(self) -> Address:
        return Address("http", "127.0.0.1", self.port, database="v1", scheme="http")


@pytest.fixture
def make_api() -> Iterator[Callable[..., Api]]:
    with ExitStack() as opened:

        def make(*answers: bytes, answering: Callable[[Asked], bytes] | None = None) -> Api:
            api = Api(list(answers), answering)

            class Handler(socketserver.StreamRequestHandler):
                def handle(self) -> None:
                    lines = iter(
                        self.rfile.readline, b""
                    )  # without any, somebody only looked whether it is there
                    head = [line.decode().strip() for line in takewhile(lambda line: line != b"\r\n", lines)]
                    if not head:
                        return
                    first, *said = head
                    headers = {
                        name.lower(): value for name, _, value in (line.partition(": ") for line in said)
                    }
                    method, path, _ = first.split()
                    body = self.rfile.read(int(headers.get("content-length", 0)))
                    api.asked.append(asked := Asked(path, headers, method, body))
                    self.wfile.write(api.answering(asked) if api.answering else api.answers.pop(0))

            server = opened.enter_context(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler))
            api.port = server.server_address[1]
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            opened.callback(server.shutdown)
            return api

        yield make


def answer(body: str | bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    data = body.encode() if isinstance(body, str) else body
    said = [f"HTTP/1.1 {status}", f"Content-Length: {len(data) if length is None else length}", *headers]
    return "\r\n".join([*said, "Connection: close", "", ""]).encode() + data


@pytest.fixture
def read(copier: Copier) -> Callable[..., list[dict[str, Any]]]:
    """Copies the records of an API to a file, and reads them there."""

    def read(api: Api, address: Address | None = None, **options: Any) -> list[dict[str, Any]]:
        copier.addresses["api"] = address or api.address
        source = source_of(connection="api", **{"path": "/items", "retry": ONCE, **options})
        copier(source, destination_of(path="out.ndjson"))
        return [json.loads(line) for line in (copier.folder / "out.ndjson").read_text().splitlines()]

    return read
