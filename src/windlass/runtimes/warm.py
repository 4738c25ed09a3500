"""Tasks of windlass itself, started by a process that has done their imports: where many are short, such as in tests.

Where that cannot be, as on another system than Linux, they are started as usual.
"""

from __future__ import annotations

import json
import os
import pkgutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import import_module

from windlass import registry
from windlass.runtimes import Execution
from windlass.runtimes.forker import NUMBER, READY
from windlass.runtimes.splitting import batches_of

__all__ = ["WarmProcess"]

_OF_ANY_TASK = ("windlass.engine", "windlass.tasks")
_LATE = (
    *(
        "windlass.observers",
        "windlass.plan.travel",
        "windlass.templates.sandbox",
        "windlass.connectors.json_schema",
    ),
    *("windlass.connectors.sql.options", "windlass.connectors.stores.database", "windlass.runner.quarantine"),
    *("windlass.storage.file", "windlass.storage.history", "windlass.storage.turns"),
    *("jsonschema_rs", "pyarrow.compute", "pytz", "encodings.idna"),
)
"""What tasks import only when they come to it."""

_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
_KILLED = -9


class WarmProcess:
    """Starts tasks by a fork of one process, which begins with the first of them. Implements `Warm`."""

    def __init__(self, connectors: Iterable[str]) -> None:
        self._connectors = sorted({registry.FILES, registry.SCRATCH, *connectors})
        self._sending = threading.Lock()
        self._requests: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def close(self) -> None:
        """End it, and what it has started."""
        if self._requests is not None:
            self._requests.close()
        if self._process is not None:
            self._process.wait()

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> Execution | None:
        """Start `python -m windlass …` in this folder; None where that has to be done otherwise."""
        request = {"arguments": command[3:], "environment": dict(environment), "folder": os.getcwd()}  # noqa: PTH109
        message = json.dumps(request).encode()
        with self._sending:
            requests = self._ready()
            if requests is None:
                return None
            ours, theirs = socket.socketpair()
            read, write = os.pipe()
            try:
                socket.send_fds(requests, [NUMBER.pack(len(message))], [theirs.fileno(), write])
                requests.sendall(message)
            except OSError:  # it has ended
                ours.close()
                os.close(read)
                return None
            finally:
                theirs.close()
                os.close(write)
        return _Forked(ours, read)

    def _ready(self) -> socket.socket | None:
        """The socket for requests; None when the process could not be started."""
        if self._process is None and sys.platform == "linux":
            requests, theirs = socket.socketpair()
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "windlass.runtimes.forker", *self._modules()],
                    env={**os.environ, **_ONE_THREAD},
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            if requests.recv(1) == READY:
                self._requests = requests
            else:
                requests.close()
        return self._requests

    def _modules(self) -> list[str]:
        """What a task may import, of us and of others; a plugin does so itself."""
        ours = [name for name in self._connectors if name in registry.CONNECTORS.own]
        packages = [*_OF_ANY_TASK, *(f"windlass.connectors.{name}" for name in ours)]
        drivers = {package for name in ours for package in registry.require(name).packages}
        return [
            "windlass.cli.exec",
            *_LATE,
            *(f"windlass.connectors.{name}.connector" for name in registry.CONNECTORS.own),
            *(module for package in packages for module in _within(package)),
            *sorted(drivers),
        ]


def _within(package: str) -> list[str]:
    """A package, and the modules in it at every level."""
    path = import_module(package).__path__
    return [package, *(found.name for found in pkgutil.walk_packages(path, f"{package}."))]


class _Forked:
    """A task that was forked. Implements `Execution`."""

    def __init__(self, answer: socket.socket, output: int) -> None:
        self._answer, self._output = answer, output
        self._code: int | None = None
        self._ending = threading.Lock()

    def output(self) -> Iterator[Sequence[str]]:
        with os.fdopen(self._output, "rb") as output:
            yield from batches_of(output)

    def stop(self) -> None:
        with self._ending, suppress(OSError):  # it has ended
            self._answer.send(b"-")

    def wait(self) -> int:
        if self._code is None:
            answer = self._answer.recv(NUMBER.size, socket.MSG_WAITALL)
            self._code = int(*NUMBER.unpack(answer)) if len(answer) == NUMBER.size else _KILLED
            with self._ending:
                self._answer.close()
        return self._code
