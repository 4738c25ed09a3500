"""Runs of small pipelines, and what is left of their processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.runner.file_server import Handler, Server

_DEADLINE = 60.0


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds; it is an error when it never does."""
    end = time.monotonic() + _DEADLINE
    while not holds():
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(0.02)


def processes_with(mark: str) -> list[int]:
    """The processes that have a text in their command line or environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        except OSError:
            continue
        if mark.encode() in text and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found


@pytest.fixture
def run(windlass: Callable[..., Any], project: Callable[..., Path]) -> Callable[..., dict[str, Any]]:
    """Run the pipeline `p`, made of this text, in a project: exit code, tasks by name, log records."""

    def call(
        text: str,
        *options: str,
        files: dict[str, str] | None = None,
        env: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        root = project({"pipelines/p.yaml": f"pipeline: p\n{text}", **(files or {})})
        done = windlass("-C", root, "run", "p", "--json", *options, env=env)
        assert done.stdout, done.stderr
        document = done.json
        return {
            "root": root,
            "code": done.code,
            "run": document["run_id"],
            "tasks": {task["task"]: task for task in document["tasks"]},
            "log": [json.loads(line) for line in done.stderr.splitlines()],
            "stderr": done.stderr,
        }

    return call


@pytest.fixture
def start(project: Callable[..., Path]) -> Callable[..., subprocess.Popen[bytes]]:
    """Start windlass in a folder and do not wait for it."""

    def call(root: Path, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "windlass", "-C", str(root), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    return call


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.breaks_off_after, server.asked, server.paths = [], [], []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
