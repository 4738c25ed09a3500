"""The same copy twice: by an engine, and by the process of the task."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
from msgspec import structs

from windlass.connections import Address
from windlass.connectors.rows import Counts
from windlass.engine import Identity, Job
from windlass.engine.copying import copy
from windlass.engine.spread.spreading import spread
from windlass.plan.model import ColumnRules, Copy, Destination, SelectColumn, Source, Validate
from windlass.workspace import Workspace

__all__ = ["copy_of", "job_of", "require_same", "rows_in"]

ENGINE = Address("spark", "nowhere.example")
_READERS = {
    "parquet": ("read_parquet", ""),
    "csv": ("read_csv", ", all_varchar = true"),
    "ndjson": ("read_json", ", format = 'newline_delimited'"),
}


def copy_of(path: str, types: dict[str, str] | None = None, **more: Any) -> Copy:
    """A copy of files into a folder. `columns` are rules, `source` and `to` further keys of its ends."""
    select = tuple(SelectColumn(name=name, source=name, type=kind) for name, kind in (types or {}).items())
    rules = {name: ColumnRules(**rule) for name, rule in more.pop("columns", {}).items()}
    to = {"path": "out/", **more.pop("to", {})}
    return Copy(
        source=Source(options={"path": path, **more.pop("source", {})}),
        destination=Destination(options=to),
        select=select,
        validate=Validate(columns=rules),
        on_bad_row=more.pop("on_bad_row", "quarantine"),
        **more,
    )


def job_of(what: Copy, root: Path, engine: Address | None = None, run_key: str = "k") -> Job:
    """The copy as a job in a folder of this machine."""
    copied = what if engine is None else structs.replace(what, engine="cluster")
    return Job(
        copy=copied,
        identity=Identity("p", "t", "run", run_key),
        workspace=Workspace(root, root),
        spread=partial(spread, engine) if engine is not None else None,
        quarantine_file=root / "quarantine.ndjson",
    )


def rows_in(folder: Path, kind: str = "parquet") -> list[str]:
    """The rows of the files in a folder, and before them their types, in an order of their own. As text: NaN is NaN."""
    reader, more = _READERS[kind]
    found = duckdb.connect().execute(f"FROM {reader}('{folder}/**/*.{kind}'{more})")
    columns = [f"{column[0]} {column[1]}" for column in found.description or ()]
    return [*columns, *sorted(map(repr, found.fetchall()))]


def _quarantined(root: Path) -> list[dict[str, Any]]:
    """The bad rows but for their ids, in which the pieces are."""
    file = root / "quarantine.ndjson"
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []
    return sorted(({**row, "id": ""} for row in rows), key=json.dumps)


def require_same(what: Copy, root: Path, engine: Address = ENGINE, kind: str = "parquet") -> Counts:
    """Do the copy both ways: the same rows, types and bad rows with their places must come of it."""
    alone = copy(job_of(what, root))
    expected, bad = rows_in(root / "out", kind), _quarantined(root)
    (root / "quarantine.ndjson").unlink(missing_ok=True)
    spread = copy(job_of(what, root, engine))
    assert spread.path == "spark"
    assert rows_in(root / "out", kind) == expected
    assert _quarantined(root) == bad
    assert replace(spread.counts, bytes=0) == replace(alone.counts, bytes=0)
    return spread.counts
