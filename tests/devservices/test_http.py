"""The server of files that stands in for an API: it serves its folder, to this machine, and nothing else."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from windlass.connections import Address
from windlass.devservices import DevServices
from windlass.errors import WindlassError
from windlass.plan.model import Connection

Ask = Callable[..., tuple[int, bytes]]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Asks the server for a path, in the very words."""
    tmp_path = tmp_path_factory.mktemp("project")
    www = tmp_path / "www"
    (www / "inner").mkdir(parents=True)
    (www / "a.txt").write_text("a file")
    (www / "inner/b.txt").write_text("another")
    (tmp_path / ".env").write_text("SECRET")
    (tmp_path / "www-of-others").mkdir()
    (tmp_path / "www-of-others/x").write_text("SECRET")
    (www / "link").symlink_to(tmp_path / ".env")
    (www / "folder").symlink_to(tmp_path)
    (www / "inside").symlink_to("inner/b.txt")
    (www / "loop").symlink_to("loop")
    (www / "with-index").mkdir()
    (www / "with-index/index.html").symlink_to(tmp_path / ".env")
    with closing(DevServices(tmp_path / "state", tmp_path)) as services:
        yield asking(services.start("site", Connection(type="http", dev={"serve": "www"})))


def asking(address: Address) -> Ask:
    def call(path: str, host: str = f"127.0.0.1:{address.port}", method: str = "GET") -> tuple[int, bytes]:
        with socket.create_connection(("127.0.0.1", address.port or 0), timeout=30) as connection:
            connection.sendall(
                f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
            )
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), body

    return call


def test_the_files_of_its_folder_are_served(ask: Ask) -> None:
    assert ask("/a.txt") == (200, b"a file")
    assert ask("/inner/b.txt") == ask("/inside") == ask("/inner/../inside") == (200, b"another")


@pytest.mark.parametrize(
    "path",
    ["/link", "/folder/.env", "/folder", "/folder/", "/../.env", "/%2e%2e/.env", "/..%2f.env", "/inner/../../.env",
     "/..\\.env", "//../.env", "/../www-of-others/x", "/loop", "/a%00.txt", "/with-index", "/with-index/", "/nothing"],
)  # fmt: skip
def test_nothing_else_is_served(ask: Ask, path: str) -> None:
    status, body = ask(path)
    assert status in (301, 404)
    assert b"SECRET" not in body
    assert b"windlass.yaml" not in body


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "", "localhost.evil.example", "127.0.0.1@evil"]
)
def test_a_page_of_a_stranger_gets_no_answer(ask: Ask, host: str) -> None:
    assert ask("/a.txt", host)[0] == 421
    for own in ("localhost", "172.17.0.1:80", "[fd00::1]:80", "host.docker.internal"):  # of containers, too
        assert ask("/a.txt", own)[0] == 200


def test_recorded_answers_are_given_to_this_machine_for_what_fits_them(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"from": "{{ url }}"}')
    (tmp_path / "api.yaml").write_text(
        "- {request: {path: /cities, query: {q: Lyon}}, response: {json: [{id: 1}]}}\n"
        "- {request: {path: /cities, query: {q: Nice}}, response: {status: 404, text: none}}\n"
        "- {request: {path: /file}, response: {file: a.json}}\n"
    )
    with closing(DevServices(tmp_path / "state", tmp_path)) as services:
        address = services.start("api", Connection(type="http", dev={"replay": "api.yaml"}))
        ask = asking(address)
        assert ask("/cities?q=Lyon") == ask("/cities?q=Lyon") == (200, b'[{"id": 1}]')
        assert ask("/cities?q=Nice") == (404, b"none")
        assert ask("/file") == (200, f'{{"from": "http://127.0.0.1:{address.port}"}}'.encode())
        assert ask("/cities?q=Lion") == (
            501,
            b'GET /cities {q: "Lion"}: no recording fits; the nearest: query {q: "Lion"}, expected {q: "Lyon"}',
        )
        assert ask("/file", "evil.example")[0] == 421


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "api.yaml"),
        ("- {request: {path: /}}\n", "api.yaml:1:3: .*needs the key 'response'"),
        (
            "- response: {}\n- {response: {}, request: {pth: /}}\n",
            "api.yaml:2:28: .*unknown key 'pth' in request",
        ),
        ("request: {path: /}\n", "api.yaml:1:1: .*expected a list of requests"),
        ("- {response: {file: no.json}}\n", "api.yaml: cannot read 'no.json': No such file"),
        ("- {[\n", "api.yaml:1"),
    ],
)
def test_what_is_wrong_with_a_recording_is_told(tmp_path: Path, text: str | None, says: str) -> None:
    if text is not None:
        (tmp_path / "api.yaml").write_text(text)
    with (
        closing(DevServices(tmp_path / "state", tmp_path)) as services,
        pytest.raises(WindlassError, match=says),
    ):
        services.start("api", Connection(type="http", dev={"replay": "api.yaml"}))
