"""Whose turn it is at a table: a load waits until the one before is done or gone.

A table beside has one row: the number of the latest writer, and who that is. BigQuery does not tell who is connected, so a
load gives a sign of life now and then, a label of that table, which costs nothing to change, and who waits counts the time
without one by a clock of its own. That is about patience only: a writer that was taken for gone and is not, is overtaken,
and cannot commit, since its transaction changes that row on the condition that the number is its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from windlass.connectors.bigquery.client import OURS, Connection
from windlass.connectors.bigquery.fields import Field
from windlass.connectors.bigquery.sql import TableName, literal
from windlass.errors import RetryableError, WindlassError
from windlass.ledger import LedgerEntry
from windlass.turns import Heartbeat, SignsOfLife, Waiting

__all__ = ["OVERTAKEN", "Turn", "Turns"]

OVERTAKEN = "windlass: overtaken"
"""What the transaction of a writer fails with that was overtaken."""

_SIGNS = "windlass_signs"
_FIELDS = (Field(name="number", type="INT64"), Field(name="writer", type="STRING"))


class Turns:
    """The turns at one table."""

    def __init__(self, connection: Connection, target: TableName) -> None:
        self._connection, self._target = connection, target
        self.table = target.beside(f"{OURS}_turn_{target.table}")

    def make(self) -> None:
        """Make the table beside, if it is not there."""
        if self._connection.table(self.table) is None:
            self._connection.make(self.table, [field.schema() for field in _FIELDS])

    def take(self, entry: LedgerEntry) -> tuple[Turn, int]:
        """Wait for the turn of a load; also gives the number of the writer before, which may have left a stage.

        A second start of the same load does not wait: it takes the turn of the first. Raises RetryableError when it takes
        too long.
        """
        waiting, signs = Waiting(self._target), SignsOfLife(self._connection.silence)
        while True:
            number, writer = self._found()
            is_same = writer is not None and tuple(writer["key"]) == entry.key
            if writer is None or is_same or signs.are_missing(number, self._signs()):
                if self._replace(number, entry):
                    return Turn(self, number + 1), number - (writer is None)  # who ended, raised it
                continue
            waiting.pause([writer["name"]])

    def fence(self, loads: list[str]) -> None:
        """Keep the starts of these ids from committing."""
        number, writer = self._found()
        while writer is not None and writer["load_id"] in loads:
            if self._replace(number, None):
                return
            number, writer = self._found()

    def is_overtaken(self, number: int) -> bool:
        """Whether the writer of that number is not the latest one any more."""
        try:
            return self._found()[0] != number
        except WindlassError:
            return False

    def commit(self, number: int) -> str:
        """SQL, for a transaction, that fails unless the writer of that number is still the latest one. None is it then."""
        return (
            f"UPDATE {self.table.sql} SET number = IF(number = {number}, {number + 1}, ERROR({literal(OVERTAKEN)})), "
            "writer = NULL WHERE TRUE"
        )

    def leave(self, number: int) -> None:
        self._connection.changed(f"UPDATE {self.table.sql} SET writer = NULL WHERE number = {number}")

    def give_sign(self, count: int) -> None:
        from google.cloud.bigquery import Table

        table = Table(self.table.id)
        table.labels = {_SIGNS: str(count)}
        with self._connection.errors():
            patch: Callable[..., Any] = (
                self._connection.client.update_table
            )  # whose types know of no single try
            patch(table, ["labels"], retry=None, timeout=self._connection.silence)

    def _signs(self) -> object:
        table = self._connection.table(self.table)
        return None if table is None else table.labels.get(_SIGNS)

    def _found(self) -> tuple[int, dict[str, Any] | None]:
        while not (rows := self._connection.listed(self.table, [field.schema() for field in _FIELDS])):
            self._connection.run(
                f"MERGE {self.table.sql} USING (SELECT 1 AS one) ON TRUE "
                "WHEN NOT MATCHED THEN INSERT (number, writer) VALUES (0, NULL)"
            )
        number, writer = rows[0]
        return int(number), None if writer is None else json.loads(writer)

    def _replace(self, number: int, entry: LedgerEntry | None) -> bool:
        """Have another latest writer, or none; false when somebody else was quicker."""
        said = None
        if entry is not None:
            said = json.dumps({"key": entry.key, "name": entry.name, "load_id": entry.load_id})
        change = f"SET number = {number + 1}, writer = {literal(said)} WHERE number = {number}"
        try:
            return self._connection.changed(f"UPDATE {self.table.sql} {change}") > 0
        except RetryableError:
            if self._found()[0] == number:  # it was not about somebody else
                raise
            return False


class Turn:
    """The turn of one load, with signs of life until it leaves."""

    def __init__(self, turns: Turns, number: int) -> None:
        self.number, self._turns, self._count = number, turns, 0
        self._heart = Heartbeat(turns._connection.silence, self._give_sign)

    def leave(self, *, has_committed: bool) -> None:
        """Let others have the turn; a commit has done so already."""
        self._heart.stop()
        if not has_committed:
            self._turns.leave(self.number)

    def _give_sign(self) -> None:
        self._count += 1
        self._turns.give_sign(self._count)
