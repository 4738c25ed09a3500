"""The process of a `service` task: started, waited for until its health check says yes, stopped."""

from __future__ import annotations

import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from windlass import logs
from windlass.devservices.running import free_port
from windlass.errors import FatalError
from windlass.plan.model import Unit
from windlass.processes import how_it_ended
from windlass.runtimes import Execution, Runtime, Step
from windlass.runtimes.lines import parse_line

__all__ = ["Server", "port_for"]

_POLL = 0.1
_HOST = "127.0.0.1"


def port_for(unit: Unit) -> int:
    """The port that a service shall listen on. Raises FatalError when the one that it wants is taken."""
    if unit.port is None:
        return free_port()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, unit.port))
        except OSError as exc:
            hint = "stop what listens there; or leave `port` out, and let the service listen on $PORT"
            raise FatalError(f"port {unit.port} is taken", hint=hint) from exc
    return unit.port


class Server:
    """One service. `take` is told every record that it prints, and returns it as it may be shown."""

    def __init__(
        self, unit: Unit, port: int, runtime: Runtime, take: Callable[[logs.Record], logs.Record]
    ) -> None:
        self._unit, self._port, self._runtime, self._take = unit, port, runtime, take
        self._execution: Execution | None = None
        self._failure: str | None = None
        self._stopping = threading.Event()
        self._ended = threading.Event()

    @property
    def address(self) -> dict[str, object]:
        """What `services.NAME` means in a template."""
        return {"url": f"http://{_HOST}:{self._port}", "host": _HOST, "port": self._port}

    @property
    def end(self) -> str:
        """How a service that has ended did so, in words."""
        return how_it_ended(self._execution.wait()) if self._execution else "it was not started"

    @property
    def has_died(self) -> bool:
        """Whether it ended although nobody stopped it."""
        return self._ended.is_set() and not self._stopping.is_set()

    def start(self, step: Step, lock: Path) -> None:
        """Start it and wait until it is ready. Raises WindlassError."""
        self._execution = self._runtime.start(self._runtime.prepare(step), lock)
        threading.Thread(target=self._follow, args=(self._execution,), daemon=True).start()
        self._wait_until_ready()

    def stop(self) -> None:
        """Stop it, and wait until it has ended."""
        self._stopping.set()
        if self._execution is not None:
            self._execution.stop()
            self._ended.wait()

    def wait(self) -> None:
        """Wait until it has ended."""
        if self._execution is not None:
            self._ended.wait()

    def _follow(self, execution: Execution) -> None:
        for line in execution.lines():
            record = self._take(parse_line(line))
            if record["event"] == "failed":
                self._failure = str(record.get("error"))
        execution.wait()
        self._ended.set()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self._unit.ready_timeout
        while not self._is_ready():
            if self._ended.is_set():
                ended = f"the service ended before it was ready: {self.end}"
                raise FatalError(self._failure or ended)
            if self._stopping.wait(_POLL):
                raise FatalError("the service was stopped before it was ready")
            if time.monotonic() > deadline:
                self.stop()
                what = self._unit.health or f"port {self._port}"
                raise FatalError(f"the service was not ready after {self._unit.ready_timeout:g} s ({what})")

    def _is_ready(self) -> bool:
        try:
            if self._unit.health is None:
                with socket.create_connection((_HOST, self._port), timeout=1):
                    return True
            url = f"{self.address['url']}/{self._unit.health.lstrip('/')}"
            with urllib.request.urlopen(url, timeout=5) as response:
                return bool(200 <= response.status < 300)
        except (OSError, urllib.error.URLError):
            return False
