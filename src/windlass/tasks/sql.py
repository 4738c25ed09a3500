"""`sql` tasks: statements on a connection, or on DuckDB over the files of the workspace."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

from windlass import registry
from windlass.connectors.database import Database
from windlass.plan.model import Sql
from windlass.tasks.context import Context, TaskResult

__all__ = ["open_database", "run_sql"]

_SHOWN = 20


def run_sql(action: Sql, context: Context) -> TaskResult:
    """Run the statements, in one transaction unless they must not be."""
    with open_database(action.connection, context, action.statement) as database:
        result = database.execute(action.statement, transaction=action.transaction)
    detail: dict[str, object] = {}
    if result.columns:
        shown = [dict(zip(result.columns, row, strict=True)) for row in result.rows[:_SHOWN]]
        detail = {"rows": shown, "row_count": len(result.rows)}
    return TaskResult(
        rows_written=result.changed,
        path=registry.SCRATCH if action.connection is None else "sql",
        detail=detail,
    )


@contextmanager
def open_database(connection: str | None, context: Context, text: str) -> Iterator[Database]:
    """The database of a connection; without one, a DuckDB that finds the files that the text names as a copy does."""
    if connection is not None:
        address = context.address(connection)
        connect = registry.load(str(registry.require(address.type).sql))
        with closing(connect(address)) as database:
            yield database
        return
    from windlass.connectors.stores.database import over_files

    workspace = context.workspace
    files = over_files(text, str(workspace.project), context.scratch_folder)
    with _inside(workspace.root), closing(files) as database:
        yield database


@contextmanager
def _inside(folder: os.PathLike[str]) -> Iterator[None]:
    """Relative paths in SQL are of the workspace, first of all."""
    before = os.getcwd()  # noqa: PTH109
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
