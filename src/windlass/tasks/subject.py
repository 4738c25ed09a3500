"""The rows that a task looks at, for SQL: of a table, a query, a file, or whatever a copy reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from windlass.connectors.database import Database
from windlass.connectors.database import identifier as quoted
from windlass.connectors.scratch import identifier
from windlass.connectors.source import Reading
from windlass.plan.model import Source, Subject
from windlass.tasks.context import Context
from windlass.tasks.sql import open_database

__all__ = ["rows_of"]


@contextmanager
def rows_of(action: Subject, context: Context) -> Iterator[tuple[Database, str]]:
    """The database, and what stands after FROM for the rows."""
    if action.source is None and action.path is None:
        with open_database(action.connection, context, action.query or "") as database:
            names = (quoted(database, name) for name in str(action.table).split("."))
            rows = f"({action.query})" if action.query else ".".join(names)
            yield database, f"{rows} AS checked"
        return
    with _read(action.source or Source(options={"path": action.path}), context) as subject:
        yield subject


@contextmanager
def _read(source: Source, context: Context) -> Iterator[tuple[Database, str]]:
    """The scratch database with the rows of a source, which are read again for each assertion where they can be."""
    from windlass.connectors.duckdb.database import DuckdbDatabase
    from windlass.connectors.scratch import Scratch
    from windlass.engine.ends import open_for_reading

    named = (source, *(inner for _, inner in source.inner()))
    addresses = {
        end.connection: context.address(end.connection) for end in named if end.connection is not None
    }
    opened = open_for_reading(source, addresses, context.workspace, context.scratch_folder)
    with closing(opened), Scratch(context.memory, context.scratch_folder) as scratch:
        relation = opened.open(Reading(), scratch)
        values = ", ".join(
            f"TRY_CAST({identifier(c.name)} AS {c.guess or c.type}) AS {identifier(c.name)}"
            for c in relation.columns()
        )
        rows = f"(SELECT {values} FROM {relation.sql()})"
        if not relation.rereadable:
            kept = scratch.new_name()
            scratch.rows(f"CREATE TABLE {kept} AS {rows}")
            rows = kept
        yield DuckdbDatabase.over(scratch.connection), f"{rows} AS checked"
