"""Rows in quarantine, over all runs: what waits, and how mended rows are loaded.

A replay loads the records of a quarantine file by the copy that set them aside. Its run key is a hash
of the records, so replaying the same file twice loads it once; what is loaded leaves the quarantine.
"""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from windlass.engine import Identity, Job, Workspace
from windlass.engine.copying import copy
from windlass.engine.quarantine import read_quarantine
from windlass.errors import UsageError, did_you_mean
from windlass.plan.codec import from_json
from windlass.plan.model import Copy, Mode, Plan, Source
from windlass.plan.templates import variables
from windlass.runner.connections import Connections, names_of
from windlass.runner.history import Run
from windlass.state_folder import StateFolder
from windlass.tasks.context import output_paths, render_strings

__all__ = ["Quarantined", "Replay", "quarantine_file", "quarantines", "replay"]


@dataclass(frozen=True)
class Quarantined:
    """The rows that one task of one run set aside."""

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
        (StateFolder.of(project).path / "runs").glob("*/quarantine/*.ndjson"),
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
    """The quarantine of a task. Raises UsageError when it set nothing aside."""
    file = StateFolder.of(project).run(run_id).quarantine(task)
    if not file.exists():
        known = [path.stem for path in file.parent.glob("*.ndjson")]
        raise UsageError(f"task {task!r} of {run_id} set nothing aside", hint=did_you_mean(task, known))
    return file


def replay(project: Path, run: Run, task: str, mended: Path | None = None) -> Replay:
    """Load the records of a quarantine, or of a mended copy of it. What still does not fit stays there."""
    state = StateFolder.of(project)
    file = quarantine_file(project, run.run_id, task)
    records, unmended = _mended(mended or file)
    if not records:
        return Replay(0, len(unmended))
    plan = from_json(state.run(run.run_id).plan.read_bytes())
    action = render_strings(plan.task(task).action, _variables(run, plan))
    assert isinstance(action, Copy)
    state.scratch.mkdir(parents=True, exist_ok=True)
    connections = Connections(plan.connections, project, state)
    with closing(connections), TemporaryDirectory(dir=state.scratch) as folder:
        source, left = Path(folder) / "records.ndjson", Path(folder) / "left.ndjson"
        source.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records))
        job = Job(
            copy=_replayed(action, source),
            identity=Identity(plan.pipeline, f"{task}.replay", run.run_id, _digest(records)),
            workspace=Workspace(project, project),
            addresses={name: connections.address(name) for name in names_of(action)},
            scratch_folder=state.scratch,
            quarantine_file=left,
        )
        result = copy(job)
        still = [*unmended, *(read_quarantine(left) if left.exists() else ())]
    _keep(still, file)
    return Replay(result.counts.written, len(still))


def _mended(file: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The records to load, and the rows of which none can be made."""
    records, unmended = [], []
    for row in read_quarantine(file):
        record = row.get("record") or _taken_apart(row)
        if isinstance(record, dict):
            records.append(record)
        else:
            unmended.append(row)
    return records, unmended


def _taken_apart(row: dict[str, Any]) -> dict[str, Any] | None:
    """The record in a raw line of CSV or JSON, if it now is one."""
    raw, columns = row.get("raw"), row.get("columns")
    if not isinstance(raw, str):
        return None
    if not columns:
        try:
            record = json.loads(raw)
        except ValueError:
            return None
        return record if isinstance(record, dict) else None
    try:
        fields = next(csv.reader([raw], strict=True), [])
    except csv.Error:
        return None
    return dict(zip(columns, fields, strict=True)) if len(fields) == len(columns) else None


def _replayed(action: Copy, records: Path) -> Copy:
    """The copy that set the rows aside, from the mended records, adding to what is there."""
    destination = action.destination
    mode: Mode = "merge" if destination.mode == "merge" else "append"
    return replace(
        action,
        source=Source(path=str(records), format="ndjson"),
        destination=replace(destination, mode=mode, interval=None),
        on_bad_row="quarantine",
        max_bad_rows=None,
        quarantine=None,
        cursor=None,
        partition=None,
    )


def _variables(run: Run, plan: Plan) -> dict[str, object]:
    logical, start, end = map(
        datetime.fromisoformat, (run.logical_date, run.interval_start, run.interval_end)
    )
    known = variables(
        run_id=run.run_id,
        logical_date=logical,
        interval=(start, end),
        params=run.params,
        services={},
        tasks={},
    )
    known["tasks"] = render_strings(output_paths(plan), known)
    return known


def _digest(records: list[dict[str, Any]]) -> str:
    return hashlib.sha256(json.dumps(records, sort_keys=True).encode()).hexdigest()[:32]


def _keep(rows: list[dict[str, Any]], file: Path) -> None:
    """Only these rows stay in the quarantine; what was there before is kept beside it, as replayed."""
    number = len(list(file.parent.glob(f"{file.stem}.*.replayed")))
    shutil.copyfile(file, file.with_name(f"{file.stem}.{number}.replayed"))
    if not rows:
        file.unlink()
        return
    temporary = file.with_name(f".{file.name}.tmp")
    temporary.write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
    )
    temporary.replace(file)
