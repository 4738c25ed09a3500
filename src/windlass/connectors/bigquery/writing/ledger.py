"""The ledger in BigQuery: `_windlass_loads`, a table of the dataset of the destination.

Rows are only ever added, by the transaction that adds the data: two transactions that change rows of one table would be in
each other's way, and loads of other tables have their entries here, too. The latest entry of a load counts.
"""

from __future__ import annotations

from dataclasses import fields

from windlass.connectors.bigquery.client import OURS, Connection
from windlass.connectors.bigquery.fields import Field
from windlass.connectors.bigquery.sql import TableName, literal, name, names
from windlass.ledger import LedgerEntry

__all__ = ["Ledger"]

_NAMES = [field.name for field in fields(LedgerEntry) if field.name != "committed_at"]
_INTEGERS = ("rows_read", "rows_written", "rows_quarantined")
_KEY = ("pipeline", "task", "run_key", "part")


class Ledger:
    """The ledger for one table."""

    def __init__(self, connection: Connection, target: TableName) -> None:
        self._connection, self._target = connection, target
        self.table = target.beside(f"{OURS}_loads")
        self._is_new = False

    def make(self) -> None:
        """Make the table, if it is not there. Raises FatalError when its dataset is not."""
        if self._connection.table(self.table) is not None:
            return
        self._connection.require_dataset(self.table.project, self.table.dataset)
        self._is_new = True
        columns = [Field(name=each, type="INT64" if each in _INTEGERS else "STRING") for each in _NAMES]
        columns += [Field(name="destination", type="STRING"), Field(name="committed_at", type="TIMESTAMP")]
        schema = [column.schema() for column in columns]
        self._connection.make(
            self.table, schema, clustering_fields=["destination", "pipeline", "task", "run_key"]
        )

    def find(self, entry: LedgerEntry) -> LedgerEntry | None:
        """The committed entry of the same load."""
        return self.history(entry)[0]

    def history(self, entry: LedgerEntry) -> tuple[LedgerEntry | None, str | None]:
        """The committed entry of the same load, and the cursor of the latest load of the same pipeline and task."""
        if self._is_new:
            return None, None
        key = zip(_KEY, entry.key, strict=True)
        same = " AND ".join(f"{name(each)} = {literal(value)}" for each, value in key)
        task = f"pipeline = {literal(entry.pipeline)} AND task = {literal(entry.task)}"
        of_load, with_cursor = (
            self._latest("load", same),
            self._latest("cursor", f"{task} AND {name('cursor')} IS NOT NULL"),
        )
        rows = self._connection.rows(f"{of_load} UNION ALL {with_cursor}")
        found = {
            what: LedgerEntry(**dict(zip((*_NAMES, "committed_at"), rest, strict=True)))
            for what, *rest in rows
        }
        return found.get("load"), found["cursor"].cursor if "cursor" in found else None

    def record(self, entry: LedgerEntry) -> str:
        """SQL, for the data's transaction, that writes the entry."""
        values = [literal(getattr(entry, each)) for each in _NAMES]
        values += [literal(self._target.table), "CURRENT_TIMESTAMP()"]
        columns = names([*_NAMES, "destination", "committed_at"])
        return f"INSERT INTO {self.table.sql} ({columns}) VALUES ({', '.join(values)})"

    def _latest(self, what: str, condition: str) -> str:
        """SQL for the latest entry of which something is true, and what it is."""
        return (
            f"(SELECT {literal(what)}, {names(_NAMES)}, CAST(committed_at AS STRING) FROM {self.table.sql} "
            f"WHERE destination = {literal(self._target.table)} AND {condition} ORDER BY committed_at DESC LIMIT 1)"
        )
