"""`windlass copy` of many tables: what is shown of them."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from windlass import logs
from windlass.cli.echo import echo, echo_json
from windlass.units import counted, duration, number, size

if TYPE_CHECKING:
    from windlass.api.results import TableCopyResult

__all__ = ["copy_many"]


def copy_many(source: str, destination: str, *, as_json: bool, **options: Any) -> int:
    """Copy the tables, and print what became of each. Returns the exit code."""
    from windlass.api.copying_many import copy_tables

    logs.emit_to(_important(logs.json_lines(sys.stderr)))
    begun = time.monotonic()
    ended = copy_tables(source, destination, done=_telling(), **options)
    if as_json:
        echo_json(json.dumps({"tables": [_document(each) for each in ended]}, indent=2))
    else:
        _print(ended, time.monotonic() - begun)
    return _exit_code(ended)


def _important(sink: logs.Sink) -> logs.Sink:
    return lambda record: sink(record) if record["level"] in ("warning", "error") else None


def _telling() -> Any:
    """What tells, on a terminal, of each table that has ended."""
    lock = threading.Lock()

    def tell(ended: TableCopyResult) -> None:
        if sys.stderr.isatty():
            with lock:
                how = counted(ended.result.rows_written, "row") if ended.result else "failed"
                echo(f"{ended.table}: {how}", err=True)

    return tell


def _print(ended: Sequence[TableCopyResult], seconds: float) -> None:
    from windlass.cli.display import print_table

    rows = [_row(each) for each in ended]
    print_table(("table", "status", "written", "quarantined", "bytes", "seconds", "path"), rows)
    failed = [each for each in ended if each.error is not None]
    for each in failed:
        assert each.error is not None
        error = logs.mask(str(each.error))
        echo(f"\n{click.style(each.table, bold=True)}: error[{each.error.code}]: {error}")
    written = sum(each.result.rows_written for each in ended if each.result)
    how = f"{len(ended) - len(failed)} of {len(ended)} tables" if failed else f"{len(ended)} tables"
    echo(f"\n{how}, {counted(written, 'row')} in {duration(seconds)}")


def _row(ended: TableCopyResult) -> tuple[str, ...]:
    result = ended.result
    if result is None:
        return (ended.table, "failed", "", "", "", "", "")
    counts = number(result.rows_written), number(result.rows_quarantined), size(result.bytes)
    return (ended.table, "success", *counts, f"{result.seconds:.1f}", result.path)


def _document(ended: TableCopyResult) -> dict[str, Any]:
    result, error = ended.result, ended.error
    return {
        "table": ended.table,
        "status": "success" if result else "failed",
        "rows_read": result.rows_read if result else None,
        "rows_written": result.rows_written if result else None,
        "rows_quarantined": result.rows_quarantined if result else None,
        "bytes": result.bytes if result else None,
        "seconds": result.seconds if result else None,
        "path": result.path if result else None,
        "error": logs.mask(str(error)) if error else None,
        "code": error.code if error else None,
    }


def _exit_code(ended: Sequence[TableCopyResult]) -> int:
    """That of the failures: what may work later only if all of them may."""
    return min((int(each.error.exit_code) for each in ended if each.error is not None), default=0)
