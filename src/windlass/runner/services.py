"""`service` tasks: commands in the background, ready once their health check says so."""

from __future__ import annotations

import socket
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field

from windlass import logs
from windlass.devservices.running import free_port
from windlass.errors import FatalError, WindlassError
from windlass.plan.model import Service
from windlass.runner.events import Observer
from windlass.runner.history import CANCELLED, FAILED, RUNNING, SUCCESS, Attempt, History, TaskRun, now
from windlass.runner.lines import TaskLog, parse_line
from windlass.runtimes import Execution, Runtime, Step
from windlass.state_folder import RunFolder

__all__ = ["ServiceWorker", "port_for"]

_POLL = 0.1
_HOST = "127.0.0.1"


def port_for(action: Service) -> int:
    """The port that a service shall listen on. Raises FatalError when the one that it wants is taken."""
    if action.port is None:
        return free_port()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, action.port))
        except OSError as exc:
            hint = "stop what listens there; or leave `port` out, and let the service listen on $PORT"
            raise FatalError(f"port {action.port} is taken", hint=hint) from exc
    return action.port


@dataclass
class ServiceWorker:
    """Runs one service until it is told to stop."""

    name: str
    action: Service
    port: int
    record: TaskRun
    step: Step
    runtime: Runtime
    folder: RunFolder
    history: History
    observer: Observer
    pipeline: str
    _execution: Execution | None = None
    _failure: str | None = None
    _stopping: threading.Event = field(default_factory=threading.Event)
    _ended: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self) -> dict[str, object]:
        """What `services.NAME` means in a template."""
        return {"url": f"http://{_HOST}:{self.port}", "host": _HOST, "port": self.port}

    def start(self) -> bool:
        """Start it and wait until it is ready. Returns whether it is."""
        self.record.status, self.record.started, self.record.attempts = (
            RUNNING,
            now(),
            self.record.attempts + 1,
        )
        self._attempt = Attempt(self.record.run_id, self.name, self.record.attempts, started=now())
        self._save()
        context = {"run": self.record.run_id, "pipeline": self.pipeline, "task": self.name}
        self._log = TaskLog(self.folder.log(self.name, self.record.attempts), context)
        try:
            self._execution = self.runtime.start(self.runtime.prepare(self.step), self.folder.lock)
            threading.Thread(target=self._follow, args=(self._execution,), daemon=True).start()
            self._wait_until_ready()
        except WindlassError as exc:
            self._end(FAILED, logs.mask(str(exc)))
            return False
        logs.info("service_ready", task=self.name, url=self.address["url"])
        return True

    def stop(self) -> None:
        """Stop it, and wait until it has ended."""
        self._stopping.set()
        if self._execution is not None:
            self._execution.stop()
            self._ended.wait()
        if self.record.status == RUNNING:
            self._end(SUCCESS, None)

    def cancel(self) -> None:
        """Stop it because the run is stopped."""
        self.stop()
        self._end(CANCELLED, None)

    @property
    def has_died(self) -> bool:
        """Whether it ended although nobody stopped it."""
        return self._ended.is_set() and not self._stopping.is_set()

    def fail(self) -> None:
        """Note that it died."""
        code = self._execution.wait() if self._execution else None
        self._end(FAILED, f"the service ended by itself, with exit code {code}")

    def _follow(self, execution: Execution) -> None:
        for line in execution.lines():
            record = self._log.write(parse_line(line))
            if record["event"] == "failed":
                self._failure = str(record.get("error"))
            self.observer.log(record)
        execution.wait()
        self._ended.set()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self.action.ready_timeout
        while not self._is_ready():
            if self._ended.is_set():
                code = self._execution.wait() if self._execution else None
                ended = f"the service ended before it was ready, with exit code {code}"
                raise FatalError(self._failure or ended)
            if self._stopping.wait(_POLL):
                raise FatalError("the service was stopped before it was ready")
            if time.monotonic() > deadline:
                self.stop()
                what = self.action.health or f"port {self.port}"
                raise FatalError(f"the service was not ready after {self.action.ready_timeout:g} s ({what})")

    def _is_ready(self) -> bool:
        try:
            if self.action.health is None:
                with socket.create_connection((_HOST, self.port), timeout=1):
                    return True
            url = f"{self.address['url']}/{self.action.health.lstrip('/')}"
            with urllib.request.urlopen(url, timeout=5) as response:
                return bool(200 <= response.status < 300)
        except (OSError, urllib.error.URLError):
            return False

    def _end(self, status: str, error: str | None) -> None:
        self.record.status, self.record.error, self.record.ended = status, error, now()
        self._attempt.status, self._attempt.error, self._attempt.ended = status, error, now()
        self._save()

    def _save(self) -> None:
        self.history.save(self._attempt)
        self.history.save(self.record)
        self.observer.task_changed(self.record)
