"""`run` tasks: a command of the user's, with what every unit finds around it."""

from __future__ import annotations

import json
import os
import threading
from contextlib import closing
from pathlib import Path

from windlass import logs, tracing
from windlass.connections import variable
from windlass.errors import Code, FatalError
from windlass.locks import locked
from windlass.plan.instances import ENTRY
from windlass.plan.model import Task
from windlass.plan.schedule import RunDates
from windlass.plan.unit import Unit
from windlass.processes import exit_status, how_it_ended
from windlass.runtimes import Execution, Runtime
from windlass.runtimes.last_words import LastWords
from windlass.runtimes.lines import is_output, parse_line, shortened
from windlass.tasks.context import Context, TaskResult
from windlass.tasks.references import environment_given
from windlass.temporary import TemporaryFolder

__all__ = ["CommandFailedError", "environment_of", "run_command", "run_environment"]

_NUMBERS = ("rows_read", "rows_written", "rows_quarantined", "bytes")


class CommandFailedError(FatalError):
    """A command did not end with exit code 0. `said` is whether it told why, as an event; `last` what it printed last."""

    def __init__(self, code: int, *, said: bool, last: str = "") -> None:
        super().__init__(
            f"{how_it_ended(code)}{last}", code=Code.COMMAND_FAILED if code >= 0 else Code.KILLED
        )
        self.status, self.said = exit_status(code), said


def run_environment(*, run_id: str, run_key: str, dates: RunDates, services: object) -> dict[str, str]:
    """What every unit finds, in every language and under every scheduler."""
    return {
        "WINDLASS_RUN_ID": run_id,
        "WINDLASS_RUN_KEY": run_key,
        "WINDLASS_LOGICAL_DATE": dates.logical_date.isoformat(),
        "WINDLASS_DATA_INTERVAL_START": dates.interval_start.isoformat(),
        "WINDLASS_DATA_INTERVAL_END": dates.interval_end.isoformat(),
        "WINDLASS_SERVICES": json.dumps(services),
    }


def environment_of(task: Task, unit: Unit, runtime: Runtime, context: Context) -> dict[str, str]:
    """What the unit of a task finds, started by a process that executes one task."""
    run = run_environment(
        run_id=context.run_id,
        run_key=context.run_key,
        dates=context.dates,
        services=context.variables["services"],
    )
    addresses = {variable(name): runtime.seen(unit, context.address(name).uri()) for name in task.connections}
    run |= tracing.handed_on(os.environ)
    run |= {name: os.environ[name] for name in (ENTRY,) if name in os.environ}
    return {**run, **environment_given(task, addresses, context.connections, context.workspace.project)}


def run_command(task: Task, context: Context) -> TaskResult:
    """Run the command to its end; what it prints is printed. Raises CommandFailedError for its exit code."""
    assert task.unit is not None
    unit = context.rendered(task.unit)
    with TemporaryFolder(context.scratch_folder) as folder, locked(folder / "wanted") as wanted:
        runtime = context.runtimes(Path(wanted.name))
        with closing(runtime):
            runtime.prepare(unit)
            environment = environment_of(task, unit, runtime, context)
            follower = _Follower(context, runtime.start(unit, environment, task=task.name))
            code = follower.wait()
    if code != 0:
        raise CommandFailedError(code, said="error" in follower.failure, last=follower.last_words.after(code))
    return follower.task_result()


class _Follower:
    """Prints what a command prints, secrets masked, and keeps its result and its failure."""

    def __init__(self, context: Context, execution: Execution) -> None:
        self._context, self._execution = context, execution
        self._result: logs.Record = {}
        self.failure: logs.Record = {}
        self.last_words = LastWords()
        self._defect: BaseException | None = None
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def wait(self) -> int:
        """The exit code, once it has ended. Whoever is stopped meanwhile ends it, and has its last words."""
        try:
            self._thread.join()
        except BaseException:
            self._execution.stop()
            self._thread.join()
            raise
        finally:
            code = self._execution.wait()
        if self._defect is not None:
            raise self._defect
        return code

    def task_result(self) -> TaskResult:
        numbers = {name: self._result.get(name) for name in _NUMBERS}
        path, detail = self._result.get("path"), self._result.get("detail")
        return TaskResult(
            **{name: value for name, value in numbers.items() if isinstance(value, int)},
            path=None if path is None else str(path),
            detail=detail if isinstance(detail, dict) else {},
        )

    def _follow(self) -> None:
        try:
            self._take_lines()
        except BaseException as exc:  # noqa: BLE001 - it is raised where somebody waits
            self._defect = exc
            self._execution.stop()

    def _take_lines(self) -> None:
        for lines in self._execution.output():
            records = [(line, parse_line(line)) for line in lines]
            self.last_words.hear([record for _, record in records])
            texts = iter(shortened([line for line, record in records if is_output(record)]))
            printed = [next(texts) if is_output(record) else self._taken(record) for _, record in records]
            if any(line is not None for line in printed):
                self._context.output("\n".join(line for line in printed if line is not None))

    def _taken(self, record: logs.Record) -> str | None:
        """A record as it is to be printed, if it is to be."""
        if record["event"] == "result":
            self._result = record
            return None
        if record["event"] == "failed":
            self.failure = record
        if record["event"] == "progress" and "message" in record:  # of a progress bar, for people who look on
            return None
        return json.dumps(logs.masked(record))
