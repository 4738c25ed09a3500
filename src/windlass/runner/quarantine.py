"""Rows in quarantine, over all runs: what waits, and how fixed rows are loaded.

A replay loads rows of a quarantine by the copy that quarantined them. They are first put into a file of their
own, `TASK.ndjson.replaying`, whose hash is the run key of the load. If windlass dies, the next replay finds
that file and begins with it; the ledger knows whether its rows are there. What is loaded leaves the quarantine.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from windlass import __version__
from windlass.engine import Identity, Job, Workspace
from windlass.engine.copying import copy
from windlass.engine.quarantine import read_quarantine
from windlass.errors import Code, UsageError, did_you_mean
from windlass.files import write_file, write_whole
from windlass.locks import locked
from windlass.plan.codec import from_json, to_json
from windlass.plan.model import Copy, Plan, Source, Task
from windlass.runner.connections import FoundConnections
from windlass.runner.history import History, Run, now
from windlass.state_folder import RunFolder, StateFolder
from windlass.status import Status
from windlass.tasks.context import Context, render_strings
from windlass.templates import variables
from windlass.temporary import TemporaryFolder

__all__ = ["Quarantined", "Replay", "note_run", "quarantine_file", "quarantines", "replay"]


@dataclass(frozen=True)
class Quarantined:
    """The rows that one task of one run quarantined."""

    run_id: str
    task: str
    rows: int
    reasons: dict[str, int]
    file: str


@dataclass(frozen=True)
class Replay:
    """What a replay did."""

    loaded: int
    left: int


def quarantines(project: Path) -> list[Quarantined]:
    """All quarantines of a project, the latest first."""
    files = sorted(
        StateFolder.of(project).runs.glob("*/quarantine/*.ndjson"),
        key=lambda f: -f.stat().st_mtime,
    )
    found = []
    for file in files:
        reasons = Counter(str(row["reason"]) for row in read_quarantine(file))
        if reasons:
            found.append(
                Quarantined(file.parents[1].name, file.stem, reasons.total(), dict(reasons), str(file))
            )
    return found


def quarantine_file(project: Path, run_id: str, task: str) -> Path:
    """The quarantine of a task. Raises UsageError when it has none."""
    file = StateFolder.of(project).run(run_id).quarantine(task)
    if not file.exists():
        known = [path.stem for path in file.parent.glob("*.ndjson")]
        message = f"task {task!r} of {run_id} has nothing in quarantine"
        raise UsageError(message, hint=did_you_mean(task, known), code=Code.NOTHING_IN_QUARANTINE)
    return file


def note_run(project: Path, plan: Plan, context: Context, *, succeeded: bool) -> None:
    """Note a run that another scheduler has begun, with what a replay of its rows has to know of it."""
    state = StateFolder.of(project)
    history = History(state)
    _note_plan(state.run(context.run_id), plan)
    if history.knows(context.run_id):
        return
    start, end = context.dates.interval
    run = Run(
        context.run_id,
        plan.pipeline,
        status=Status.SUCCESS if succeeded else Status.FAILED,
        run_key=context.run_key,
        logical_date=context.dates.logical_date.isoformat(),
        interval_start=start.isoformat(),
        interval_end=end.isoformat(),
        scheduled=context.dates.scheduled,
        params=dict(plan.params),
        started=now(),
        ended=now(),
        version=__version__,
    )
    history.save(run)


def _note_plan(run: RunFolder, plan: Plan) -> None:
    """Note the plan of a run. One that travelled with a task has that alone, and joins those of other tasks."""
    with locked(run.path / "plan.lock"):
        if run.plan.exists():
            noted = from_json(run.plan.read_bytes())
            known = {task.name for task in noted.tasks}
            new = tuple(task for task in plan.tasks if task.name not in known)
            if not new:
                return
            plan = replace(
                noted, tasks=noted.tasks + new, connections={**noted.connections, **plan.connections}
            )
        write_whole(run.plan, to_json(plan))


def replay(project: Path, run: Run, task: str, fixed: Path | None = None) -> Replay:
    """Load the records of a quarantine, or of a fixed copy of it. What still does not fit stays there.

    Only rows that are still in quarantine are loaded, so a fixed copy may be replayed again and again.
    """
    file = quarantine_file(project, run.run_id, task)
    pending = file.with_name(f"{file.name}.replaying")
    loaded = 0
    if pending.exists():  # a replay before this one did not come to its end
        loaded += _load(project, run, task, pending, file)
    waiting = {row["id"]: row for row in read_quarantine(file)}
    rows = [row for row in read_quarantine(fixed or file) if row.get("id") in waiting and _record(row)]
    if rows:
        _write(pending, rows)
        loaded += _load(project, run, task, pending, file)
    left = sum(1 for _ in read_quarantine(file))
    if left == 0:
        file.unlink()
    return Replay(loaded, left)


def _load(project: Path, run: Run, task: str, pending: Path, file: Path) -> int:
    """Load the rows of the pending file, take those that fitted out of the quarantine, and end the replay.

    The run key is a hash of the rows: if it already was loaded, the ledger says so, and only the rest is done.
    """
    rows = list(read_quarantine(pending))
    state = StateFolder.of(project)
    plan = from_json(state.run(run.run_id).plan.read_bytes())
    planned = plan.task(task)
    action = render_strings(planned.action, _variables(run, planned))
    assert isinstance(action, Copy)
    key = hashlib.sha256(pending.read_bytes()).hexdigest()[:32]
    connections = FoundConnections(plan.connections, project, state)
    with closing(connections), TemporaryFolder(state.scratch) as folder:
        records = folder / "records.ndjson"
        write_file(records, "".join(f"{_record(row)}\n" for row in rows))
        job = Job(
            copy=_replayed(action, records),
            identity=Identity(plan.pipeline, f"{task}.replay", run.run_id, key),
            input=key,
            workspace=Workspace(project, project),
            addresses={name: connections.address(name) for name in planned.connections},
            scratch_folder=state.scratch,
            quarantine_file=pending.with_name(f"{pending.name}.left"),
        )
        loaded = copy(job).counts.written
    _take_out(rows, pending, file)
    return loaded


def _take_out(rows: list[dict[str, Any]], pending: Path, file: Path) -> None:
    """Take what was loaded out of the quarantine; what was refused again stays, with its new reason."""
    left_file = pending.with_name(f"{pending.name}.left")
    refused = {row["line"]: row for row in read_quarantine(left_file)} if left_file.exists() else {}
    done = {}
    for line, row in enumerate(rows, 1):
        news = (
            {name: refused[line][name] for name in ("reason", "message", "column", "value")}
            if line in refused
            else None
        )
        done[row["id"]] = news and {**row, **news}
    kept = [done.get(row["id"], row) for row in read_quarantine(file)]
    _write(file, [row for row in kept if row is not None])
    left_file.unlink(missing_ok=True)
    pending.unlink()


def _record(row: dict[str, Any]) -> str | None:
    """The record of a row as a line of JSON, if it has one, or its raw text can be taken apart."""
    record, raw, columns = row.get("record"), row.get("raw"), row.get("columns")
    if isinstance(record, dict):
        return json.dumps(record, ensure_ascii=False)
    if not isinstance(raw, str):
        return None
    return _from_csv(raw, columns) if columns else _from_json(raw)


def _from_csv(raw: str, columns: list[str]) -> str | None:
    try:
        fields = next(csv.reader([raw], strict=True), [])
    except csv.Error:
        return None
    if len(fields) != len(columns):
        return None
    return json.dumps(dict(zip(columns, fields, strict=True)), ensure_ascii=False)


def _from_json(raw: str) -> str | None:
    """The text itself: a number in it may have more digits than Python would keep."""
    try:
        is_object = isinstance(json.loads(raw), dict)
    except ValueError:
        return None
    return raw.replace("\r", " ").replace("\n", " ") if is_object else None


def _replayed(action: Copy, records: Path) -> Copy:
    """The copy that quarantined the rows, from the fixed records, adding to what is there."""
    destination = action.destination
    options = {name: value for name, value in destination.options.items() if name != "interval"}
    options["mode"] = "merge" if destination.mode == "merge" else "append"
    return replace(
        action,
        source=Source(options={"path": str(records), "format": "ndjson"}),
        destination=replace(destination, options=options),
        on_bad_row="quarantine",
        max_bad_rows=None,
        quarantine=None,
        incremental=None,
        partition=None,
    )


def _variables(run: Run, task: Task) -> dict[str, object]:
    logical, start, end = map(
        datetime.fromisoformat, (run.logical_date, run.interval_start, run.interval_end)
    )
    return variables(
        run_id=run.run_id,
        logical_date=logical,
        interval=(start, end),
        params=run.params,
        services={},
        paths=task.paths,
    )


def _write(file: Path, rows: list[dict[str, Any]]) -> None:
    write_whole(file, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
