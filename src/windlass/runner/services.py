"""`service` tasks of a run: what became of them is written down, as of every other task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from windlass import logs
from windlass.errors import as_error
from windlass.plan.unit import Unit
from windlass.runner.clock import timestamp
from windlass.runner.events import Observer
from windlass.runner.history import Attempt, TaskRun
from windlass.runner.network import Endpoint
from windlass.runner.server import Server
from windlass.runner.world import World
from windlass.runtimes import Execution
from windlass.runtimes.lines import TaskLog
from windlass.state_folder import RunFolder
from windlass.status import Status

__all__ = ["ServiceWorker"]


@dataclass
class ServiceWorker:
    """Runs one service until it is told to stop."""

    name: str
    unit: Unit
    endpoint: Endpoint
    record: TaskRun
    start_unit: Callable[[int], Execution]
    """Starts an attempt of that number. May raise WindlassError."""

    ended: Callable[[], None]
    """Called when it has ended, whoever ended it."""

    world: World
    folder: RunFolder
    observer: Observer
    pipeline: str

    def __post_init__(self) -> None:
        world = self.world
        self._stopped = Status.SUCCESS
        self._server = Server(self.unit, self.endpoint, world.network, self._take, world.clock, self.ended)

    @property
    def has_died(self) -> bool:
        """Whether it ended although nobody stopped it."""
        return self._server.has_died

    def start(self) -> bool:
        """Start it and wait until it is ready. Returns whether it is."""
        record = self.record
        record.status, record.started, record.attempts = Status.RUNNING, self._now(), record.attempts + 1
        self._attempt = Attempt(record.run_id, self.name, record.attempts, started=self._now())
        self._save()
        context = {"run": record.run_id, "pipeline": self.pipeline, "task": self.name}
        self._log = TaskLog(self.folder.log(self.name, record.attempts), context)
        try:
            self._server.start(lambda: self.start_unit(record.attempts))
        except Exception as exc:  # noqa: BLE001 - whatever it is, the run must come to its end
            if self._server.was_stopped:
                self._server.wait()
                self._end(self._stopped, None)
            else:
                self._end(Status.FAILED, logs.mask(str(as_error(exc))))
            return False
        logs.info("service_ready", task=self.name, url=self.endpoint.url)
        return True

    def order_to_stop(self, *, cancelled: bool = False) -> None:
        """Have it stopped, even if it is only being started. Returns at once."""
        self._stopped = Status.CANCELLED if cancelled else Status.SUCCESS
        self._server.order_to_stop()

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
        self.record.status, self.record.error, self.record.ended = status, error, self._now()
        self._attempt.status, self._attempt.error, self._attempt.ended = status, error, self._now()
        self._save()
        self._log.close()

    def _now(self) -> str:
        return timestamp(self.world.clock.now())

    def _save(self) -> None:
        self.world.history.save(self._attempt)
        self.world.history.save(self.record)
        self.observer.task_changed(self.record)
