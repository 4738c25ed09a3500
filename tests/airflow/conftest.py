"""A real Airflow, started by `windlass up` once for the tests of a module."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.airflow.client import Up
from tests.conftest import ROOT, missing

_LEFT_BEHIND = (".windlass", "node_modules", "__pycache__", "downloads", "imported_data", "processed_data")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def bring_up() -> Iterator[Callable[..., Up]]:
    """Starts Airflow for a project, on a free port; it is stopped after the tests of the module."""
    if find_spec("airflow") is None:
        missing("Airflow")
    started: list[Up] = []

    def start(project: Path, *options: str, env: dict[str, str] | None = None) -> Up:
        port = free_port()
        command = [
            sys.executable,
            "-m",
            "windlass",
            "-C",
            str(project),
            "up",
            "--detach",
            "--port",
            str(port),
        ]
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("WINDLASS_", "AIRFLOW"))}
        up = Up(project, f"http://127.0.0.1:{port}", "")
        started.append(up)
        done = subprocess.run(
            [*command, *options],
            env={**environment, **(env or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        up.password = json.loads((project / ".windlass" / "up" / "keys.json").read_text())["admin_password"]
        return up

    yield start
    for up in started:
        up.windlass("down")


@pytest.fixture(scope="module")
def example_copy(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A copy of an example project, without what earlier runs of it left behind."""

    def copy(name: str) -> Path:
        target = tmp_path_factory.mktemp(name) / name
        shutil.copytree(ROOT / "examples" / name, target, ignore=shutil.ignore_patterns(*_LEFT_BEHIND))
        return target

    return copy
