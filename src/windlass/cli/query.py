"""`windlass query`: a look at rows."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from windlass import logs
from windlass.cli.echo import echo
from windlass.cli.main import App
from windlass.cli.options import arguments_as_options, complete_end, memory_option
from windlass.units import counted, number

if TYPE_CHECKING:
    from windlass.api.results import QueryResult

__all__ = ["query_command"]

_ON_A_TERMINAL = 100  # rows, unless said otherwise
_WIDEST = 60  # characters of a value on a terminal
_NUMBERS = (
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UBIGINT",
    "UINTEGER",
    "FLOAT",
    "DOUBLE",
    "DECIMAL",
)


@click.command("query")
@click.argument("source", metavar="FROM", shell_complete=complete_end)
@click.argument("sql", required=False)
@click.option(
    "--file",
    type=click.File("r", encoding="utf-8"),
    help="Take the SQL from this file, or from - (standard input).",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["table", "csv", "json", "ndjson", "markdown"]),
    help="Print the rows in this form. Default: a table on a terminal, else csv.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    metavar="N",
    help=f"Show at most this many rows; 0 shows all. Default: {_ON_A_TERMINAL} on a terminal, else all.",
)
@click.option(
    "--from-format",
    type=click.Choice(["csv", "json", "ndjson", "parquet", "excel"]),
    help="The format of a file. Default: by its name.",
)
@click.option("--write", is_flag=True, help="Let the SQL change the database, in one transaction.")
@memory_option
@click.pass_obj
def query_command(
    app: App,
    source: str,
    sql: str | None,
    file: TextIO | None,
    kind: str | None,
    limit: int | None,
    from_format: str | None,
    memory: str | None,
    *,
    write: bool,
) -> int:
    """Show the rows of FROM, or those of a SELECT.

    FROM is a connection of the project, a table of one, the address of a database, a file, or - (standard input). A
    connection that is not configured is a dev service, which is started for the query.

    \b
      windlass query warehouse                               its tables
      windlass query warehouse:orders --limit 5
      windlass query warehouse "SELECT count(*) FROM orders"
      windlass query orders.csv "SELECT max(amount) FROM orders"

    The query only reads, unless --write says otherwise.
    """
    from windlass.api.querying import asked, change

    logs.emit_to(_events)
    sql = file.read() if file is not None and sql is None else sql
    if write:
        _require_sql(sql)
        changed = change(source, str(sql), app.folder)
        echo(f"{counted(changed, 'row')} changed" if changed is not None else "done")
        return 0
    kind = kind or ("table" if sys.stdout.isatty() else "csv")
    if limit is None and kind == "table" and sys.stdout.isatty():
        limit = _ON_A_TERMINAL
    limit = limit or None
    with (
        arguments_as_options(),
        asked(source, sql, _one_more(limit, kind), from_format, memory, app.folder) as rows,
    ):
        if kind in ("table", "markdown"):
            _print(rows.result(limit, as_text=True), kind)
        else:
            _print_file(rows.written_as(kind))
    return 0


def _require_sql(sql: str | None) -> None:
    from windlass.errors import UsageError

    if sql is None:
        raise UsageError("--write needs the SQL that changes something")


def _one_more(limit: int | None, kind: str) -> int | None:
    """A table tells whether there are more rows than it shows."""
    return limit + 1 if limit is not None and kind in ("table", "markdown") else limit


def _events(record: logs.Record) -> None:
    if record["level"] != "debug":
        fields = " ".join(f"{k}={v}" for k, v in record.items() if k not in ("time", "level", "event"))
        echo(f"{record['event']}: {fields}", err=True)


def _print_file(file: Path) -> None:
    if sys.stdout.isatty():  # which would obey what is in the rows
        with file.open(encoding="utf-8", errors="replace", newline="") as text:
            for line in text:
                echo(line, nl=False)
        return
    with file.open("rb") as data:
        shutil.copyfileobj(data, sys.stdout.buffer)
    sys.stdout.buffer.flush()


def _print(result: QueryResult, kind: str) -> None:
    right = [kind.startswith(_NUMBERS) and not kind.endswith("]") for kind in result.types]
    if kind == "markdown":
        _print_markdown(result, right)
        return
    cells = [[_shown(value) for value in row] for row in result.rows]
    widths = [max(map(len, column)) for column in zip(result.columns, *cells, strict=True)]

    def line(row: Any) -> str:
        parts = (c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True))
        return "  ".join(parts).rstrip()

    echo(click.style(line([_shown(name) for name in result.columns]), bold=True))
    echo(click.style("  ".join("─" * width for width in widths), dim=True))
    for row in cells:
        echo(line(row))
    rows = f"{number(len(cells))} row" + ("" if len(cells) == 1 else "s")
    more = "" if result.is_whole else ", and there are more: --limit 0 shows all"
    echo(click.style(f"{rows}{more}", dim=True))


def _shown(value: str | None) -> str:
    if value is None:
        return "NULL"
    text = "".join(
        c if c.isprintable() else {"\n": "\\n", "\t": "\\t"}.get(c, "\N{REPLACEMENT CHARACTER}")
        for c in value
    )
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _print_markdown(result: QueryResult, right: list[bool]) -> None:
    def line(cells: Any) -> str:
        texts = ("" if c is None else c.replace("|", "\\|").replace("\n", "<br>") for c in cells)
        return f"| {' | '.join(texts)} |"

    echo(line(result.columns))
    echo(line("---:" if r else "---" for r in right))
    for row in result.rows:
        echo(line(row))
