"""Every command can be stopped at any moment: one line, an exit code that says by what, and nothing left behind.

The moments are random. `--seed` plays the same ones again, `--faults` says how many.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.runner.conftest import eventually, processes_with
from tests.warm import Started, Warm
from windlass.connections import Address
from windlass.connectors.postgres.session import Session

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

REQUESTS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "SIGHUP"}
ROWS = 60_000
FILES = {
    "windlass.yaml": "project: p\nconnections: {store: {type: sqlite}}\n",
    "pipelines/p.yaml": """\
pipeline: p
tasks:
  load: {copy: {from: {path: in.csv}, to: {path: loaded.parquet}}}
  store: {needs: load, copy: {from: {path: loaded.parquet}, to: {connection: store, table: t}}}
  step: {needs: load, run: {command: [sh, -c, "sleep 600 & sleep 0.3"]}}
""",
}
Running = subprocess.Popen[str] | Started
Start = Callable[..., Running]


@pytest.fixture
def root(project: Callable[..., Path]) -> Path:
    """A project with some rows to copy."""
    made = project(FILES)
    rows = "".join(f"{i},name {i},{i / 3:.2f}\n" for i in range(ROWS))
    (made / "in.csv").write_text(f"id,name,amount\n{rows}")
    return made


@pytest.fixture
def moments(request: pytest.FixtureRequest) -> random.Random:
    seed = request.config.getoption("--seed")
    return random.Random(f"{seed} {request.node.name}")


@pytest.fixture
def times(request: pytest.FixtureRequest) -> int:
    """How many moments for each command."""
    return max(1, int(request.config.getoption("--faults")) // 8)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    return {**os.environ, "TMPDIR": str(temporary), "WINDLASS_RUN_ID": "", "WINDLASS_CONN_STORE": ""}


@pytest.fixture
def start(root: Path, environment: dict[str, str]) -> Start:
    """Starts a command; returns when it listens to signals, which is before it imports anything."""

    def call(*arguments: str) -> Running:
        process = subprocess.Popen(
            [sys.executable, "-m", "windlass", *arguments],
            cwd=root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        eventually(lambda: process.poll() is not None or listens(process.pid))
        return process

    return call


@pytest.fixture
def start_warm(root: Path, environment: dict[str, str], warm: Warm) -> Start:
    """The same of a command whose imports are done, so that more of the moments lie in its work."""

    def call(*arguments: str) -> Running:
        process = warm.start("windlass", *arguments, cwd=root, env=environment)
        eventually(lambda: process.has_ended() or listens(process.pid))
        return process

    return call


def listens(pid: int) -> bool:
    """Whether it would hear of a request. One that has ended has to hear of none."""
    try:
        status = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return True
    caught = next(int(line.split()[1], 16) for line in status if line.startswith("SigCgt"))
    return bool(caught >> (signal.SIGHUP - 1) & 1)  # the last one that it begins to listen to


def stopped(process: Running, number: signal.Signals) -> bool:
    """Ask a command to stop. Returns whether it did, and not come to its end before."""
    process.send_signal(number)
    done = ended(process)
    said = done.stderr
    assert "Traceback" not in said, said
    assert "defect" not in said, said
    if done.returncode == 0:
        return False
    assert (done.returncode, said.splitlines()[-1:]) == (
        128 + number,
        [f"stopped by {REQUESTS[number]}"],
    ), said
    return True


def ended(process: Running) -> subprocess.CompletedProcess[str]:
    """How a command has ended, and what it has printed."""
    if isinstance(process, Started):
        return process.wait(120)
    out, err = process.communicate(timeout=120)
    return subprocess.CompletedProcess([], process.returncode, out, err)


def left_in(*folders: Path) -> list[str]:
    """What nobody wanted of all that lies around."""
    names = ("*.windlass-tmp*", "windlass-*.copy", "*.token", "*-journal", "*-wal", "*.wal")
    return [str(file) for folder in folders for name in names for file in folder.rglob(name)]


def play(start: Start, moments: random.Random, times: int, *command: str) -> Iterator[bool]:
    """Stop a command at random moments of its life, so many times: whether it was stopped."""
    begun = time.monotonic()
    done = ended(start(*command))
    assert done.returncode == 0, done.stderr
    duration = time.monotonic() - begun
    for _ in range(times):
        process = start(*command)
        time.sleep(moments.uniform(0, duration))
        yield stopped(process, moments.choice(list(REQUESTS)))


COMMANDS = [
    "--help",
    "validate --json",
    "graph p",
    "compile p --json",
    "schema project",
    "export airflow",
    "connections",
    "connections test",
    "doctor",
    "runs",
    "quarantine list",
]
COPIES = [
    "copy in.csv out.parquet",
    "copy in.csv out.csv.gz",
    "copy in.csv out.ndjson --mode append",
    "copy in.csv folder/",
    "copy in.csv sqlite:///out.db?table=t",
    "copy in.csv duckdb:///out.duckdb?table=t",
    "copy in.csv POSTGRES?table=t",
    "copy POSTGRES?table=source out.parquet",
    "copy POSTGRES?table=source POSTGRES?table=t",
    "copy in.csv POSTGRES?table=t --mode merge --key id",
]


@pytest.mark.one_of(2)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_looks_is_stopped_at_any_moment(
    command: str, start: Start, moments: random.Random, times: int, root: Path, tmp_path: Path
) -> None:
    list(play(start, moments, times, *command.split()))
    assert left_in(root, tmp_path / "tmp") == []


@pytest.mark.one_of(2)
@pytest.mark.parametrize("command", COPIES)
def test_a_copy_is_stopped_at_any_moment_and_leaves_the_old_or_the_new(
    command: str,
    start_warm: Start,
    moments: random.Random,
    times: int,
    root: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    address: Address | None = None
    if "POSTGRES" in command:
        address = request.getfixturevalue("database")
        session = Session(address)
        session.execute(
            f"CREATE TABLE source AS SELECT i AS id, 'name ' || i AS name FROM generate_series(1, {ROWS}) i"
        )
        session.close()
        command = command.replace("POSTGRES", address.uri())
    for _ in play(start_warm, moments, times, *command.split()):
        assert list((tmp_path / "tmp").iterdir()) == []
        assert left_in(root) == []
        if address is not None:
            assert tables(address) <= {"source", "t", "_windlass_loads", "_windlass_turns"}


def tables(address: Address) -> set[str]:
    session = Session(address)
    try:
        sql = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname !~ '^(pg|sql)_'"
        return {row["relname"] for row in session.fetch(sql)}
    finally:
        session.close()


def test_a_run_is_stopped_at_any_moment_and_is_recorded(
    start: Start, moments: random.Random, times: int, root: Path, tmp_path: Path, windlass: Callable[..., Any]
) -> None:
    ended(start("run", "p"))
    for _ in range(times):
        process, number = start("run", "p"), moments.choice(list(REQUESTS))
        time.sleep(moments.uniform(0, 2.5))
        process.send_signal(number)
        done = ended(process)
        assert done.returncode in (0, 128 + number), done.stderr
        assert "Traceback" not in done.stderr
        assert "defect" not in done.stderr
        eventually(lambda: processes_with(f"WINDLASS_WORKSPACE={root}") == [])
        assert left_in(root, tmp_path / "tmp") == []
    found = {run["status"] for run in windlass("-C", root, "runs", "--json").json}
    assert found <= {"success", "cancelled"}


def test_a_task_is_stopped_at_any_moment_and_may_be_tried_again(
    start: Start, moments: random.Random, times: int, root: Path, tmp_path: Path
) -> None:
    for _ in range(times):
        process, number = start("exec", "p", "load"), moments.choice(list(REQUESTS))
        time.sleep(moments.uniform(0, 1))
        process.send_signal(number)
        done = ended(process)
        if done.returncode != 0:
            assert done.returncode == 128 + number, done.stderr
            said = f"stopped by {REQUESTS[number]}"
            if done.stderr:  # it had not begun yet
                assert done.stderr == f"{said}\n"
            else:
                assert f'"error": "{said}", "retryable": true' in done.stdout.splitlines()[-1]
        assert left_in(root, tmp_path / "tmp") == []


def test_a_signal_that_whoever_started_a_command_ignores_stays_ignored(root: Path) -> None:
    """As `nohup` does, and a shell for what it starts in the background."""
    command = f"trap '' HUP INT; exec '{sys.executable}' -m windlass copy in.csv out.parquet"
    process = subprocess.Popen(["sh", "-c", command], cwd=root, stderr=subprocess.PIPE, text=True)
    eventually(lambda: process.poll() is not None or b"-mwindlass" in cmdline(process.pid))
    for number in (signal.SIGHUP, signal.SIGINT):
        process.send_signal(number)
    assert process.communicate(timeout=60)[1] == ""
    assert process.returncode == 0


def cmdline(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b"")
