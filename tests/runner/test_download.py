"""Downloads from a real server that is at times a bad one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.runner.file_server import CONTENT, SHA256, Server

Run = Callable[..., dict[str, Any]]


def task(server: Server, rest: str = "", retries: int = 0) -> str:
    return f"tasks: {{a: {{retries: {retries}, retry_delay: 1ms, download: {{url: '{server.url}', to: out/file{rest}}}}}}}\n"


def files_in(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "out").iterdir()) if (root / "out").exists() else []


def test_a_file_is_downloaded_checked_and_not_fetched_again(run: Run, server: Server) -> None:
    text = task(server, f", sha256: {SHA256.upper()}")
    result = run(text)
    assert (result["code"], result["tasks"]["a"]["bytes"]) == (0, len(CONTENT))
    assert (result["root"] / "out/file").read_bytes() == CONTENT
    assert files_in(result["root"]) == ["file"]
    assert run(text)["tasks"]["a"]["path"] == "already-there"
    assert server.asked == [""]


def test_a_download_goes_through_a_link_and_replaces_nothing_but_a_file(run: Run, server: Server) -> None:
    root = run(task(server))["root"]
    (root / "out/file").unlink()
    (root / "out/file").symlink_to("real")
    assert run(task(server))["code"] == 0
    assert ((root / "out/file").is_symlink(), (root / "out/real").read_bytes()) == (True, CONTENT)
    (root / "out/real").unlink()
    (root / "out/real").mkdir()
    result = run(task(server))
    assert (result["code"], "is a folder" in result["tasks"]["a"]["error"]) == (1, True)
    assert files_in(root) == ["file", "real"]


def test_what_broke_off_is_resumed_where_it_was(run: Run, server: Server) -> None:
    server.breaks_off_after = [300_000, 400_000]
    result = run(task(server, f", sha256: {SHA256}", retries=3))
    assert (result["code"], result["tasks"]["a"]["attempts"]) == (0, 3), result["stderr"]
    assert (result["root"] / "out/file").read_bytes() == CONTENT
    starts = [int(wanted.removeprefix("bytes=").rstrip("-")) for wanted in server.asked[1:]]
    assert 0 < starts[0] <= 300_000 < starts[1] <= 700_000


def test_what_broke_off_leaves_no_file_under_the_name(run: Run, server: Server) -> None:
    server.breaks_off_after = [300_000]
    result = run(task(server))
    assert (result["code"], "file" in files_in(result["root"])) == (3, False)
    assert "broke off" in result["tasks"]["a"]["error"]


def test_a_file_that_changed_meanwhile_is_fetched_from_the_beginning(run: Run, server: Server) -> None:
    server.breaks_off_after = [300_000]
    assert run(task(server))["code"] == 3
    server.etag, server.content = '"two"', b"another"
    result = run(task(server))
    assert (result["root"] / "out/file").read_bytes() == b"another"
    assert files_in(result["root"]) == ["file"]


def test_a_wrong_checksum_leaves_the_old_file_and_nothing_else(run: Run, server: Server) -> None:
    assert run(task(server))["code"] == 0
    server.etag, server.content = '"two"', b"another"
    result = run(task(server, f", sha256: {'a' * 64}", retries=2))
    error = f"the SHA-256 is {hashlib.sha256(b'another').hexdigest()}, expected {'a' * 64}"
    assert (result["code"], result["tasks"]["a"]["attempts"]) == (1, 1)
    assert error in result["tasks"]["a"]["error"]
    assert (result["root"] / "out/file").read_bytes() == CONTENT
    assert files_in(result["root"]) == ["file"]


@pytest.mark.parametrize(("status", "code", "attempts"), [(404, 1, 1), (503, 3, 3)])
def test_an_error_of_the_server_is_tried_again_if_that_may_help(
    status: int, code: int, attempts: int, run: Run, server: Server
) -> None:
    server.status = status
    result = run(task(server, retries=2))
    assert (result["code"], result["tasks"]["a"]["attempts"]) == (code, attempts)
    assert f"answered {status}" in result["tasks"]["a"]["error"]
    assert files_in(result["root"]) == []


def test_a_server_that_is_not_there_may_be_later(run: Run) -> None:
    result = run("tasks: {a: {download: {url: 'http://127.0.0.1:1/x', to: x}}}\n")
    assert result["code"] == 3
    assert "cannot reach http://127.0.0.1:1/x: Connection refused" in result["tasks"]["a"]["error"]


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://host/x", "x.csv"])
def test_only_http_is_an_address(address: str, run: Run) -> None:
    """`validate` says so of one that is written; of one that only the run knows, the task."""
    url = "{{ params.url }}"
    result = run(f"params: {{url: '{address}'}}\ntasks: {{a: {{download: {{url: '{url}', to: x}}}}}}\n")
    assert result["code"] == 1
    assert "is not an http:// or https:// address" in result["tasks"]["a"]["error"]


def test_the_query_of_a_connection_is_sent_and_kept_nowhere(run: Run, server: Server) -> None:
    server.breaks_off_after = [1000]
    files = {"windlass.yaml": "project: test\nconnections: {api: {type: http}}\n"}
    text = "tasks: {a: {download: {connection: api, path: file, to: out/file}}}\n"
    env = {"WINDLASS_CONN_API": f"{server.url}?token=s3cret-token", "http_proxy": "http://127.0.0.1:9"}
    result = run(text, files=files, env=env)
    assert (result["code"], server.paths) == (3, ["/file/file?token=s3cret-token"])
    assert files_in(result["root"]) == [".file.part", ".file.part.json"]
    kept = b"".join(file.read_bytes() for file in result["root"].rglob("*") if file.is_file())
    assert b"s3cret-token" not in kept
    assert "s3cret-token" not in result["stderr"]


def test_a_file_that_is_the_same_is_left_as_it_is(run: Run, server: Server) -> None:
    root = run(task(server))["root"]
    before = (root / "out/file").stat()
    assert run(task(server))["code"] == 0
    after = (root / "out/file").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    (root / "out/file").write_bytes(b"x" * len(CONTENT))
    assert run(task(server))["code"] == 0
    assert (root / "out/file").read_bytes() == CONTENT
    assert files_in(root) == ["file"]


def test_a_whole_run_that_is_started_again_ends_in_the_same_rows(run: Run, server: Server) -> None:
    """Also where a step writes the same file anew, with another time of change."""
    text = (
        "schedule: '@daily'\ntasks:\n"
        f"  fetch: {{download: {{url: '{server.url}', to: out/file}}}}\n"
        "  step: {needs: fetch, run: {command: [sh, -c, 'printf \"id\\n1\\n2\\n\" > out/in.csv']}}\n"
        "  load: {needs: step, copy: {from: {path: out/in.csv}, to: {path: all.csv, mode: append}}}\n"
    )
    for _ in range(3):
        result = run(text, "--logical-date", "2025-03-01")
        assert result["code"] == 0, result
    assert (result["root"] / "all.csv").read_text() == "id\n1\n2\n"
    assert result["tasks"]["load"]["path"] == "already-loaded"
