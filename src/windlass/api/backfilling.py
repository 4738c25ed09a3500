"""The runs of a schedule over a range of dates, on this machine: those that have not succeeded yet.

Each is a `windlass run` of its own, with the run key of the scheduler's run of that date. So what was loaded is not loaded
twice, whoever loaded it.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

from windlass.api.arguments import date_text, memory_text, project_of
from windlass.api.planning import compile_one
from windlass.api.results import BackfillRunResult
from windlass.errors import UsageError
from windlass.plan.model import Plan
from windlass.plan.schedule import ticks_between
from windlass.plan.ticks import Ticks
from windlass.processes.environment import own_command
from windlass.runner import History
from windlass.runner.history import Run
from windlass.state_folder import StateFolder
from windlass.status import Status

__all__ = ["backfill", "backfill_of_scheduler"]

_MOST_RUNS = 100_000

Todo = Literal["run", "resume", "done"]


@dataclass(frozen=True)
class _Wanted:
    """A date, and what there is to do about it."""

    logical_date: datetime
    todo: Todo
    earlier: Run | None = None


def backfill(
    project: str | Path = ".",
    pipeline: str | None = None,
    *,
    start: datetime | date | str,
    end: datetime | date | str,
    params: Mapping[str, Any] | None = None,
    parallel: int = 1,
    again: bool = False,
    dry_run: bool = False,
    memory: str | int | None = None,
    done: Callable[[BackfillRunResult], None] = lambda _: None,
) -> list[BackfillRunResult]:
    """Run a pipeline for each date of its schedule from `start` to `end`, both included; a day has all of its ticks.

    A date whose run succeeded is left out, and one that failed or was stopped is resumed: only what did not succeed
    runs again. A run that fails does not keep the others from running.

    :param params: values of parameters. A run that had others does not count.
    :param parallel: how many runs at once; more than 1 need `concurrency: allow` in the pipeline's file.
    :param again: run also what has succeeded. A load that was done stays done.
    :param dry_run: only say what there is to do.
    :param memory: what each copy may use, such as `2GB`.
    :param done: called with each run that has ended, from any thread.
    :returns: one for each date, in order.
    :raises WindlassError: there was nothing to begin with.
    """
    root, values = project_of(project), dict(params or {})
    plan = compile_one(root, pipeline, values)
    _require_parallel(plan, parallel)
    wanted = _wanted(
        plan, History(StateFolder.of(root)), str(date_text(start)), str(date_text(end)), again=again
    )
    if dry_run:
        return [_planned(each) for each in wanted]
    options = ["--params-json", json.dumps(values)] if values else []
    if (text := memory_text(memory)) is not None:
        options += ["--memory", text]
    runs = _Runs([*own_command(root), "run"], plan.pipeline, options, done)
    pool = ThreadPoolExecutor(max_workers=parallel)
    try:
        return list(pool.map(runs.run, wanted))
    except BaseException:  # Ctrl-C: the runs end in order, and none begins
        runs.stop()
        pool.shutdown(cancel_futures=True)
        raise


def backfill_of_scheduler(
    target: str,
    project: Path,
    pipeline: str | None,
    *,
    start: str,
    end: str,
    params: Mapping[str, Any],
    parallel: int = 1,
) -> str:
    """The same runs as text for a scheduler that takes them.

    It does not know which dates have succeeded: a load that was done stays done. Raises WindlassError.
    """
    from windlass.spec import load_project
    from windlass.targets import TargetWithBackfill
    from windlass.targets.declared import declared
    from windlass.targets.exporting import compiled
    from windlass.targets.table import TARGETS, able

    found = TARGETS.load(target)
    if not isinstance(found, TargetWithBackfill):
        raise UsageError(
            f"runs of past dates cannot be handed to {target}",
            hint=f"these take them: {', '.join(able(TargetWithBackfill))}",
        )
    plan = compile_one(project, pipeline, params)
    _require_parallel(plan, parallel)
    ticks = Ticks(plan.schedule, plan.timezone)
    starts = [ticks.after(date) for date in ticks_between(start, end, plan.schedule, plan.timezone)]
    files = load_project(project)
    options = found.options(**declared(files.spec, files.document).get(target, {}))
    given = {name: plan.params[name] for name in params}  # of the types that they are to have
    return found.backfill(compiled(files), options, plan.pipeline, starts, given, parallel)


def _require_parallel(plan: Plan, parallel: int) -> None:
    if parallel < 1:
        raise UsageError(f"`parallel` {parallel}: expected a number from 1 up")
    if parallel > 1 and plan.concurrency != "allow":
        raise UsageError(
            f"`parallel` {parallel}: only one run of {plan.pipeline} may go on at a time",
            hint="say `concurrency: allow` in its file, if its runs do not disturb each other",
        )


def _wanted(plan: Plan, history: History, start: str, end: str, *, again: bool) -> list[_Wanted]:
    dates = ticks_between(start, end, plan.schedule, plan.timezone)
    latest = {
        run.logical_date: run
        for run in reversed(history.runs(plan.pipeline, limit=_MOST_RUNS))
        if run.scheduled
    }

    def of(moment: datetime) -> _Wanted:
        run = latest.get(moment.isoformat())
        if run is None or run.params != dict(plan.params):
            return _Wanted(moment, "run")
        if run.status != Status.SUCCESS or any(t.status == Status.SKIPPED for t in history.tasks(run.run_id)):
            return _Wanted(moment, "resume", run)
        return _Wanted(moment, "run" if again else "done", run)

    return [of(moment) for moment in dates]


def _planned(wanted: _Wanted) -> BackfillRunResult:
    run = wanted.earlier if wanted.todo != "run" else None
    return BackfillRunResult(
        logical_date=wanted.logical_date,
        todo=wanted.todo,
        run_id=run.run_id if run else None,
        status=run.status if run else None,
        seconds=run.seconds if run else None,
        error=None,
        exit_code=0,
    )


class _Runs:
    """Runs as processes of this machine, each of which ends in order when it is told to."""

    def __init__(
        self, command: list[str], pipeline: str, options: list[str], done: Callable[[BackfillRunResult], None]
    ) -> None:
        self._command, self._pipeline, self._options, self._done = command, pipeline, options, done
        self._going: set[subprocess.Popen[str]] = set()
        self._lock, self._stopped = threading.Lock(), False

    def run(self, wanted: _Wanted) -> BackfillRunResult:
        ended = self._ended(wanted) if wanted.todo != "done" else _planned(wanted)
        self._done(ended)
        return ended

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            for process in self._going:
                process.terminate()

    def _ended(self, wanted: _Wanted) -> BackfillRunResult:
        if wanted.todo == "resume" and wanted.earlier is not None:
            which = ["--resume", wanted.earlier.run_id]
        else:
            which = [self._pipeline, "--logical-date", wanted.logical_date.isoformat()]
        code, out, errors = self._called([*self._command, *which, *self._options, "--json"])
        try:
            document = json.loads(out)
        except ValueError:
            document = {}
        failed = [f"{t['task']}: {t['error']}" for t in document.get("tasks", ()) if t["error"]]
        error = "; ".join(failed) or (errors.strip().rpartition("\n")[2] if code else "")
        return BackfillRunResult(
            logical_date=wanted.logical_date,
            todo=wanted.todo,
            run_id=document.get("run_id"),
            status=Status(document["status"]) if document else Status.FAILED,
            seconds=document.get("seconds"),
            error=error or None,
            exit_code=code,
        )

    def _called(self, command: list[str]) -> tuple[int, str, str]:
        with self._lock:
            if self._stopped:
                return 130, "", "stopped"
            process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=dict(os.environ),
                start_new_session=True,  # Ctrl-C is for us, and we tell them
            )
            self._going.add(process)
        out, errors = process.communicate()
        with self._lock:
            self._going.discard(process)
        return process.returncode, out, errors
