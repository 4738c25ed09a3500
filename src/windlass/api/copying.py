"""One copy from a file or table to another, without a project."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

from windlass.api.arguments import memory_text
from windlass.api.connections import NearConnections
from windlass.api.copy_ends import destination_of, name_of, source_of
from windlass.api.results import CopyResult
from windlass.connections import hide_secrets
from windlass.engine import Identity, Job, Outcome, Workspace
from windlass.errors import UsageError
from windlass.file_names import fitting
from windlass.plan.model import Copy, Partition, SelectColumn, Source
from windlass.splitting_urls import split_url
from windlass.units import DEFAULT_MEMORY, parse_size

__all__ = ["copy"]

Mode = Literal["append", "replace", "merge"]
Format = Literal["csv", "json", "ndjson", "parquet"]
ReadFormat = Literal["csv", "json", "ndjson", "parquet", "excel"]


def _ignore(_rows: int, _bytes: int) -> None:
    return


def copy(
    source: str | Path,
    destination: str | Path,
    *,
    mode: Mode = "replace",
    key: str | Sequence[str] = (),
    select: Sequence[str] = (),
    on_bad_row: Literal["fail", "quarantine"] = "fail",
    quarantine: str | Path | None = None,
    max_bad_rows: int | str | None = None,
    from_format: ReadFormat | None = None,
    to_format: Format | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    header: bool = True,
    sheet: str | None = None,
    range: str | None = None,
    on_new_column: Literal["fail", "add", "ignore"] = "fail",
    on_missing_column: Literal["null", "fail"] = "null",
    on_type_change: Literal["keep", "widen"] = "keep",
    parts: int = 1,
    memory: str | int | None = None,
    folder: str | Path = ".",
    progress: Callable[[int, int], None] = _ignore,
) -> CopyResult:
    """Copy a file or table to another, in one transaction.

    Each end is a path, a pattern of paths, a table of a connection of the project (`warehouse:trips`), or the address
    of a database with `?table=` or, to read, `?query=`.

    :param mode: what happens to the rows that are already there.
    :param key: with `merge`, the columns that identify a row.
    :param select: only these columns: `NAME`, `NEW=OLD` or `NAME:TYPE`.
    :param on_bad_row: fail, or quarantine the rows that cannot be loaded, each with its reason.
    :param quarantine: the file for those. Default: `SOURCE.quarantine.ndjson` in the folder.
    :param max_bad_rows: more than this fail the copy: a number, or a share such as `1%`.
    :param from_format: the format of a file that is read. Default: by its name. `to_format` likewise.
    :param delimiter: of a CSV that is read, as are `encoding` and `header`, which Excel has, too.
    :param sheet: of an Excel file; default: the first.
    :param range: of a sheet, such as `A3:F200` or `A:F`; default: all of it.
    :param on_new_column: a column that the destination does not have fails the copy, is added to it, or not copied.
    :param on_missing_column: rows get NULL, or the default, in one that the source does not have; or the copy fails.
    :param on_type_change: a column whose type at the source holds more keeps its own at the destination, or is widened.
    :param parts: read a Postgres table in this many parts at once.
    :param memory: what the copy may use, such as `2GB`. Default: 512 MB.
    :param folder: where relative paths begin.
    :param progress: called now and then with the rows and bytes since the last call, from any thread.
    :raises WindlassError: nothing was committed then, and nothing is left behind. UsageError for arguments that make
        no sense, FatalError (BadRowError for rows) where trying again cannot help, RetryableError where it may.
    """
    _check(mode, key, on_bad_row, quarantine, max_bad_rows, delimiter, parts)
    keys, home = [key] if isinstance(key, str) else list(key), Path(folder).resolve()
    hide_secrets(os.environ, home)
    csv = _given(delimiter=delimiter, encoding=encoding, header=None if header else False)
    excel = _given(sheet=sheet, range=range, header=None if header else False)
    of_files = _given(format=from_format, csv=csv or None, excel=excel or None)
    common = {"mode": mode, **_given(key=keys or None)}
    with NearConnections(home) as near:
        from_end, from_address = source_of(str(source), of_files, near)
        to_end, to_address = destination_of(str(destination), _given(format=to_format), common, near)
        run_id = f"copy-{os.urandom(6).hex()}"
        addresses = {from_end.connection: from_address, to_end.connection: to_address}
        job = Job(
            copy=Copy(
                source=from_end,
                destination=to_end,
                select=tuple(map(_column, [select] if isinstance(select, str) else select)),
                on_bad_row=on_bad_row,
                max_bad_rows=max_bad_rows,
                partition=Partition(parts=parts) if parts > 1 else None,
                on_new_column=on_new_column,
                on_missing_column=on_missing_column,
                on_type_change=on_type_change,
            ),
            identity=Identity("copy", name_of(str(destination), to_end, to_address), run_id, run_id),
            workspace=Workspace(home, home),
            addresses={name: a for name, a in addresses.items() if name is not None and a is not None},
            quarantine_file=_quarantine_file(home, from_end, quarantine)
            if on_bad_row == "quarantine"
            else None,
            memory=parse_size(text) if (text := memory_text(memory)) is not None else DEFAULT_MEMORY,
            meter=progress,
        )
        return _done(job)


def _done(job: Job) -> CopyResult:
    from windlass.engine.copying import copy

    begun = time.monotonic()
    return _result(job.identity.run_id, copy(job), time.monotonic() - begun)


def _result(run_id: str, outcome: Outcome, seconds: float) -> CopyResult:
    counts = outcome.counts
    return CopyResult(
        run_id=run_id,
        path=outcome.path,
        rows_read=counts.read,
        rows_written=counts.written,
        rows_quarantined=counts.quarantined,
        bytes=counts.bytes,
        inserted=counts.inserted,
        updated=counts.updated,
        unchanged=counts.unchanged,
        seconds=round(seconds, 3),
        quarantine=Path(outcome.quarantine) if outcome.quarantine else None,
        bad_rows=tuple(map(str, outcome.bad_rows)),
        columns_added=tuple(outcome.changes.added),
        columns_missing=outcome.changes.missing,
        columns_widened=dict(outcome.changes.widened),
    )


def _check(
    mode: str,
    key: str | Sequence[str],
    on_bad_row: str,
    quarantine: str | Path | None,
    max_bad_rows: int | str | None,
    delimiter: str | None,
    parts: int,
) -> None:
    """Raise UsageError for arguments that make no sense. Those of types are for who writes Python without a checker."""
    for name, value, known in (
        ("mode", mode, ("append", "replace", "merge")),
        ("on_bad_row", on_bad_row, ("fail", "quarantine")),
    ):
        if value not in known:
            raise UsageError(f"`{name}` {value!r}: expected one of {', '.join(known)}")
    if mode == "merge" and not key:
        raise UsageError("`mode` merge needs `key`, a column that identifies a row")
    if quarantine is not None and on_bad_row != "quarantine":
        raise UsageError("`quarantine` needs `on_bad_row` quarantine")
    if isinstance(max_bad_rows, str) and not re.fullmatch(r"\d+(\.\d+)?%", max_bad_rows):
        raise UsageError(f"`max_bad_rows` {max_bad_rows!r}: expected a number, or a share such as 1%")
    if delimiter is not None and len(delimiter) != 1:
        raise UsageError(f"`delimiter` {delimiter!r}: expected one character")
    if not 1 <= parts <= 64:
        raise UsageError(f"`parts` {parts}: expected a number from 1 to 64")


def _given(**values: Any) -> dict[str, Any]:
    """Those that were given."""
    return {name: value for name, value in values.items() if value is not None}


def _column(text: str) -> SelectColumn:
    """`NAME`, `NEW=OLD`, each with `:TYPE` behind it."""
    names, _, kind = text.partition(":")
    new, equals, old = names.partition("=")
    return SelectColumn(name=new, source=old if equals else new, type=kind or None)


def _quarantine_file(folder: Path, source: Source, given: str | Path | None) -> Path:
    if given is not None:
        return (folder / given).resolve()
    written = source.path or source.table or "query"
    if "://" in written:  # without the keys of its query
        written = unquote(split_url(written).path)
    name = Path(written).name.replace("*", "_") or "index"
    return (folder / f"{fitting(name)}.quarantine.ndjson").resolve()
