"""An engine that goes away while a container runs, and comes back: what became of the container is known."""

from __future__ import annotations

import gc
import json
import os
import socket
import socketserver
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import PYTHON, Output
from tests.runner.conftest import eventually
from tests.warm import Warm
from windlass.errors import FatalError
from windlass.runtimes.docker.engine import Engine, engine_of

PIPELINE = f"""
pipeline: p
tasks:
  a: {{run: {{image: {PYTHON}, command: [sh, -c, "echo began; until test -e /data/go; do sleep 0.05; done; echo ended; exit 7"]}}}}
"""


class Way(socketserver.ThreadingUnixStreamServer):
    """A way to the engine that can be cut."""

    daemon_threads = True

    def __init__(self, here: Path, engine: str) -> None:
        self.engine, self._open = engine, set[socket.socket]()
        super().__init__(str(here), _Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def hand_on(self, source: socket.socket, sink: socket.socket) -> None:
        self._open |= {source, sink}
        with suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        self.shutdown()
        self.server_close()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(socketserver.BaseRequestHandler):
    server: Way

    def handle(self) -> None:
        with socket.socket(socket.AF_UNIX) as engine:
            engine.connect(self.server.engine)
            back = threading.Thread(target=self.server.hand_on, args=(engine, self.request), daemon=True)
            back.start()
            self.server.hand_on(self.request, engine)
            back.join()


def test_a_socket_where_nobody_listens_is_told_and_none_is_left_open(tmp_path: Path) -> None:
    dead = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(dead))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for place, why in (
            (dead, "Connection refused"),
            (tmp_path / "none.sock", "No such file or directory"),
        ):
            with pytest.raises(FatalError, match=f"DOCKER_HOST \\(unix://{place}\\): {why}"):
                engine_of({"DOCKER_HOST": f"unix://{place}"})
        gc.collect()
    assert told == []


def test_the_end_of_a_container_is_known_although_the_engine_was_away(
    engine: Engine,
    warm: Warm,
    project: Callable[..., Path],
    containers: Callable[[], list[str]],
    tmp_path: Path,
) -> None:
    if not engine.url.startswith("unix://"):
        pytest.skip("the engine has no socket here")
    root, here = project({"pipelines/p.yaml": PIPELINE}), tmp_path / "way.sock"
    way = Way(here, engine.url.removeprefix("unix://"))
    env = {**os.environ, "DOCKER_HOST": f"unix://{here}"}
    running = warm.start("windlass", "run", "p", "--json", cwd=root, env=env)
    eventually(lambda: any("began" in log.read_text() for log in root.rglob("a.1.jsonl")))
    way.cut()
    here.unlink()
    (root / "go").touch()
    eventually(
        lambda: engine.client.containers(all=True, filters={"id": containers()[0], "status": "exited"})
    )
    again = Way(here, engine.url.removeprefix("unix://"))
    ended = running.wait(120)
    done = Output(ended.returncode, ended.stdout, ended.stderr)
    again.cut()
    assert [task["error"] for task in done.json["tasks"]] == ["exit code 7\n    began"]
    events = [json.loads(line)["event"] for line in done.stderr.splitlines() if line.startswith("{")]
    assert "output_lost" in events
    assert containers() == []
