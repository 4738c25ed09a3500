"""Runs a plan: in dependency order, several tasks at once, until everything is done or was stopped.

Every task is a process. The runner starts it, follows what it prints, and writes down what became of it;
so a task that crashes, hangs or eats its memory harms nobody else, and kill -9 of the runner leaves
nothing running (see runtimes/launcher.py).
"""

from __future__ import annotations

import json
import os
import queue
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from windlass import __version__, logs
from windlass.alerts import Alert, send_alert
from windlass.engine import Workspace
from windlass.errors import ExitCode, WindlassError
from windlass.plan.codec import to_json
from windlass.plan.model import Plan, Run, Service, Task, Trigger, Unit
from windlass.plan.schedule import Moment, moment_of
from windlass.plan.templates import variables
from windlass.runner.attempt import TaskWorker
from windlass.runner.connections import Connections
from windlass.runner.events import Observer, SilentObserver
from windlass.runner.history import History, TaskRun, now
from windlass.runner.history import Run as RunRecord
from windlass.runner.schedule import Schedule, select
from windlass.runner.server import port_for
from windlass.runner.services import ServiceWorker
from windlass.runner.versions import versions
from windlass.runtimes import Step
from windlass.runtimes.process import DetachedRuntime, ProcessRuntime
from windlass.state_folder import StateFolder
from windlass.status import Status
from windlass.tasks.command import command_step, run_environment
from windlass.tasks.context import render_strings

__all__ = ["Options", "Result", "Runner"]

_TICK = 0.2


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to run a plan."""

    project: Path
    workspace: Path | None = None
    """Where files are written; the project folder, unless said otherwise."""

    logical_date: datetime | None = None
    only: tuple[str, ...] = ()
    start: str | None = None
    resume: RunRecord | None = None
    """A run to take up again, leaving out what succeeded in it."""

    parallel: int = max(os.cpu_count() or 2, 2)
    memory: str | None = None
    force: bool = False
    parent: str | None = None


@dataclass
class Result:
    """How a run ended."""

    run: RunRecord
    tasks: list[TaskRun] = field(default_factory=list)
    stopped_by: int | None = None

    @property
    def exit_code(self) -> ExitCode:
        if self.stopped_by is not None:
            return ExitCode.TERMINATED if self.stopped_by == signal.SIGTERM else ExitCode.INTERRUPTED
        failed = [task for task in self.tasks if task.status == Status.FAILED]
        if self.run.status == Status.SUCCESS:
            return ExitCode.SUCCESS
        if failed and all(task.retryable for task in failed):
            return ExitCode.RETRYABLE
        return ExitCode.FAILED


class Runner:
    """One run of one plan."""

    def __init__(self, plan: Plan, options: Options, observer: Observer | None = None) -> None:
        self.plan, self.options = plan, options
        self._observer = observer or SilentObserver()
        self._state = StateFolder.of(options.project)
        self._history = History(self._state)
        self._workspace = Workspace(options.workspace or options.project, options.project)
        self._runtime = ProcessRuntime(self._state.environments)
        self._events: queue.Queue[Callable[[], None]] = queue.Queue()
        self._workers: dict[str, TaskWorker] = {}
        self._services: dict[str, ServiceWorker] = {}
        self._stopped_by: int | None = None

    def run(self) -> Result:
        """Run the plan. Raises WindlassError only for what keeps it from beginning."""
        chosen = select(self.plan, self.options.only, self.options.start)
        self._moment = self._choose_moment()
        self._record = self._new_record()
        tasks, already = self._task_records(chosen)
        self._schedule = Schedule(self.plan, chosen, already)
        self._folder = self._state.run(self._record.run_id)
        lock = self._history.begin(
            self._record, list(tasks.values()), alone=self.plan.concurrency == "forbid"
        )
        with lock, self._signals_stop_it(), logs.bind(run=self._record.run_id, pipeline=self.plan.pipeline):
            self._tasks = tasks
            self._folder.plan.write_text(to_json(self.plan), encoding="utf-8")
            self._folder.versions.write_text(json.dumps(versions(), indent=2), encoding="utf-8")
            self._observer.run_started(self._record, self.plan)
            self._connections = Connections(self.plan.connections, self.options.project, self._state)
            try:
                self._loop()
            finally:
                self._stop_everything()
                self._connections.close()
            return self._finish()

    # --- the loop ---

    def _loop(self) -> None:
        while not self._schedule.over and self._stopped_by is None:
            for task in self._schedule.ready():
                if isinstance(task.action, Service):
                    self._start_service(task)
                elif len(self._workers) < self.options.parallel and self._has_slot(task):
                    self._start_task(task)
            self._check_services()
            try:
                self._events.get(timeout=_TICK)()
            except queue.Empty:
                continue

    def _has_slot(self, task: Task) -> bool:
        if task.pool is None:
            return True
        taken = sum(worker.task.pool == task.pool for worker in self._workers.values())
        return taken < self.plan.pools[task.pool]

    def _start_task(self, task: Task) -> None:
        self._schedule.set(task.name, Status.RUNNING)
        worker = TaskWorker(
            task=task,
            record=self._tasks[task.name],
            step=lambda attempt: self._step(task, attempt),
            runtime=DetachedRuntime() if _is_left_alone(task) else self._runtime,
            folder=self._folder,
            history=self._history,
            observer=self._observer,
            pipeline=self.plan.pipeline,
        )
        self._workers[task.name] = worker

        def work() -> None:
            try:
                with logs.bind(run=self._record.run_id, pipeline=self.plan.pipeline, task=task.name):
                    worker.run()
            finally:  # even after a defect of our own: the run must come to its end
                self._events.put(lambda: self._task_ended(worker.record))

        threading.Thread(target=work, name=task.name, daemon=True).start()

    def _task_ended(self, record: TaskRun) -> None:
        del self._workers[record.task]
        if record.status in (Status.RUNNING, Status.UP_FOR_RETRY):
            record.status, record.error, record.ended = Status.FAILED, "windlass failed at this task", now()
            self._save(record)
        self._schedule.set(record.task, record.status)

    def _start_service(self, task: Task) -> None:
        self._schedule.set(task.name, Status.RUNNING)
        record = self._tasks[task.name]
        try:
            unit = self._unit(task)
            port = port_for(unit)
            step = self._command_step(task, unit, {"PORT": str(port)})
        except WindlassError as exc:
            record.status, record.error, record.started, record.ended = Status.FAILED, str(exc), now(), now()
            self._save(record)
            self._schedule.set(task.name, Status.FAILED)
            return
        service = ServiceWorker(
            task.name, unit, port, record, step, self._runtime, self._folder, self._history, self._observer,
            self.plan.pipeline,
        )  # fmt: skip
        self._services[task.name] = service

        def work() -> None:
            is_up = service.start()
            self._events.put(lambda: self._service_started(service, is_up=is_up))

        threading.Thread(target=work, name=task.name, daemon=True).start()

    def _service_started(self, service: ServiceWorker, *, is_up: bool) -> None:
        if is_up:
            self._schedule.is_up(service.name)
        else:
            self._schedule.set(service.name, service.record.status)

    def _check_services(self) -> None:
        for name in self._schedule.idle_services():
            self._services[name].stop()
            self._schedule.set(name, self._services[name].record.status)
        for name, service in self._services.items():
            if service.record.status == Status.RUNNING and service.has_died:
                service.fail()
                self._schedule.set(name, Status.FAILED)

    # --- what a task is, as a step ---

    def _step(self, task: Task, attempt: int) -> Step:
        action = task.action
        if isinstance(action, Run | Service):
            return self._command_step(task, self._unit(task), {})
        if isinstance(action, Trigger):
            return self._trigger_step(render_strings(action, self._variables(task)))
        command = [sys.executable, "-m", "windlass", "-C", str(self.options.project), "exec"]
        command += [self.plan.pipeline, task.name, "--plan", str(self._folder.plan)]
        command += ["--memory", self.options.memory] if self.options.memory else []
        command += ["--force"] if self.options.force else []
        environment = {
            **os.environ,
            **self._run_environment(),
            **self._connections.environment(task.connections),
            "WINDLASS_ATTEMPT": str(attempt),
            "WINDLASS_PARAMS": json.dumps(self.plan.params),
        }
        return Step(tuple(command), None, environment)

    def _unit(self, task: Task) -> Unit:
        assert task.unit is not None
        return render_strings(task.unit, self._variables(task))

    def _command_step(self, task: Task, unit: Unit, extra: Mapping[str, str]) -> Step:
        environment = {**self._run_environment(), **self._connections.environment(task.connections)}
        return command_step(unit, self.options.project, {**environment, **extra})

    def _trigger_step(self, action: Trigger) -> Step:
        command = [sys.executable, "-m", "windlass", "-C", str(self.options.project), "run", action.pipeline]
        command += ["--params-json", json.dumps(action.params)]
        if self._moment.scheduled:
            command += ["--logical-date", self._moment.logical_date.isoformat()]
        command += ["--workspace", str(self._workspace.root), "--parent", self._record.run_id, "--as-task"]
        return Step(tuple(command), None, dict(os.environ))

    def _run_environment(self) -> dict[str, str]:
        return run_environment(
            run_id=self._record.run_id,
            run_key=self._record.run_key,
            moment=self._moment,
            workspace=self._workspace.root,
            services=self._service_addresses(),
        )

    def _variables(self, task: Task) -> dict[str, object]:
        return variables(
            run_id=self._record.run_id,
            logical_date=self._moment.logical_date,
            interval=self._moment.interval,
            params=self.plan.params,
            services=self._service_addresses(),
            paths=task.paths,
        )

    def _service_addresses(self) -> dict[str, dict[str, object]]:
        return {name: service.address for name, service in self._services.items()}

    # --- beginning and end ---

    def _choose_moment(self) -> Moment:
        earlier = self.options.resume
        if earlier is None:
            current = datetime.now(UTC)
            return moment_of(self.plan.schedule, self.plan.timezone, self.options.logical_date, current)
        dates = (earlier.logical_date, earlier.interval_start, earlier.interval_end)
        logical, start, end = map(datetime.fromisoformat, dates)
        return Moment(logical, start, end, earlier.scheduled)

    def _new_record(self) -> RunRecord:
        if self.options.resume is not None:
            record = self.options.resume
            record.status, record.ended = Status.RUNNING, None
            return record
        started = datetime.now(UTC)
        run_id = f"{self.plan.pipeline}-{started:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
        logical = self._moment.logical_date.isoformat()
        return RunRecord(
            run_id=run_id,
            pipeline=self.plan.pipeline,
            run_key=logical if self._moment.scheduled else run_id,
            logical_date=logical,
            interval_start=self._moment.interval_start.isoformat(),
            interval_end=self._moment.interval_end.isoformat(),
            scheduled=self._moment.scheduled,
            params=dict(self.plan.params),
            started=started.isoformat(timespec="milliseconds"),
            parent=self.options.parent,
            version=__version__,
        )

    def _task_records(self, chosen: set[str]) -> tuple[dict[str, TaskRun], list[str]]:
        """The records of all tasks, and the names of those that had succeeded before."""
        before: dict[str, TaskRun] = {}
        if self.options.resume is not None:
            before = {record.task: record for record in self._history.tasks(self.options.resume.run_id)}
        records = {
            task.name: before.get(task.name) or TaskRun(self._record.run_id, task.name, task.kind)
            for task in self.plan.tasks
        }
        already = [
            name
            for name, record in records.items()
            if record.status == Status.SUCCESS and record.kind != "service"
        ]
        for name, record in records.items():
            if name not in already:
                record.status = Status.PENDING if name in chosen else Status.SKIPPED
        return records, already

    def _finish(self) -> Result:
        for name, record in self._tasks.items():
            state = self._schedule.states[name]
            if self._stopped_by is not None and state == Status.PENDING:
                state = Status.CANCELLED
            if record.status != state:
                record.status = state
                self._save(record)
        self._record.status = Status.FAILED if self._schedule.failed else Status.SUCCESS
        if self._stopped_by is not None:
            self._record.status = Status.CANCELLED
        self._record.ended = now()
        self._history.save(self._record)
        result = Result(self._record, list(self._tasks.values()), self._stopped_by)
        if self._record.status == Status.FAILED and self.options.parent is None:
            self._alert(result)
        self._observer.run_ended(result.run, result.tasks)
        return result

    def _alert(self, result: Result) -> None:
        failed = tuple((task.task, task.error or "") for task in result.tasks if task.status == Status.FAILED)
        alert = Alert(
            self.plan.project, self.plan.pipeline, result.run.run_id, result.run.logical_date, failed
        )
        connections = {name: self.plan.connections[name].type for name in self.plan.on_failure}
        send_alert(alert, connections, self.options.project)

    def _stop_everything(self) -> None:
        """Stop what still runs, and wait for it."""
        for worker in list(self._workers.values()):
            worker.stop()
        while self._workers:
            self._events.get()()
        for name, service in self._services.items():
            if service.record.status == Status.RUNNING:
                service.cancel() if self._stopped_by is not None else service.stop()
                self._schedule.set(name, service.record.status)

    @contextmanager
    def _signals_stop_it(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM end the loop; a second Ctrl-C does not hurry it."""

        def stop(number: int, _frame: FrameType | None) -> None:
            self._stopped_by = number
            self._events.put(lambda: None)

        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _save(self, record: TaskRun) -> None:
        self._history.save(record)
        self._observer.task_changed(record)


def _is_left_alone(task: Task) -> bool:
    """Whether it starts another run and does not wait for it."""
    return isinstance(task.action, Trigger) and not task.action.wait
