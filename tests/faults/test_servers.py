"""A Postgres server that is stopped, fast or at once, in the middle of a copy, and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from tests.faults.checker import query, until
from tests.faults.scene import NEW, Scene, asyncpg_copy, finished, kill
from windlass.connections import Address
from windlass.devservices import DevServices
from windlass.plan.model import Connection

# Too much for the buffers between two processes, so the copy needs its server to the end
LONG = [(number, name + "y" * 9000, amount, day) for number, name, amount, day in NEW]


FAST, IMMEDIATE = signal.SIGINT, signal.SIGQUIT


class Server:
    """A server that can be stopped, and started again with the same data on the same port."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.url = url = address.uri()
        query(url, "ALTER ROLE postgres SET synchronous_commit = on", "SELECT 1")
        self.data = Path(query(url, "SHOW data_directory")[0][0])
        command = Path(f"/proc/{self._pid}/cmdline").read_bytes().split(b"\0")
        self.command = [os.fsdecode(part) for part in command if part]
        self.user = Path(f"/proc/{self._pid}").stat().st_uid
        self._started: subprocess.Popen[bytes] | None = None

    @property
    def _pid(self) -> int:
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def stop(self, how: int) -> None:
        pid = self._pid
        os.kill(pid, how)
        if self._started is not None:
            self._started.wait()
        until(lambda: not Path(f"/proc/{pid}/cwd").exists(), "the server stops")

    def start(self) -> None:
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        self._started = subprocess.Popen(
            self.command, user=self.user, group=self.user if self.user else None, cwd="/",
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        until(self._answers, "the server starts")

    def _answers(self) -> bool:
        with suppress(OSError, asyncpg.PostgresError):
            query(self.url, "SELECT 1")
            return True
        return False

    def end(self) -> None:
        if self._started is not None:
            self.stop(IMMEDIATE)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    services = DevServices(folder, folder)
    server = Server(services.start("server", Connection(type="postgres")))
    asyncpg_copy(server.url, "src", LONG)
    yield server
    server.end()
    services.close()


@pytest.mark.one_of(2)
@pytest.mark.parametrize("how", [FAST, IMMEDIATE], ids=["fast", "immediate"])
@pytest.mark.parametrize(
    ("end", "failpoint"), [("source", "mid-copy"), ("target", "mid-copy"), ("target", "before-commit")]
)
def test_a_server_that_stops_and_starts_again(
    scene: Callable[..., Scene], server: Server, end: str, failpoint: str, how: int
) -> None:
    play = scene(
        "pg", "pg", "append", options={"retries": 20, "retry_delay": "200ms"}, other={end: server.url}
    )
    play.new = LONG if end == "source" else NEW
    target = play.seed()
    before = target.key()
    running = play.start(*play.run(1), failpoint=f"{failpoint}:stop@1")
    task = play.wait_for_stopped_task(running)
    server.stop(how)
    kill(task, signal.SIGCONT)
    time.sleep(0.2)
    server.start()
    done = finished(running)
    assert done.code == 0, str(done)
    assert done.task["attempts"] >= 2
    assert target.key() != before
    play.check(target)
    again = play.call(*play.execute(1))
    assert '"already-loaded"' in again.stdout
    play.check(target)
