"""`service` tasks of a run: started when a task waits for them, stopped when none does any more, and what became of
them is written down, as of every other task.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from windlass import logs
from windlass.errors import WindlassError, as_error
from windlass.plan.model import Task
from windlass.plan.unit import Unit
from windlass.runner.history import Attempt, TaskRun
from windlass.runner.journal import Journal
from windlass.runner.loop import Loop
from windlass.runner.network import Endpoint, Network
from windlass.runner.schedule import Schedule
from windlass.runner.server import Server
from windlass.runner.starter import Starter
from windlass.runtimes import Execution
from windlass.status import Status

__all__ = ["Services"]


@dataclass
class Services:
    """The services of one run. All of it is called by the thread that decides."""

    schedule: Schedule
    starter: Starter
    journal: Journal
    network: Network
    loop: Loop
    _workers: dict[str, _ServiceWorker] = field(default_factory=dict)
    """Those that were started, and have not ended."""

    _starting: set[str] = field(default_factory=set)
    """Those of which it is not known yet whether they came up."""

    @property
    def are_starting(self) -> bool:
        return bool(self._starting)

    def start(self, task: Task, record: TaskRun) -> None:
        """Have the service started; the schedule is told when it is up, or that it is not."""
        self.schedule.set(task.name, Status.RUNNING)
        try:
            unit = self.starter.unit(task)
            endpoint = self.starter.endpoint(task, unit)
        except WindlassError as exc:
            self.journal.failed(record, exc)
            self.journal.note(record)
            self.schedule.set(task.name, record.status)
            return
        self.starter.services[task.name] = endpoint
        worker = _ServiceWorker(
            record=record,
            unit=unit,
            endpoint=endpoint,
            start_unit=lambda number: self.starter.service(task, unit, endpoint, number),
            network=self.network,
            journal=self.journal,
            ended=lambda: self.loop.tell(lambda: None),
        )
        self._workers[task.name] = worker
        self._starting.add(task.name)
        self.loop.work(task.name, lambda: self._start(worker))

    def check(self) -> None:
        """Stop those that nobody will use any more, and note those that have died."""
        for name in self.schedule.idle_services():
            if name in self._starting:
                self._workers[name].order_to_stop(Status.SUCCESS)
            else:
                self._end(name, self._workers[name].stop)
        for name, worker in list(self._workers.items()):
            if name not in self._starting and worker.has_died:
                self._end(name, worker.fail)

    def order_to_stop(self, becomes: Status) -> None:
        """Have those stopped that are only starting. Returns at once."""
        for name in self._starting:
            self._workers[name].order_to_stop(becomes)

    def stop(self, becomes: Status) -> None:
        """Stop all that are up, and wait until they have ended."""
        for name, worker in list(self._workers.items()):
            self._end(name, lambda worker=worker: worker.stop(becomes))  # type: ignore[misc]

    def _start(self, worker: _ServiceWorker) -> None:
        is_up = False
        try:
            is_up = worker.start()
        except Exception as exc:  # noqa: BLE001 - whatever it is, the run must come to its end
            self.journal.failed(worker.record, exc)
            self.loop.tell(lambda: self.journal.note(worker.record))
        self.loop.tell(lambda: self._started(worker, is_up=is_up))

    def _started(self, worker: _ServiceWorker, *, is_up: bool) -> None:
        name = worker.record.task
        self._starting.discard(name)
        if is_up:
            self.schedule.is_up(name)
        else:
            self.schedule.set(name, self._workers.pop(name).record.status)

    def _end(self, name: str, end: Callable[[], None]) -> None:
        end()
        self.schedule.set(name, self._workers.pop(name).record.status)


@dataclass
class _ServiceWorker:
    """One service, from its start to its end."""

    record: TaskRun
    unit: Unit
    endpoint: Endpoint
    start_unit: Callable[[int], Execution]
    """Starts an attempt of that number. May raise WindlassError."""

    network: Network
    journal: Journal
    ended: Callable[[], None]
    """Called when it has ended, whoever ended it."""

    def __post_init__(self) -> None:
        record, now = self.record, self.journal.now()
        record.status, record.started, record.attempts = Status.RUNNING, now, record.attempts + 1
        self._attempt = Attempt(record.run_id, record.task, record.attempts, started=now)
        self.journal.note(record, self._attempt)
        self._log = self.journal.log(record.task, record.attempts)
        self._becomes = Status.SUCCESS
        show, clock = self._log.show_all, self.journal.clock
        self._server = Server(self.unit, self.endpoint, self.network, show, clock, self.ended)

    @property
    def has_died(self) -> bool:
        """Whether it ended although nobody stopped it."""
        return self._server.has_died

    def start(self) -> bool:
        """Start it and wait until it is ready. Returns whether it is."""
        try:
            self._server.start(lambda: self.start_unit(self.record.attempts))
        except Exception as exc:  # noqa: BLE001 - whatever it is, the service is not up
            if self._server.was_stopped:
                self._server.wait()
                self._end(self._becomes, None)
            else:
                error = as_error(exc)
                self.record.code = error.code
                self._end(Status.FAILED, logs.mask(str(error)))
            return False
        logs.info("service_ready", task=self.record.task, url=self.endpoint.url)
        return True

    def order_to_stop(self, becomes: Status) -> None:
        """Have it stopped while it is starting. Returns at once."""
        self._becomes = becomes
        self._server.order_to_stop()

    def stop(self, becomes: Status = Status.SUCCESS) -> None:
        """Stop it, and wait until it has ended."""
        self._server.stop()
        self._end(becomes, None)

    def fail(self) -> None:
        """Note that it died."""
        self._end(Status.FAILED, f"the service ended by itself: {self._server.end}")

    def _end(self, status: Status, error: str | None) -> None:
        now = self.journal.now()
        self.record.status, self.record.error, self.record.ended = status, error, now
        self._attempt.status, self._attempt.error, self._attempt.ended = status, error, now
        self.journal.note(self._attempt, self.record)
        self._log.close()
