"""`windlass copy`: one copy, without a project."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

import click

from windlass import logs
from windlass.cli.copy_ends import destination_of, source_of
from windlass.cli.main import App
from windlass.cli.options import check_memory, json_option, memory_option
from windlass.connectors.rows import Meter
from windlass.connectors.scratch import DEFAULT_MEMORY
from windlass.engine import CopyResult, Identity, Job, Workspace
from windlass.errors import UsageError
from windlass.files import is_stream
from windlass.plan.model import (
    Copy,
    Partition,
    SelectColumn,
    Source,
)
from windlass.units import duration, number, size

__all__ = ["copy_command"]

_FORMATS = ("csv", "json", "ndjson", "parquet")


@click.command("copy")
@click.argument("source", metavar="FROM")
@click.argument("destination", metavar="TO")
@click.option(
    "--mode",
    type=click.Choice(["append", "replace", "merge"]),
    default="replace",
    show_default=True,
    help="What happens to the rows already there.",
)
@click.option(
    "--key", multiple=True, metavar="COLUMN", help="With merge: a column that identifies a row. Repeatable."
)
@click.option(
    "--select",
    "columns",
    multiple=True,
    metavar="COLUMN",
    help="Copy only this column: NAME, NEW=OLD, or NAME:TYPE. Repeatable.",
)
@click.option(
    "--on-bad-row",
    type=click.Choice(["fail", "quarantine"]),
    default="fail",
    show_default=True,
    help="Fail, or set bad rows aside, each with its reason.",
)
@click.option(
    "--quarantine",
    "quarantine",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file for bad rows that are quarantined. Default: FROM.quarantine.ndjson.",
)
@click.option("--max-bad-rows", metavar="N|N%", help="With quarantine: more than this fail the copy.")
@click.option("--from-format", type=click.Choice(_FORMATS), help="The format of FROM. Default: by its name.")
@click.option("--to-format", type=click.Choice(_FORMATS), help="The format of TO. Default: by its name.")
@click.option("--delimiter", metavar="CHAR", help="Of a CSV that is read.")
@click.option("--encoding", metavar="NAME", help="Of a CSV that is read. Default: utf-8.")
@click.option("--no-header", is_flag=True, help="The CSV that is read has no header.")
@click.option(
    "--parts", type=click.IntRange(1, 64), default=1, help="Read a Postgres table in so many parts at once."
)
@memory_option
@json_option
@click.pass_obj
def copy_command(
    app: App,
    source: str,
    destination: str,
    mode: str,
    key: tuple[str, ...],
    columns: tuple[str, ...],
    on_bad_row: str,
    quarantine: Path | None,
    max_bad_rows: str | None,
    from_format: str | None,
    to_format: str | None,
    delimiter: str | None,
    encoding: str | None,
    parts: int,
    memory: str | None,
    *,
    no_header: bool,
    as_json: bool,
) -> int:
    """Copy FROM to TO, in one transaction.

    Each is a file, a folder, a pattern, - (standard input or output), or a table of a database:

    \b
      windlass copy orders.csv orders.parquet
      windlass copy 'logs/*.json' 'postgresql://user@host/db?table=logs'
      windlass copy 'postgresql://user@host/db?query=SELECT 1' one.csv
      windlass copy 'sqlite:///shop.db?table=orders' orders.parquet

    A password is best left out of the address: put it into ~/.pgpass or PGPASSWORD.
    """
    from windlass.engine.copying import copy

    set_aside = on_bad_row == "quarantine"
    if quarantine is not None and not set_aside:
        raise UsageError("--quarantine needs --on-bad-row quarantine")
    if delimiter is not None and len(delimiter) != 1:
        raise UsageError(f"--delimiter {delimiter!r}: expected one character")
    if mode == "merge" and not key:
        raise UsageError("--mode merge needs --key, a column that identifies a row")
    csv = _of_files(from_format, delimiter=delimiter, encoding=encoding, header=False if no_header else None)
    from_end, from_address = source_of(source, csv)
    common = {"mode": mode, **({"key": list(key)} if key else {})}
    to_end, to_address = destination_of(destination, _of_files(to_format), common)
    run_id = f"copy-{os.urandom(6).hex()}"
    job = Job(
        copy=Copy(
            source=from_end,
            destination=to_end,
            select=tuple(map(_column, columns)),
            on_bad_row=cast("Literal['fail', 'quarantine']", on_bad_row),
            max_bad_rows=_bad_rows(max_bad_rows),
            partition=Partition(parts=parts) if parts > 1 else None,
        ),
        identity=Identity("copy", destination if to_address is None else str(to_end.table), run_id, run_id),
        workspace=Workspace(app.folder.resolve(), app.folder.resolve()),
        addresses={name: a for name, a in (("from", from_address), ("to", to_address)) if a is not None},
        quarantine_file=_quarantine_file(app.folder, from_end, quarantine) if set_aside else None,
        memory=check_memory(memory) or DEFAULT_MEMORY,
    )
    begun = time.monotonic()
    with _shown() as meter:
        result = copy(replace(job, meter=meter))
    said = _summary(source, destination, result, time.monotonic() - begun, as_json=as_json)
    click.echo(said, err=to_end.path is not None and _is_standard_output(job.workspace.to_write(to_end.path)))
    return 0


# --- what is asked for --------------------------------------------------------------------------


def _of_files(kind: str | None, **csv: Any) -> dict[str, Any]:
    """The options of a file that were given."""
    written = {name: value for name, value in csv.items() if value is not None}
    return {**({"format": kind} if kind else {}), **({"csv": written} if written else {})}


def _column(text: str) -> SelectColumn:
    """`NAME`, `NEW=OLD`, each with `:TYPE` behind it."""
    names, _, kind = text.partition(":")
    new, equals, old = names.partition("=")
    return SelectColumn(name=new, source=old if equals else new, type=kind or None)


def _bad_rows(text: str | None) -> int | str | None:
    if text is None or text.endswith("%"):
        return text
    if not text.isdigit():
        raise UsageError(f"--max-bad-rows {text!r}: expected a number, or a share such as 1%")
    return int(text)


def _quarantine_file(folder: Path, source: Source, given: Path | None) -> Path:
    if given is not None:
        return (folder / given).resolve()
    name = Path(source.path or source.table or "query").name.replace("*", "_")
    return (folder / f"{name}.quarantine.ndjson").resolve()


# --- what is shown -------------------------------------------------------------------------------


@contextmanager
def _shown() -> Iterator[Meter]:
    """On a terminal, a line that says how far the copy is, after its first second."""
    moved, begun, done = [0, 0], time.monotonic(), threading.Event()

    def meter(rows: int, amount: int) -> None:
        moved[0] += rows
        moved[1] += amount

    def show() -> None:
        while not done.wait(1):
            elapsed = time.monotonic() - begun
            rows = f"{number(moved[0])} rows  " if moved[0] else ""
            text = f"{rows}{size(moved[1])}  {size(int(moved[1] / elapsed))}/s  {duration(elapsed)}"
            click.echo(f"\r\x1b[2K{text}", err=True, nl=False)
        click.echo("\r\x1b[2K", err=True, nl=False)

    if not sys.stderr.isatty():
        logs.emit_to(_without_debug(logs.json_lines(sys.stderr)))
        yield meter
        return
    logs.emit_to(_without_debug(lambda record: click.echo(f"{record['event']}: {_fields(record)}", err=True)))
    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield meter
    finally:
        done.set()
        thread.join()


def _without_debug(sink: logs.Sink) -> logs.Sink:
    """What is only for the log of a run, such as which server this is, is not for who waits for a copy."""
    return lambda record: None if record["level"] == "debug" else sink(record)


def _fields(record: logs.Record) -> str:
    return " ".join(f"{k}={v}" for k, v in record.items() if k not in ("time", "level", "event"))


def _is_standard_output(path: Path) -> bool:
    """Whether the rows went where else the summary goes."""
    try:
        return is_stream(path) and os.path.samestat(path.stat(), os.fstat(1))
    except OSError:
        return False


def _summary(source: str, destination: str, result: CopyResult, seconds: float, *, as_json: bool) -> str:
    counts = result.counts
    if as_json:
        document = {
            "path": result.path,
            "rows_read": counts.read,
            "rows_written": counts.written,
            "rows_quarantined": counts.quarantined,
            "bytes": counts.bytes,
            "inserted": counts.inserted,
            "updated": counts.updated,
            "unchanged": counts.unchanged,
            "seconds": round(seconds, 3),
            "quarantine": result.quarantine,
        }
        return json.dumps(document, indent=2)
    merged = ""
    if counts.inserted is not None:
        merged = f" ({number(counts.inserted)} new, {number(counts.updated)} changed, {number(counts.unchanged)} the same)"
    moved = f"{number(counts.written)} rows{merged}, {size(counts.bytes)} in {duration(seconds)}"
    lines = [f"{moved}: {logs.mask(source)} → {logs.mask(destination)}  [path: {result.path}]"]
    if result.quarantine:
        lines.append(f"{number(counts.quarantined)} bad rows quarantined in {result.quarantine}, such as")
        lines += [f"  {row}" for row in result.bad_rows[:3]]
    return "\n".join(lines)
