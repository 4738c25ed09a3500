"""Runs a plan: in dependency order, several tasks at once, until everything is done or was stopped.

The runner starts units, follows what they print, and writes down what became of them; what it does that with
is its world. So a task that crashes, hangs or eats its memory harms nobody else, and the same runner serves a
laptop, containers and tests.
"""

from __future__ import annotations

import json
import os
import signal
from contextlib import closing
from datetime import datetime

from msgspec import Struct, field

from windlass import logs
from windlass.errors import Code, ExitCode
from windlass.files import write_file, write_whole
from windlass.plan.codec import to_json
from windlass.plan.model import Plan, Task
from windlass.runner.alerting import Alerting
from windlass.runner.attempt import TaskWorker
from windlass.runner.beginning import Beginning, begin_again, begin_anew
from windlass.runner.events import Observer, SilentObserver
from windlass.runner.expanding import Expanding
from windlass.runner.history import AlertRecord, Run, TaskRun
from windlass.runner.journal import Journal
from windlass.runner.schedule import Schedule, select
from windlass.runner.services import Services
from windlass.runner.starter import Starter
from windlass.runner.world import World
from windlass.status import Status
from windlass.stopping import tell_when_asked

__all__ = ["Result", "RunOptions", "Runner"]


class RunOptions(Struct, frozen=True, kw_only=True):
    """How to run a plan."""

    logical_date: datetime | None = None
    only: tuple[str, ...] = ()
    start: str | None = None
    resume: Run | None = None
    """A run to take up again, leaving out what succeeded in it."""

    parallel: int | None = None
    """How many tasks at once; None for one a core, at least 2."""

    run_key: str | None = None
    """That of an earlier run of the same, instead of its own."""

    run_id: str | None = None
    """What a new run is called. Default: a name that no other has."""

    memory: str | None = None
    force: bool = False
    parent: str | None = None
    is_awaited: bool = True
    """Of a run that another triggered: whether that one waits for it, and tells what became of it."""

    @property
    def of_exec(self) -> tuple[str, ...]:
        """What every `windlass exec` of the run is given."""
        memory = ("--memory", self.memory) if self.memory else ()
        return (*memory, "--force") if self.force else memory


class Result(Struct):
    """How a run ended."""

    run: Run
    tasks: list[TaskRun] = field(default_factory=list)
    stopped_by: int | None = None
    alerts: list[AlertRecord] = field(default_factory=list)
    """Who was told of it, or was to be."""

    @property
    def exit_code(self) -> ExitCode:
        if self.stopped_by is not None:
            return ExitCode(128 + self.stopped_by)
        failed = [task for task in self.tasks if task.status == Status.FAILED]
        if self.run.status == Status.SUCCESS:
            return ExitCode.SUCCESS
        if failed and all(task.retryable for task in failed):
            return ExitCode.RETRYABLE
        return ExitCode.FAILED


class Runner:
    """One run of one plan."""

    def __init__(
        self, plan: Plan, world: World, options: RunOptions | None = None, observer: Observer | None = None
    ) -> None:
        self.plan, self.options = plan, options or RunOptions()
        self._world = world
        self._observer = observer or SilentObserver()
        self._workers: dict[str, TaskWorker] = {}
        self._stopped_by: int | None = None
        self._out_of_time: str | None = None
        self._alerting = Alerting(plan, world.history, world.clock, world.deliver)

    def check(self) -> None:
        """Raise WindlassError for what is known beforehand to keep a task from starting."""
        chosen = select(self.plan, self.options.only, self.options.start)
        self._world.check(task.unit for task in self.plan.tasks if task.unit and task.name in chosen)

    def run(self) -> Result:
        """Run the plan. Raises WindlassError only for what keeps it from beginning."""
        chosen = select(self.plan, self.options.only, self.options.start)
        begun = self._begin(chosen)
        self._record, self._tasks = begun.run, begun.tasks
        self._chosen = chosen
        self._schedule = Schedule(self.plan, chosen, begun.done)
        self._folder = self._world.state.run(begun.run.run_id)
        self._expanding = Expanding(self.plan, self._folder, self._tasks, begun.others)
        history, alone = self._world.history, self.plan.concurrency != "allow"
        with (
            history.kept_open(),
            history.begin(begun.run, list(begun.tasks.values()), alone=alone),
            tell_when_asked(self.stop),
            logs.bind(run=begun.run.run_id, pipeline=self.plan.pipeline),
        ):
            self._expanding.recall(begun.done)
            self._prepare(begun)
            try:
                with closing(self._runtime):
                    self._write_plan()
                    self._observer.run_started(self._record, self._expanding.plan)
                    self._note_versions()
                    self._loop_and_stop()
                return self._finish()
            finally:  # what is told at the end may need a dev service, too
                self._world.connections.close()

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Let the run end as that signal would; a second one does not hurry it. From any thread, and from a signal
        handler.
        """
        self._stopped_by = self._stopped_by or number
        self._alerting.stopped.set()
        self._world.loop.tell(lambda: None)

    # --- the loop ---

    def _loop_and_stop(self) -> None:
        limit = self.plan.timeout
        clock = self._world.clock
        cancel = clock.call_later(limit, self._run_out_of_time) if limit is not None else lambda: None
        try:
            self._loop()
        finally:
            cancel()
            self._stop_everything()

    def _run_out_of_time(self) -> None:
        """Let the run end as one that has failed. From the clock's thread."""
        self._out_of_time = f"the run timed out after {self.plan.timeout:g} s"
        for worker in list(self._workers.values()):
            worker.stop(self._out_of_time)
        self._world.loop.tell(lambda: None)

    @property
    def _is_cut_short(self) -> bool:
        return self._stopped_by is not None or self._out_of_time is not None

    def _loop(self) -> None:
        parallel = self.options.parallel or max(os.cpu_count() or 2, 2)
        while not self._is_cut_short:
            self._services.check()
            while service := self._schedule.next_service():
                self._services.start(service, self._tasks[service.name])
            while len(self._workers) < parallel and (task := self._schedule.next_task(self._has_slot)):
                self._start_task(task)
            if self._schedule.over:
                return
            self._world.loop.next()()

    def _has_slot(self, pool: str | None) -> bool:
        if pool is None:
            return True
        taken = sum(worker.task.pool == pool for worker in self._workers.values())
        return taken < self.plan.pools[pool]

    def _start_task(self, task: Task) -> None:
        self._schedule.set(task.name, Status.RUNNING)
        if task.each is not None:
            self._expand(task)
            return
        worker = TaskWorker(
            task=task,
            record=self._tasks[task.name],
            start=lambda number, **how: self._starter.attempt(task, number, **how),
            journal=self._journal,
        )
        self._workers[task.name] = worker

        def work() -> None:
            with logs.bind(run=self._record.run_id, pipeline=self.plan.pipeline, task=task.name):
                try:
                    worker.run()
                except Exception as exc:  # noqa: BLE001 - whatever it is, the run must come to its end
                    self._journal.failed(worker.record, exc)
                    self._world.loop.tell(lambda: self._journal.note(worker.record))
            self._world.loop.tell(lambda: self._task_ended(worker.record))

        self._world.loop.work(task.name, work)

    def _task_ended(self, record: TaskRun) -> None:
        del self._workers[record.task]
        self._schedule.set(record.task, record.status)
        self._note_wholes()

    # --- tasks made of entries ---

    def _expand(self, task: Task) -> None:
        """Have a task of each of its entries."""
        record = self._tasks[task.name]
        record.status, record.started, record.ended = Status.RUNNING, self._journal.now(), None
        record.error = record.code = None
        try:
            made = self._expanding.expand(task, lambda: self._starter.entries(task), self._schedule)
        except Exception as exc:  # noqa: BLE001 - whatever is wrong with its entries, the task has failed
            self._journal.failed(record, exc)
            self._schedule.set(task.name, Status.FAILED)
            made = []
        self._write_plan()
        self._observer.tasks_made(self._expanding.plan)
        self._journal.note(record, *made)
        self._note_wholes()

    def _note_wholes(self) -> None:
        """Note what has become of tasks that stand for others, as soon as that is known."""
        for record in self._expanding.ended(self._schedule):
            record.ended = self._journal.now()
            self._journal.note(record)

    # --- beginning and end ---

    def _begin(self, chosen: set[str]) -> Beginning:
        earlier, options = self.options.resume, self.options
        if earlier is not None:
            return begin_again(self.plan, chosen, earlier, self._world.history.tasks(earlier.run_id))
        now = self._world.clock.now()
        return begin_anew(
            self.plan,
            chosen,
            now,
            options.logical_date,
            options.parent,
            options.run_key,
            options.run_id,
        )

    def _prepare(self, begun: Beginning) -> None:
        """Have ready what starts tasks and services, and what is told of them."""
        world = self._world
        self._runtime = world.runtime(self._folder)
        self._journal = Journal(begun.run, self._folder, world.history, self._observer, world.clock)
        self._starter = Starter(
            plan=self.plan,
            run=begun.run,
            dates=begun.dates,
            world=world,
            runtime=self._runtime,
            folder=self._folder,
            observed=self._journal.environment,
            options=self.options.of_exec,
            made=self._expanding.entries,
        )
        self._services = Services(self._schedule, self._starter, self._journal, world.network, world.loop)

    def _write_plan(self) -> None:
        """Write down the plan with the tasks that were made; those that run may read it meanwhile."""
        write_whole(self._folder.plan, to_json(self._expanding.plan))

    def _finish(self) -> Result:
        self._note_wholes()
        for name, state in self._schedule.states.items():
            if (record := self._tasks[name]).status != state:
                record.status = state
                if state == Status.CANCELLED and self._out_of_time is not None:
                    record.error, record.code = self._out_of_time, Code.TIMED_OUT
                self._journal.note(record)
        has_failed = self._schedule.failed or self._out_of_time is not None
        self._record.status = Status.FAILED if has_failed else Status.SUCCESS
        if self._stopped_by is not None:
            self._record.status = Status.CANCELLED
        self._record.ended = self._journal.now()
        self._note_dev_services()
        result = Result(self._record, self._expanding.in_order(), self._stopped_by)
        if self.options.parent is None or not self.options.is_awaited:
            whole = self._chosen.issuperset(task.name for task in self.plan.tasks)
            result.alerts = self._alerting.run_ended(self._record, self._tasks, self._folder, whole=whole)
            if result.alerts:
                self._note_dev_services()
        self._observer.run_ended(result.run, result.tasks)
        return result

    def _note_versions(self) -> None:
        write_file(self._folder.versions, json.dumps(self._world.versions(), indent=2))

    def _note_dev_services(self) -> None:
        self._record.dev_services = dict(self._world.connections.dev_services)
        self._world.history.save(self._record)

    def _stop_everything(self) -> None:
        """Stop what still runs, and wait for it."""
        becomes = Status.CANCELLED if self._is_cut_short else Status.SUCCESS
        if self._is_cut_short:
            self._schedule.cancel()
        for worker in list(self._workers.values()):
            worker.stop(self._out_of_time if self._stopped_by is None else None)
        self._services.order_to_stop(becomes)
        while self._workers or self._services.are_starting:
            self._world.loop.next()()
        self._services.stop(becomes)
