"""`windlass copy`: one copy, without a project."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from windlass import logs
from windlass.cli.copy_many import copy_many
from windlass.cli.echo import echo
from windlass.cli.main import App
from windlass.cli.options import arguments_as_options, complete_end, json_option, memory_option
from windlass.errors import UsageError
from windlass.files import is_stream
from windlass.units import counted, duration, number, size

if TYPE_CHECKING:
    from windlass.api.copying import Format
    from windlass.api.results import CopyResult

__all__ = ["copy_command"]

_FORMATS = ("csv", "json", "ndjson", "parquet")


def _bad_rows(_ctx: click.Context, _param: click.Parameter, text: str | None) -> int | str | None:
    return int(text) if text is not None and text.isdigit() else text


@click.command("copy")
@click.argument("source", metavar="FROM", shell_complete=complete_end)
@click.argument("destination", metavar="TO", shell_complete=complete_end)
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
    multiple=True,
    metavar="COLUMN",
    help="Copy only this column: NAME, NEW=OLD, or NAME:TYPE. Repeatable.",
)
@click.option(
    "--on-bad-row",
    type=click.Choice(["fail", "quarantine"]),
    default="fail",
    show_default=True,
    help="Fail on a bad row, or quarantine it with the reason.",
)
@click.option(
    "--quarantine",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to quarantine bad rows in. Default: FROM.quarantine.ndjson.",
)
@click.option(
    "--max-bad-rows",
    metavar="N|N%",
    callback=_bad_rows,
    help="With quarantine: fail the copy if there are more bad rows than this.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(_FORMATS),
    help="The format of either end, if its name does not tell.",
)
@click.option(
    "--from-format", type=click.Choice([*_FORMATS, "excel"]), help="The format of FROM. Default: by its name."
)
@click.option("--to-format", type=click.Choice(_FORMATS), help="The format of TO. Default: by its name.")
@click.option("--delimiter", metavar="CHAR", help="The delimiter of a CSV that is read. Default: a comma.")
@click.option("--encoding", metavar="NAME", help="The encoding of a CSV that is read. Default: utf-8.")
@click.option("--no-header", is_flag=True, help="The CSV or sheet that is read has no header.")
@click.option("--sheet", metavar="NAME", help="The sheet of an Excel file that is read. Default: the first.")
@click.option(
    "--range", metavar="A3:F200", help="The cells of the sheet, or its columns (A:F). Default: all."
)
@click.option(
    "--on-new-column",
    type=click.Choice(["fail", "add", "ignore"]),
    default="fail",
    show_default=True,
    help="Fail on a column that TO does not have, add it, or leave it out.",
)
@click.option(
    "--on-missing-column",
    type=click.Choice(["null", "fail"]),
    default="null",
    show_default=True,
    help="Write NULL or the default into a column that FROM does not have, or fail.",
)
@click.option(
    "--on-type-change",
    type=click.Choice(["keep", "widen"]),
    default="keep",
    show_default=True,
    help="Keep the column types of TO, or widen one if its type in FROM holds more.",
)
@click.option(
    "--parts", type=click.IntRange(1, 64), default=1, help="Read a Postgres table in this many parts at once."
)
@click.option(
    "--exclude",
    multiple=True,
    metavar="PATTERN",
    help="When copying many tables: leave out those that match. Repeatable.",
)
@click.option(
    "--parallel",
    type=click.IntRange(1, 64),
    help="When copying many tables: the number to copy in parallel. Default: 4.",
)
@memory_option
@json_option
@click.pass_obj
def copy_command(
    app: App,
    /,
    source: str,
    destination: str,
    kind: Format | None,
    exclude: tuple[str, ...],
    parallel: int | None,
    *,
    no_header: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Copy FROM to TO, in one transaction.

    Each is a file (or its http(s) address), a folder, a pattern, - (standard input or output), a table of a connection of the project, or one of
    a database:

    \b
      windlass copy orders.csv orders.parquet
      windlass copy warehouse:orders orders.csv
      windlass copy 'logs/*.json' 'postgresql://user@host/db?table=logs'
      windlass copy 'postgresql://user@host/db?query=SELECT 1' one.csv
      windlass copy 'sqlite:///shop.db?table=orders' orders.parquet

    A pattern copies many tables, each in a transaction of its own, and ends with a summary of all of them.

    \b
      windlass copy 'shop:public.*' warehouse: --exclude 'public.tmp_*'
      windlass copy 'shop:*' 'warehouse:staging.*'
      windlass copy 'shop:*' out/ --to-format csv

    Keep passwords out of the address: put them into ~/.pgpass or PGPASSWORD.
    """
    from windlass.api.copying_many import names_many

    if names_many(source, app.folder):
        return _copy_many(app, source, destination, kind, exclude, parallel, options, as_json=as_json)
    if exclude or parallel:
        raise UsageError(
            "--exclude and --parallel are for many tables", hint="name them by a pattern, such as shop:*"
        )
    options |= _formats(source, destination, kind, options) | {"header": not no_header}
    return _copy(app, source, destination, options, as_json=as_json)


def _copy(app: App, source: str, destination: str, options: dict[str, Any], *, as_json: bool) -> int:
    from windlass.api.copying import copy

    rows_shown = _is_standard_output(destination, app.folder)
    with arguments_as_options(), _shown(live=not (rows_shown and sys.stdout.isatty())) as progress:
        result = copy(source, destination, **options, folder=app.folder, progress=progress)
    echo(_summary(source, destination, result, as_json=as_json), err=rows_shown)
    return 0


_OF_MANY = ("mode", "key", "on_bad_row", "max_bad_rows", "memory")


def _copy_many(
    app: App,
    source: str,
    destination: str,
    kind: Format | None,
    exclude: tuple[str, ...],
    parallel: int | None,
    options: dict[str, Any],
    *,
    as_json: bool,
) -> int:
    with arguments_as_options():
        return copy_many(
            source,
            destination,
            as_json=as_json,
            exclude=exclude,
            parallel=parallel,
            to_format=options["to_format"] or kind or "parquet",
            folder=app.folder,
            **{name: options[name] for name in _OF_MANY},
        )


def _formats(
    source: str, destination: str, kind: Format | None, options: Mapping[str, Any]
) -> dict[str, Format | None]:
    """The formats of both ends: what is said of one, else `kind` where its name does not tell."""
    from windlass.api.copy_ends import tells_format

    ends = {"from_format": source, "to_format": destination}
    return {name: options[name] or (None if tells_format(end) else kind) for name, end in ends.items()}


# --- what is shown -------------------------------------------------------------------------------


@contextmanager
def _shown(*, live: bool) -> Iterator[Callable[[int, int], None]]:
    """On a terminal, a line that says how far the copy is, after its first second; not where the rows go there."""
    moved, begun, done = [0, 0], time.monotonic(), threading.Event()

    def progress(rows: int, amount: int) -> None:
        moved[0] += rows
        moved[1] += amount

    def show() -> None:
        while not done.wait(1):
            elapsed = time.monotonic() - begun
            rows = f"{counted(moved[0], 'row')}  " if moved[0] else ""
            text = f"{rows}{size(moved[1])}  {size(int(moved[1] / elapsed))}/s  {duration(elapsed)}"
            write(text)
        write("")

    def write(text: str) -> None:
        sys.stderr.write(f"\r\x1b[2K{text}")
        sys.stderr.flush()

    def tell(record: logs.Record) -> None:
        if live:  # the line may be there, and what is told takes its place
            write("")
        echo(f"{record['event']}: {_fields(record)}", err=True)

    if not sys.stderr.isatty():
        logs.emit_to(_without_debug(logs.json_lines(sys.stderr)))
        yield progress
        return
    logs.emit_to(_without_debug(tell))
    if not live:
        yield progress
        return
    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield progress
    finally:
        done.set()
        thread.join()


def _without_debug(sink: logs.Sink) -> logs.Sink:
    """What is only for the log of a run, such as which server this is, is not for who waits for a copy."""
    return lambda record: None if record["level"] == "debug" else sink(record)


def _fields(record: logs.Record) -> str:
    fields = (f"{k}={v}" for k, v in record.items() if k not in ("time", "level", "event"))
    return " ".join(fields)


def _is_standard_output(destination: str, folder: Path) -> bool:
    """Whether the rows go where else the summary goes."""
    from windlass.api.copy_ends import path_of

    path = path_of(destination, "/dev/stdout")
    try:
        return (
            path is not None
            and is_stream(folder / path)
            and os.path.samestat((folder / path).stat(), os.fstat(1))
        )
    except OSError:
        return False


def _summary(source: str, destination: str, result: CopyResult, *, as_json: bool) -> str:
    if as_json:
        document = {
            "path": result.path,
            "rows_read": result.rows_read,
            "rows_written": result.rows_written,
            "rows_quarantined": result.rows_quarantined,
            "bytes": result.bytes,
            "inserted": result.inserted,
            "updated": result.updated,
            "unchanged": result.unchanged,
            "columns_added": list(result.columns_added),
            "columns_missing": list(result.columns_missing),
            "columns_widened": result.columns_widened,
            "seconds": result.seconds,
            "quarantine": str(result.quarantine) if result.quarantine else None,
        }
        return json.dumps(document, indent=2)
    merged = ""
    if result.inserted is not None:
        merged = f" ({number(result.inserted)} new, {number(result.updated)} changed, {number(result.unchanged)} the same)"
    moved = (
        f"{counted(result.rows_written, 'row')}{merged}, {size(result.bytes)} in {duration(result.seconds)}"
    )
    lines = [f"{moved}: {source} → {destination}  [path: {result.path}]"]
    if result.quarantine:
        lines.append(
            f"{counted(result.rows_quarantined, 'bad row')} quarantined in {result.quarantine}, such as"
        )
        lines += [f"  {row}" for row in result.bad_rows[:3]]
    return logs.mask("\n".join(lines))
