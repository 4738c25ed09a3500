"""The queries of a project, asked of the servers that they are for: `windlass validate --online`. Nothing is run.

A query is that of a copy's source, or of a check. A whole script of a `sql` task is asked about where the database can judge one
without running it (`Rehearsing`). Every other database is asked how it would do a query: EXPLAIN.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from windlass import registry
from windlass.connectors.database import Database, Rehearsing
from windlass.errors import Code, FatalError, SpecError, UsageError, WindlassError
from windlass.logs import mask
from windlass.plan.model import Copy, Plan, Sql, Subject, Task
from windlass.tasks import Context
from windlass.tasks.executing import context_of

__all__ = ["QueryAsked", "ask_queries"]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryAsked:
    """What a server says of one query."""

    pipeline: str
    task: str
    connection: str

    ok: bool | None
    """None where it could not be asked, or where the answer may be another once the tasks before have run."""

    bytes: int | None = None
    """How much it would read, where the server tells."""

    message: str | None = None
    """What is wrong with it, or why nobody knows."""


def ask_queries(project: Path, plans: Iterable[Plan]) -> list[QueryAsked]:
    """Ask about every query that has a connection which is configured. Dev services are not started."""
    return [
        _asked(plan, task, connection, sql, is_script, project)
        for plan in plans
        for task in plan.tasks
        for connection, sql, is_script in _queries(task)
    ]


def _queries(task: Task) -> Iterator[tuple[str, str, bool]]:
    """Each query of a task: its connection, its text, and whether it is a script."""
    action = task.action
    if isinstance(action, Sql) and action.connection is not None:
        yield action.connection, action.statement, True
    elif isinstance(action, Copy) and action.source.connection is not None:
        query = action.source.options.get("query")  # an API has something else there
        if isinstance(query, str):
            yield action.source.connection, query, False
    elif isinstance(action, Subject) and action.connection is not None and action.query:
        yield action.connection, action.query, False


def _asked(plan: Plan, task: Task, connection: str, sql: str, is_script: bool, project: Path) -> QueryAsked:
    def told(ok: bool | None, size: int | None = None, message: str | None = None) -> QueryAsked:
        shown = None if message is None else mask(message)
        return QueryAsked(
            pipeline=plan.pipeline, task=task.name, connection=connection, ok=ok, bytes=size, message=shown
        )

    try:
        context = context_of(plan, task.name, project, os.environ)
        text = context.rendered(sql)
    except (SpecError, UsageError, FatalError) as exc:
        return told(None, message=f"what it says is only known in a run: {exc}")
    try:
        with closing(_connected(connection, context)) as database:
            if is_script and not isinstance(database, Rehearsing):
                return told(None, message="a script of this database can only be run")
            return told(True, _cost(database, text))
    except WindlassError as exc:
        may_come = exc.code is Code.NO_TABLE and _is_changed_before(plan, task, connection)
        unknown = exc.code is Code.NOT_CONFIGURED or may_come
        return told(None if unknown else False, message=str(exc))


def _connected(connection: str, context: Context) -> Database:
    address = context.address(connection)
    connect = registry.require(address.type).sql
    if connect is None:
        raise FatalError(f"{connection!r} has no queries", code=Code.NOT_CONFIGURED)
    database: Database = registry.load(connect)(address)
    return database


def _cost(database: Database, sql: str) -> int | None:
    """How many bytes a query would read, where the database tells. Raises what is wrong with it."""
    if isinstance(database, Rehearsing):
        return database.rehearse(sql)
    database.query(f"EXPLAIN {sql.rstrip().rstrip(';')}")
    return None


def _is_changed_before(plan: Plan, task: Task, connection: str) -> bool:
    """Whether another task of the pipeline may make what is not there yet."""
    others = (other.action for other in plan.tasks if other.name != task.name)
    return any(
        (isinstance(action, Sql) and action.connection == connection)
        or (isinstance(action, Copy) and action.destination.connection == connection)
        for action in others
    )
