"""A copy that is told to stop ends, whatever its driver waits for, with the code that says so; and the next start does all of it.

A proxy lets the first bytes of the rows pass and then nothing more, as a server does that hangs: no driver answers to a signal
there by itself.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest

from tests.conftest import plain_environment
from tests.connectors.mysql_database import MysqlDatabase
from tests.faults.proxy import Proxy
from windlass.connections import Address, parse_address

ROWS, PASSED, ENDS_WITHIN = 3_000, 100_000, 60.0
KINDS = ["postgres", "mysql", "mongodb", "s3", "gcs", "azure"]


@dataclass(frozen=True)
class System:
    """A server, and how rows in it are named."""

    address: Address
    server: str
    end: dict[str, Any]

    def by_way_of(self, port: int) -> str:
        """The address of a connection, by way of a proxy."""
        if (endpoint := self.address.options.get("endpoint")) is None:
            return replace(self.address, host="127.0.0.1", port=port).uri()
        there = urlsplit(endpoint)._replace(netloc=f"127.0.0.1:{port}").geturl()
        return replace(self.address, options={**self.address.options, "endpoint": there}).uri()


@pytest.fixture(params=KINDS)
def system(request: pytest.FixtureRequest) -> System:
    kind: str = request.param
    if kind in ("s3", "gcs", "azure"):
        address = request.getfixturevalue(kind)().address
        return System(address, address.options["endpoint"], {"path": "rows.csv"})
    made = request.getfixturevalue("database" if kind == "postgres" else kind)
    if isinstance(made, MysqlDatabase):
        made = made.address
    address = parse_address(made, "a test", kind) if isinstance(made, str) else made
    names = {"collection": "rows"} if kind == "mongodb" else {"table": "rows"}
    return System(address, f"tcp://{address.host}:{address.port}", names)


@pytest.fixture
def start(tmp_path: Path, system: System) -> Iterator[Callable[[str, str], subprocess.Popen[str]]]:
    """Starts one of the tasks `put` and `get` by an address of the server."""
    kind, here = system.address.type, {"path": "rows.csv"}
    there = {"connection": "x", **system.end}
    typed = "select: {id: {type: int}, name: {type: text}}"
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "windlass.yaml").write_text(f"project: p\nconnections: {{x: {{type: {kind}}}}}\n")
    tasks = {"put": (here, {**there, "mode": "append"}), "get": (there, {"path": "out.csv"})}
    for name, (source, to) in tasks.items():
        text = f"pipeline: {name}\ntasks:\n  t:\n    copy:\n      from: {json.dumps(source)}\n      to: {json.dumps(to)}\n      {typed}\n"
        (tmp_path / "pipelines" / f"{name}.yaml").write_text(text)
    lines = "".join(f"{number},{'x' * 150}\n" for number in range(ROWS))
    (tmp_path / "rows.csv").write_text(f"id,name\n{lines}")
    started: list[subprocess.Popen[str]] = []

    def begin(task: str, address: str) -> subprocess.Popen[str]:
        environment = {
            **plain_environment(),
            "WINDLASS_CONN_X": address,
            "WINDLASS_RUN_ID": "scheduled",
            "TMPDIR": str(tmp_path),
        }
        command = [sys.executable, "-m", "windlass", "-C", str(tmp_path), "exec", task, "t"]
        started.append(
            subprocess.Popen(
                command,
                env=environment,
                text=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        )
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("task", ["put", "get"])
def test_it_ends_and_is_done_again(
    task: Literal["put", "get"],
    system: System,
    start: Callable[[str, str], subprocess.Popen[str]],
    tmp_path: Path,
) -> None:
    direct = system.address.uri()
    if task == "get":
        _require_done(start("put", direct))
    passed = 0

    def watch(piece: bytes, to_server: bool) -> bool:
        nonlocal passed
        passed += len(piece) if to_server is (task == "put") else 0
        return passed > PASSED

    with Proxy(system.server, "silence", watch, everything=True) as proxy:
        process = start(task, system.by_way_of(proxy.port))
        assert proxy.was_cut.wait(ENDS_WITHIN), process.communicate(timeout=ENDS_WITHIN)[0]
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=ENDS_WITHIN)[0]
    assert process.returncode == 128 + signal.SIGTERM, said
    assert "stopped by SIGTERM" in said
    _require_done(start(task, direct))
    if task == "put":
        _require_done(start("get", direct))
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert sorted(int(line.partition(",")[0]) for line in lines[1:]) == list(range(ROWS))


def _require_done(process: subprocess.Popen[str]) -> None:
    said = process.communicate(timeout=ENDS_WITHIN)[0]
    assert process.returncode == 0, said
