"""Requests to web servers: whatever asks, a server learns nothing that is meant for another, and half is not whole."""

from __future__ import annotations

import http.server
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlencode

import pytest

from windlass import logs, web
from windlass.alerts import Message, Told
from windlass.api.copying import copy
from windlass.connections import Address
from windlass.connectors.files.fetching import fetch
from windlass.connectors.http.answers import Ask
from windlass.connectors.http.asking import Api
from windlass.connectors.http.auth import credentials_of
from windlass.connectors.http.options import Connection, Retry
from windlass.connectors.slack.alert import send
from windlass.errors import Code, FatalError, WindlassError
from windlass.ledger import LedgerEntry
from windlass.plan.model import Download
from windlass.tasks.context import Context
from windlass.tasks.download import run_download
from windlass.workspace import Workspace

SECRETS = {"Authorization": "Bearer canary", "X-Api-Key": "canary", "Cookie": "canary"}


@dataclass
class Server:
    """Answers everything alike, and keeps the headers of what it was asked."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"[]"
    asked: list[dict[str, str]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/file"


Make = Callable[..., Server]


@pytest.fixture
def make_server() -> Iterator[Make]:
    with ExitStack() as stack:

        def make(**how: Any) -> Server:
            server = Server(**how)

            class Handler(http.server.BaseHTTPRequestHandler):
                def do_GET(self) -> None:
                    server.asked.append({name.lower(): value for name, value in self.headers.items()})
                    self.rfile.read(int(self.headers.get("Content-Length", 0)))
                    self.send_response(server.status)
                    for name, value in {"Content-Length": str(len(server.body)), **server.headers}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(server.body)

                do_POST = do_GET  # noqa: N815 - as the server wants it

                def log_message(self, *_: object) -> None:
                    return

            running = stack.enter_context(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler))
            server.port = running.server_address[1]
            threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
            stack.callback(running.shutdown)
            return server

        yield make


def by_download(url: str, folder: Path) -> None:
    context = SimpleNamespace(workspace=Workspace(folder, folder), progress=lambda *_: None)
    run_download(
        LedgerEntry("p", "t", "r"), Download(url=url, to="file", headers=SECRETS), cast("Context", context)
    )


def by_file(url: str, folder: Path) -> None:
    fetch(url.replace("://", "://ada:canary@"), folder / "file")


def by_api(url: str, folder: Path) -> None:
    address = Address("http", "127.0.0.1", user="ada", password="canary", scheme="http")
    once = Api(Retry(attempts=1))
    headers = {**SECRETS, "User-Agent": web.AGENT}
    Api(Retry(attempts=1), credentials_of("api", address, Connection(), once.answer)).answer(
        Ask(url, headers)
    )


WAYS = [by_download, by_file, by_api]
Way = Callable[[str, Path], None]


@pytest.fixture(params=WAYS, ids=lambda way: way.__name__)
def way(request: pytest.FixtureRequest) -> Way:
    return cast("Way", request.param)


def test_a_redirect_carries_no_secret_to_another_server(make_server: Make, way: Way, tmp_path: Path) -> None:
    other = make_server()
    first = make_server(status=302, headers={"Location": other.url})
    way(first.url, tmp_path)
    assert "canary" in str(first.asked) or "authorization" in first.asked[0]
    [headers] = other.asked
    assert not {name.lower() for name in SECRETS} & headers.keys()
    assert headers["user-agent"].startswith("windlass/")


def test_a_redirect_out_of_http_is_refused(make_server: Make, way: Way, tmp_path: Path) -> None:
    with pytest.raises(FatalError, match=r"leads to ftp://127.0.0.1/x, which is not HTTP"):
        way(make_server(status=302, headers={"Location": "ftp://127.0.0.1/x"}).url, tmp_path)


def test_no_proxy_is_asked_for_this_machine(
    make_server: Make, way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = make_server()
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = make_server()
    way(server.url, tmp_path)
    assert (len(server.asked), proxy.asked) == (1, [])


def test_a_body_that_breaks_off_is_not_taken_for_the_whole(
    make_server: Make, way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(WindlassError, match="broke off") as raised:
        way(make_server(body=b"[1,", headers={"Content-Length": "9"}).url, tmp_path)
    assert raised.value.exit_code == 3


@pytest.mark.parametrize(("status", "exit_code"), [(404, 1), (401, 1), (429, 3), (503, 3), (408, 3)])
def test_a_status_says_whether_to_try_again(
    make_server: Make, way: Way, tmp_path: Path, status: int, exit_code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(WindlassError, match=f"answered {status}") as raised:
        way(make_server(status=status).url, tmp_path)
    assert raised.value.exit_code == exit_code


def test_the_wait_is_what_the_server_says(make_server: Make) -> None:
    server = make_server(status=503, headers={"Retry-After": "7"})
    with (
        pytest.raises(web.NotNowError) as raised,
        web.answer_to(urllib.request.Request(server.url), shown="x", code=Code.DOWNLOAD),
    ):
        pass
    assert raised.value.wait == 7.0


def test_an_alert_that_is_refused_does_not_tell_where_it_went(make_server: Make) -> None:
    server = make_server(status=403)
    address = Address("slack", "127.0.0.1", server.port, database="services/T0/canary", scheme="http")
    message = Message(event="failure", project="shop", pipeline="orders", told=(Told("load", "it broke"),))
    with pytest.raises(
        WindlassError, match="Slack did not take the message: its webhook answered 403"
    ) as raised:
        send(address, message)
    assert "canary" not in str(raised.value)


def test_a_key_in_the_query_of_an_address_is_masked(make_server: Make, way: Way, tmp_path: Path) -> None:
    server = make_server(status=404)
    keys = {
        "X-Amz-Signature": "canary-amazon+/=",
        "sig": "canary-of-azure-storage",
        "api_key": "canary-of-an-api",
        "access_token": "canary-token",
    }
    query = urlencode({**keys, "sort_key": "orders", "key": "orders", "code": "B-7"})
    with pytest.raises(WindlassError) as refused:
        way(f"{server.url}?{query}", tmp_path)
    said = logs.mask(f"{refused.value} {keys}")
    assert "canary" not in said
    assert logs.mask("sort_key=orders&code=B-7") == "sort_key=orders&code=B-7"


def test_a_key_of_an_address_is_nowhere_in_a_quarantine(make_server: Make, tmp_path: Path) -> None:
    server = make_server(body=b"id,v\n1,2\n3\n")
    for _ in range(2):
        copied = copy(
            f"{server.url}.csv?api_key=canary-in-file", "out.csv", on_bad_row="quarantine", folder=tmp_path
        )
        assert (copied.quarantine, copied.rows_quarantined) == (tmp_path / "file.csv.quarantine.ndjson", 1)
        [row] = (tmp_path / "file.csv.quarantine.ndjson").read_text().splitlines()
        assert "canary" not in row


def test_a_password_is_kept_out_of_the_logs() -> None:
    value = web.basic("ada", "lovelace")
    assert logs.mask(f"sent {value}") == "sent Basic ***"
