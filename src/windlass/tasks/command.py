"""`run` tasks: a command of the user's, with what every step finds around it."""

from __future__ import annotations

import fcntl
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from windlass import logs
from windlass.connections import variable
from windlass.errors import FatalError
from windlass.plan.model import Run, Service
from windlass.plan.schedule import Moment
from windlass.processes import exit_status, how_it_ended
from windlass.runtimes import Execution, Step
from windlass.runtimes.lines import parse_line
from windlass.runtimes.process import ProcessRuntime
from windlass.tasks.context import Context, TaskResult
from windlass.temporary import TemporaryFolder

__all__ = ["CommandFailedError", "command_step", "context_step", "run_command", "run_environment"]

_NUMBERS = ("rows_read", "rows_written", "rows_quarantined", "bytes")


class CommandFailedError(FatalError):
    """A command did not end with exit code 0. `said` is whether it told why, as an event."""

    def __init__(self, code: int, *, said: bool) -> None:
        super().__init__(how_it_ended(code))
        self.code, self.said = exit_status(code), said


def run_environment(
    *, run_id: str, run_key: str, moment: Moment, workspace: Path, services: object
) -> dict[str, str]:
    """What every step finds, in every language and under every scheduler."""
    return {
        "WINDLASS_RUN_ID": run_id,
        "WINDLASS_RUN_KEY": run_key,
        "WINDLASS_LOGICAL_DATE": moment.logical_date.isoformat(),
        "WINDLASS_DATA_INTERVAL_START": moment.interval_start.isoformat(),
        "WINDLASS_DATA_INTERVAL_END": moment.interval_end.isoformat(),
        "WINDLASS_WORKSPACE": str(workspace),
        "WINDLASS_SERVICES": json.dumps(services),
    }


def command_step(action: Run | Service, project: Path, environment: Mapping[str, str]) -> Step:
    """The step of a rendered action: its command, in its folder, with its own environment on top."""
    return Step(action.command, project / (action.build or ""), {**environment, **action.env})


def context_step(action: Run | Service, context: Context, **extra: str) -> Step:
    """The step of a rendered action in a process that executes one task."""
    environment = run_environment(
        run_id=context.run_id,
        run_key=context.run_key,
        moment=context.moment,
        workspace=context.workspace.root,
        services=context.variables["services"],
    )
    connections = {variable(name): context.address(name).uri() for name in action.connections}
    return command_step(action, context.workspace.project, {**environment, **connections, **extra})


def run_command(action: Run, context: Context) -> TaskResult:
    """Run the command to its end; what it prints is printed. Raises CommandFailedError for its exit code."""
    runtime = ProcessRuntime(context.environments)
    step = runtime.prepare(context_step(action, context))
    with TemporaryFolder(context.scratch_folder) as folder, _held(folder / "wanted") as lock:
        follower = _Follower(context, runtime.start(step, lock))
        code = follower.wait()
    if code != 0:
        raise CommandFailedError(code, said="error" in follower.failure)
    return follower.task_result()


@contextmanager
def _held(file: Path) -> Iterator[Path]:
    """Hold the lock on a file, which says that the command is wanted."""
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield file


class _Follower:
    """Prints what a command prints, secrets masked, and keeps its result and its failure."""

    def __init__(self, context: Context, execution: Execution) -> None:
        self._context, self._execution = context, execution
        self._result: logs.Record = {}
        self.failure: logs.Record = {}
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
        for line in self._execution.lines():
            record = parse_line(line)
            if record["event"] == "result":
                self._result = record
                continue
            if record["event"] == "failed":
                self.failure = record
            is_text = record["event"] == "output"
            self._context.output(logs.mask(line) if is_text else json.dumps(logs.masked(record)))
