"""`service` tasks of a run: what became of them is written down, as of every other task."""

from __future__ import annotations

from dataclasses import dataclass

from windlass import logs
from windlass.errors import WindlassError
from windlass.plan.model import Unit
from windlass.runner.events import Observer
from windlass.runner.history import Attempt, History, TaskRun, now
from windlass.runner.server import Server
from windlass.runtimes import Runtime, Step
from windlass.runtimes.lines import TaskLog
from windlass.state_folder import RunFolder
from windlass.status import Status

__all__ = ["ServiceWorker"]


@dataclass
class ServiceWorker:
    """Runs one service until it is told to stop."""

    name: str
    unit: Unit
    port: int
    record: TaskRun
    step: Step
    runtime: Runtime
    folder: RunFolder
    history: History
    observer: Observer
    pipeline: str

    def __post_init__(self) -> None:
        self._server = Server(self.unit, self.port, self.runtime, self._take)

    @property
    def address(self) -> dict[str, object]:
        """What `services.NAME` means in a template."""
        return self._server.address

    @property
    def has_died(self) -> bool:
        """Whether it ended although nobody stopped it."""
        return self._server.has_died

    def start(self) -> bool:
        """Start it and wait until it is ready. Returns whether it is."""
        record = self.record
        record.status, record.started, record.attempts = Status.RUNNING, now(), record.attempts + 1
        self._attempt = Attempt(record.run_id, self.name, record.attempts, started=now())
        self._save()
        context = {"run": record.run_id, "pipeline": self.pipeline, "task": self.name}
        self._log = TaskLog(self.folder.log(self.name, record.attempts), context)
        try:
            self._server.start(self.step, self.folder.lock)
        except WindlassError as exc:
            self._end(Status.FAILED, logs.mask(str(exc)))
            return False
        logs.info("service_ready", task=self.name, url=self.address["url"])
        return True

    def stop(self) -> None:
        """Stop it, and wait until it has ended."""
        self._server.stop()
        if self.record.status == Status.RUNNING:
            self._end(Status.SUCCESS, None)

    def cancel(self) -> None:
        """Stop it because the run is stopped."""
        self.stop()
        self._end(Status.CANCELLED, None)

    def fail(self) -> None:
        """Note that it died."""
        self._end(Status.FAILED, f"the service ended by itself: {self._server.end}")

    def _take(self, record: logs.Record) -> logs.Record:
        shown = self._log.write(record)
        self.observer.log(shown)
        return shown

    def _end(self, status: Status, error: str | None) -> None:
        self.record.status, self.record.error, self.record.ended = status, error, now()
        self._attempt.status, self._attempt.error, self._attempt.ended = status, error, now()
        self._save()

    def _save(self) -> None:
        self.history.save(self._attempt)
        self.history.save(self.record)
        self.observer.task_changed(self.record)
