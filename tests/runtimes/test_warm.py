"""Tasks that are forked from a process with their imports done: what runs is the same, and ends as it would."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from windlass.runtimes import Execution
from windlass.runtimes.warm import WarmProcess

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="nothing is forked elsewhere")

PROJECT = {
    "windlass.yaml": "project: p\nconnections: {api: {type: http}}\n",
    "pipelines/p.yaml": """\
pipeline: p
tasks:
  copy: {copy: {from: {path: in.csv}, to: {path: "{{ params.to }}/out.csv"}}}
  hang: {copy: {from: {connection: api, path: /}, to: {path: never.csv}}}
params: {to: a}
""",
    "in.csv": "id\n1\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in PROJECT.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def warm() -> Iterator[WarmProcess]:
    process = WarmProcess(["http"])
    yield process
    process.close()


def start(warm: WarmProcess, project: Path, *arguments: str, **environment: str) -> Execution:
    command = [sys.executable, "-m", "windlass", "-C", str(project), "exec", "p", *arguments]
    execution = warm.start(command, {**os.environ, "WINDLASS_WORKSPACE": str(project), **environment})
    assert execution is not None
    return execution


def printed(execution: Execution) -> list[str]:
    return [line for lines in execution.output() for line in lines]


def test_each_has_its_own_arguments_environment_and_end(warm: WarmProcess, project: Path) -> None:
    started = [
        start(warm, project, "copy"),
        start(warm, project, "copy", WINDLASS_PARAMS='{"to": "b"}'),
        start(warm, project, "copy", "--part", "{", "--parts", WINDLASS_PARAMS='{"to": "d"}'),
        start(warm, project, "copy", WINDLASS_PARAMS='{"to": "c"}', WINDLASS_FAILPOINT="before-commit:kill"),
    ]
    events = [[json.loads(line)["event"] for line in printed(execution)] for execution in started]
    assert [execution.wait() for execution in started] == [0, 0, 2, -9]
    assert [told[-1] for told in events[:3]] == ["result", "result", "failed"]
    assert not {"result", "failed"} & set(events[3])  # it was killed
    assert [path.parent.name for path in sorted(project.glob("*/out.csv"))] == ["a", "b"]


def test_one_that_is_asked_to_stop_says_so(warm: WarmProcess, project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        execution = start(warm, project, "hang", WINDLASS_CONN_API=address)
        execution.stop()
        assert "stopped by SIGTERM" in printed(execution)[-1]
    assert execution.wait() == 143


def test_one_ends_with_the_process_that_forked_it(warm: WarmProcess, project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        execution = start(warm, project, "hang", WINDLASS_CONN_API=address)
        warm.close()
        assert printed(execution) == []
    assert execution.wait() == -9
