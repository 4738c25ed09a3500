"""What `windlass up` says when something is missing, and how it keeps its secrets. Without Airflow."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from tests.conftest import Output, missing
from windlass.errors import FatalError
from windlass.stack.checks import available_memory, check_memory, check_port
from windlass.stack.component import Component, Started
from windlass.stack.keys import Keys

Windlass = Callable[..., Output]
Project = Callable[[dict[str, str]], Path]

PIPELINE = "pipeline: p\ntasks:\n  t:\n    run: {command: [echo, hello]}\n"
WITHOUT = """
import importlib.metadata as metadata, sys
found, blocked = metadata.version, sys.argv[1]
def version(name):
    if name == blocked:
        raise metadata.PackageNotFoundError(name)
    return found(name)
metadata.version = version
sys.argv = ["windlass", *sys.argv[2:]]
from windlass.cli.main import main
main()
"""


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    ("package", "extra"),
    [
        ("apache-airflow", "airflow"),
        ("pgadmin4", "pgadmin"),
        ("apache-airflow-providers-celery", "celery"),
    ],
)
def test_a_missing_extra_is_named_with_what_to_type(project: Project, package: str, extra: str) -> None:
    if find_spec("airflow") is None:
        missing("Airflow")
    root = project({"pipelines/p.yaml": PIPELINE})
    command = [sys.executable, "-c", WITHOUT, package, "-C", str(root), "up"]
    command += ["--pgadmin", "--executor", "celery"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert f"pip install 'windlass[{extra}]'" in done.stderr


def test_a_taken_port_is_named_with_what_to_type(
    windlass: Windlass, project: Project, taken_port: int
) -> None:
    if find_spec("airflow") is None:
        missing("Airflow")
    root = project({"pipelines/p.yaml": PIPELINE})
    done = windlass("-C", root, "up", "--port", str(taken_port))
    assert done.code == 1
    assert f"port {taken_port}, for Airflow, is taken" in done.stderr
    assert "windlass up --port" in done.stderr
    assert windlass("-C", root, "status").stdout == "nothing is up\n"


def test_what_is_wrong_with_the_project_is_said_before_anything_starts(
    windlass: Windlass, project: Project
) -> None:
    if find_spec("airflow") is None:
        missing("Airflow")
    root = project({"pipelines/p.yaml": PIPELINE.replace("command", "kommand")})
    done = windlass("-C", root, "up", "--detach")
    assert done.code == 2
    assert "did you mean 'command'?" in done.stderr


def test_down_without_up_says_so(windlass: Windlass, project: Project) -> None:
    root = project({})
    done = windlass("-C", root, "down")
    assert (done.code, done.stdout) == (0, "nothing is up\n")


def test_status_without_up_is_a_failure_for_scripts(windlass: Windlass, project: Project) -> None:
    done = windlass("-C", project({}), "status", "--json")
    assert (done.code, done.json) == (1, {"up": False})


def test_the_port_beside_a_taken_one_is_free_to_use(taken_port: int) -> None:
    with pytest.raises(FatalError, match=f"port {taken_port}, for pgAdmin, is taken"):
        check_port(taken_port, "pgAdmin", "--pgadmin-port")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    check_port(free, "pgAdmin", "--pgadmin-port")


def test_too_little_memory_is_said_with_what_else_would_do() -> None:
    with pytest.raises(FatalError) as little:
        check_memory(500 * 10**6, pgadmin=False)
    assert "500 MB are free" in str(little.value)
    assert "windlass run PIPELINE" in str(little.value)
    with pytest.raises(FatalError) as enough_for_one:
        check_memory(1_100 * 10**6, pgadmin=True)
    assert "without --pgadmin" in str(enough_for_one.value)
    with pytest.raises(FatalError) as enough_for_local:
        check_memory(1_400 * 10**6, pgadmin=True, workers=2)
    message = str(enough_for_local.value)
    assert "Airflow, pgAdmin and 2 Celery workers need 1.8 GB of memory, 1.4 GB are free" in message
    assert "without --pgadmin and --executor celery" in message


def test_enough_memory_or_no_word_of_it_stops_nobody() -> None:
    check_memory(10**10, pgadmin=True)
    check_memory(None, pgadmin=True)


def test_the_memory_of_a_container_counts_where_it_is_less(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  8000000 kB\nMemAvailable:  4000000 kB\n")
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("1000000\n")
    assert available_memory(meminfo, tmp_path) == 4_000_000 * 1024
    (tmp_path / "memory.max").write_text("3000000\n")
    assert available_memory(meminfo, tmp_path) == 2_000_000
    assert available_memory(tmp_path / "none", tmp_path / "none") is None


def test_keys_are_made_once_and_are_for_their_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    made, new = Keys.kept_in(file)
    kept, new_again = Keys.kept_in(file)
    assert (new, new_again) == (True, False)
    assert made == kept
    assert file.stat().st_mode & 0o777 == 0o600
    assert made.admin_password not in repr(made)


def test_keys_that_cannot_be_read_are_not_made_anew(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text("{")
    with pytest.raises(FatalError, match="cannot be read"):
        Keys.kept_in(file)
    assert file.read_text() == "{"


def test_a_part_that_misses_a_look_is_not_called_unhealthy(tmp_path: Path) -> None:
    looks = iter([True, False, False, True, False, False, False, True])
    component = Component("part", (), {}, tmp_path, tmp_path / "log", is_healthy=lambda _: next(looks))
    running = cast("subprocess.Popen[bytes]", SimpleNamespace(poll=lambda: None))
    started = Started(component, running)
    assert [started.stays_healthy() for _ in range(8)] == [True] * 6 + [False, True]
