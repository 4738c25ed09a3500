"""`notify` tasks: tell somebody what the data says, once a run.

What was told is noted in the workspace, by the key of the run: a rerun tells nobody again. A kill between telling and noting is
the one moment after which a message comes twice.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windlass.alerts import Message
from windlass.alerts.delivery import hand_over
from windlass.connectors.database import SqlResult
from windlass.errors import Code, FatalError, did_you_mean
from windlass.failpoints import reach
from windlass.files import disk_errors
from windlass.locks import locked
from windlass.plan.model import Notify, Plan
from windlass.tasks.context import Context, TaskResult
from windlass.tasks.subject import rows_of

__all__ = ["Noted", "noted_of", "run_notify"]

_PLACE = re.compile(r"\{(\w+)\}")
_KEPT = 10_000
"""How many messages of one task are remembered."""


def run_notify(plan: Plan, task: str, action: Notify, context: Context) -> TaskResult:
    """Tell whom it concerns if the condition holds. Raises WindlassError for what was not taken."""
    found = _found(action, context)
    detail: dict[str, object] = {"when": action.when if action.has_rows else None, "holds": found.holds}
    if not found.holds:
        return TaskResult(rows_read=found.count, path="message", detail=detail | {"told": 0})
    noted = noted_of(plan, task, context)
    told = 0
    for connection in action.to:
        for message in _messages(plan, task, action, found, context):
            with locked(noted.lock):
                key = _key(context.run_key, connection, message if action.each == "row" else None)
                if not context.force and noted.has(key):
                    continue
                hand_over(message, context.address(connection), connection)
                reach("message-sent")
                noted.add(key)
                told += 1
    return TaskResult(rows_read=found.count, path="message", detail=detail | {"told": told})


# --- what there is to tell ---------------------------------------------------------------------------


@dataclass(frozen=True)
class _Found:
    holds: bool
    count: int | None = None
    """How many rows there are; None where there is nothing to look at."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()


def _found(action: Notify, context: Context) -> _Found:
    if not action.has_rows:
        return _Found(holds=True)
    with rows_of(action, context) as (database, rows):
        answer: SqlResult = database.query(f"SELECT count(*), ({action.when}) FROM {rows}")
        count, holds = answer.rows[0]
        if holds not in (True, False, None):
            hint = "compare it with something, such as count(*) > 0 or max(age) > 10"
            raise FatalError(
                f"`when` is true or false, and {action.when!r} is {holds!r}", hint=hint, code=Code.CONDITION
            )
        shown = database.query(f"SELECT * FROM {rows}", action.limit) if holds else SqlResult()
    return _Found(bool(holds), int(count), shown.columns, shown.rows)


def _messages(plan: Plan, task: str, action: Notify, found: _Found, context: Context) -> Iterator[Message]:
    """One with all rows, or one of each."""
    each = [(row,) for row in found.rows] if action.each == "row" else [found.rows]
    for rows in each:
        first = dict(zip(found.columns, rows[0], strict=True)) if rows else {}
        yield Message(
            event="notice",
            project=plan.project,
            pipeline=plan.pipeline,
            task=task,
            run_id=context.run_id,
            logical_date=context.dates.logical_date.isoformat(),
            text=_text(action.message, {"rows": found.count, **first} if action.has_rows else {}),
            columns=found.columns,
            rows=rows,
        )


def _text(message: str, known: Mapping[str, Any]) -> str:
    """The message with its places filled in."""

    def fill(place: re.Match[str]) -> str:
        name = place[1]
        if not known:
            return place[0]
        if name not in known:
            why = f"`message` names {{{name}}}, and there is no such column"
            raise FatalError(why, hint=did_you_mean(name, known), code=Code.NO_COLUMN)
        return f"{known[name]:,}" if name == "rows" else str(known[name])

    return _PLACE.sub(fill, message)


# --- what was told -----------------------------------------------------------------------------------


def _key(run_key: str, connection: str, message: Message | None) -> str:
    parts = [run_key, connection, *(map(repr, (message.columns, message.rows)) if message else ())]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def noted_of(plan: Plan, task: str, context: Context) -> Noted:
    """What a task has told; kept in the workspace, which its tries share."""
    return Noted(context.workspace.root / ".windlass" / "told" / f"{plan.pipeline}.{task}")


@dataclass(frozen=True)
class Noted:
    """The keys of what one task has told, each in a line, the oldest first."""

    file: Path

    @property
    def lock(self) -> Path:
        return self.file.with_suffix(".lock")

    def has(self, key: str) -> bool:
        return key in self._keys()

    def add(self, key: str) -> None:
        """Note one more, and forget those of long ago."""
        kept = [*self._keys(), key][-_KEPT:]
        with disk_errors(self.file):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            new = self.file.with_suffix(".new")
            new.write_text("".join(f"{key}\n" for key in kept), encoding="utf-8")
            new.replace(self.file)

    def _keys(self) -> list[str]:
        try:
            return self.file.read_text(encoding="utf-8").split()
        except FileNotFoundError:
            return []
