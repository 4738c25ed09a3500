"""`copy` tasks: the copy engine, called with the addresses of this run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import structs

from windlass.connections import Address
from windlass.connectors.rows import Meter
from windlass.engine import Identity, Job, Outcome
from windlass.engine.copying import copy
from windlass.engine.job import Spread
from windlass.engine.ledger import part_to_json
from windlass.engine.quarantine import put_quarantine
from windlass.engine.settling import settle
from windlass.engine.splitting import split
from windlass.engine.stored_quarantine import put_stored_quarantine, quarantine_object
from windlass.errors import Code, FatalError, UsageError, naming
from windlass.plan.model import Copy, Destination, Plan, QuarantineTo, SelectColumn, Source
from windlass.plan.quarantine import why_not_there
from windlass.tasks.context import Context, TaskResult
from windlass.temporary import TemporaryFolder

__all__ = ["copy_result", "run_copy", "settle_copy", "split_copy"]

_QUARANTINE_COLUMNS = {
    "line": "bigint",
    "offset": "bigint",
    "record": "json",
    "columns": "json",
} | dict.fromkeys(
    ("id", "run", "pipeline", "task", "reason", "message", "column", "value", "source", "raw"), "text"
)


def run_copy(plan: Plan, task: str, action: Copy, context: Context) -> TaskResult:
    """Copy the rows; bring what is quarantined to where the pipeline wants it."""
    return copy_result(copy(_job(plan, task, action, context)))


def settle_copy(plan: Plan, task: str, action: Copy, context: Context, loads: Sequence[str]) -> TaskResult:
    """The result of a copy that was killed, if one of these starts committed. Raises WindlassError."""
    return copy_result(settle(_job(plan, task, action, context), loads))


def _job(plan: Plan, task: str, action: Copy, context: Context) -> Job:
    part = context.part
    identity = Identity(plan.pipeline, task, context.run_id, context.run_key, part.name if part else "")
    if part is not None and part.name:
        action = structs.replace(_mapped(task, action), partition=None)
    if context.load_id:
        identity = replace(identity, load_id=context.load_id)
    job = Job(
        copy=action,
        identity=identity,
        workspace=context.workspace,
        addresses=_addresses(action, context),
        spread=_spread(context.address(action.engine)) if action.engine is not None else None,
        interval=context.dates.interval,
        memory=context.memory,
        scratch_folder=context.scratch_folder,
        shared=context.folder.shared,
        quarantine_file=context.quarantine_file,
        part=part,
        force=context.force,
        meter=_meter(action, context),
    )
    if action.quarantine is not None:
        _require_apart(action, job.addresses)
        job = replace(job, deliver=lambda file, is_ours: _deliver(file, is_ours, job, action.quarantine))
    return job


def _spread(engine: Address) -> Spread:
    from windlass.engine.spread.spreading import spread

    return partial(spread, engine)


def split_copy(plan: Plan, task: str, action: Copy, context: Context) -> TaskResult:
    """The parts of a copy, which are then copied by a task each. Raises WindlassError."""
    parts = split(_job(plan, task, _mapped(task, action), context))
    return TaskResult(detail={"parts": [part_to_json(part) for part in parts]})


def _mapped(task: str, action: Copy) -> Copy:
    if action.partition is None or not action.partition.mapped:
        hint = "see `partition` in docs/guides/copying.md"
        raise UsageError(f"the parts of {task!r} cannot be loads of their own", hint=hint)
    return action


def copy_result(result: Outcome) -> TaskResult:
    """The numbers of a copy, and its first few bad rows."""
    counts = result.counts
    detail: dict[str, object] = {}
    if counts.inserted is not None:
        detail |= {"inserted": counts.inserted, "updated": counts.updated, "unchanged": counts.unchanged}
    detail |= result.changes.as_detail()
    if result.skipped:
        detail["already_loaded"] = True
    if result.quarantine:
        detail |= {"quarantine": result.quarantine, "bad_rows": [asdict(row) for row in result.bad_rows]}
    return TaskResult(counts.read, counts.written, counts.quarantined, counts.bytes, result.path, detail)


def _addresses(action: Copy, context: Context) -> dict[str, Address]:
    names = {action.source.connection, action.destination.connection}
    names |= {inner.connection for _, inner in action.source.inner()}
    if action.quarantine is not None:
        names.add(action.quarantine.connection)
    return {name: context.address(name) for name in names if name is not None}


def _require_apart(action: Copy, addresses: Mapping[str, Address]) -> None:
    """Raise FatalError where the bad rows could not be written while the load is at work: it would wait for itself.

    Two names may be of one database, which is known only now.
    """
    assert action.quarantine is not None
    ends = [addresses.get(end.connection or "") for end in (action.destination, action.quarantine)]
    loaded, waiting = ends
    same = loaded is not None and waiting is not None and _database(loaded) == _database(waiting)
    if wrong := why_not_there(action, same_database=same, form=str(loaded.form) if loaded else ""):
        hint = "name another connection for them, or a `path`"
        raise FatalError(
            f"the rows in quarantine cannot go there: {wrong}", hint=hint, code=Code.KEYS_DO_NOT_FIT
        )


def _database(address: Address) -> tuple[object, ...]:
    return (address.type, address.host, address.port, address.database)


def _meter(action: Copy, context: Context) -> Meter:
    """Adds up what the engine reports, for the progress bar."""
    moved = [0, 0]

    def meter(rows: int, size: int) -> None:
        moved[0] += rows
        moved[1] += size
        context.progress(moved[0], moved[1], None)

    return meter


def _deliver(
    file: Path, is_ours: Callable[[dict[str, object]], bool], job: Job, to: QuarantineTo | None
) -> None:
    """Bring a finished quarantine file to where the pipeline wants the bad rows."""
    assert to is not None
    if to.path is not None:
        with TemporaryFolder(job.scratch_folder) as folder:
            finished = folder / file.name
            with naming(finished):
                shutil.copyfile(file, finished)
            _put(finished, to, job, is_ours)
        return
    columns = tuple(SelectColumn(name=n, source=n, type=t) for n, t in _QUARANTINE_COLUMNS.items())
    with TemporaryFolder(job.scratch_folder) as folder:
        rows = Copy(
            source=Source(options={"path": str(_without_nul(file, folder)), "format": "ndjson"}),
            destination=Destination(
                connection=to.connection, options={"table": to.table, "mode": "merge", "key": ["id"]}
            ),
            select=columns,
        )
        identity = replace(job.identity, task=f"{job.identity.task}.quarantine")
        copy(replace(job, copy=rows, identity=identity, part=None, quarantine_file=None, deliver=None))


def _put(finished: Path, to: QuarantineTo, job: Job, is_ours: Callable[[dict[str, object]], bool]) -> None:
    """Put the rows in quarantine into a file, or an object."""
    if (where := quarantine_object(job)) is None:
        put_quarantine(finished, job.workspace.to_write(str(to.path)), is_ours)
    else:
        put_stored_quarantine(finished, where, job.identity, is_ours, job.scratch_folder)


def _without_nul(file: Path, folder: Path) -> Path:
    """The file with `\\x00` for each NUL, which may be why the row is bad: some databases cannot store it."""
    target = folder / file.name
    with file.open(encoding="utf-8") as lines, naming(target), target.open("w", encoding="utf-8") as out:
        for line in lines:
            row = json.loads(line) if "\\u0000" in line else None
            out.write(line if row is None else json.dumps(_escaped(row), ensure_ascii=False) + "\n")
    return target


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\\x00")
    if isinstance(value, dict):
        return {_escaped(name): _escaped(inner) for name, inner in value.items()}
    return [_escaped(inner) for inner in value] if isinstance(value, list) else value
