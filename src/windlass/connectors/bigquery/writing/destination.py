"""A table of BigQuery as the destination of a copy.

The rows of a load wait in a table beside (stage.py); one transaction brings them from there into the table, writes the entry
of the ledger, and makes sure that nobody has taken over (turns.py). A reader sees all of it or nothing, whatever the mode, and
what hangs on the table stays: its partitions, clusters, policies, descriptions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from windlass import failpoints, logs
from windlass.connectors.bigquery import options
from windlass.connectors.bigquery.client import Connection
from windlass.connectors.bigquery.fields import Field, field_for, fields_of
from windlass.connectors.bigquery.sql import name
from windlass.connectors.bigquery.writing import making, statements
from windlass.connectors.bigquery.writing.columns import as_wanted, from_stage, is_judged
from windlass.connectors.bigquery.writing.ledger import Ledger
from windlass.connectors.bigquery.writing.stage import NUMBER, Stage
from windlass.connectors.bigquery.writing.turns import OVERTAKEN, Turn, Turns
from windlass.connectors.destination import BaseDestination, BaseLoad, Traits
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.rows import BadRow, BadRowError, Column, Counts, Meter, Reason, Rows, record_of
from windlass.connectors.scratch import Scratch
from windlass.connectors.sql.merging import key_not_unique
from windlass.connectors.sql.numbering import numbered_rows
from windlass.errors import FatalError, RetryableError, WindlassError
from windlass.ledger import LedgerEntry, fenced

if TYPE_CHECKING:
    import pyarrow as pa
    from google.cloud.bigquery import Table

__all__ = ["BigqueryDestination"]


class BigqueryDestination(BaseDestination):
    """A table. Implements `Destination`."""

    traits = Traits(way="arrow → storage write")

    def __init__(self, end: ConnectedEnd[options.Destination]) -> None:
        self.options, self.interval = end.options, end.interval
        self.connection = Connection(end.address)
        with self.connection.closed_on_error():
            self.target = self.connection.table_name(end.options.table)

    def close(self) -> None:
        self.connection.close()

    def begin(self, entry: LedgerEntry) -> BigqueryLoad:
        turns, ledger = self._bookkeeping()
        turn, before = turns.take(entry)
        try:
            failpoints.reach("during-recovery")
            Stage(self.connection, self.target, before).drop()  # its writer can no longer commit, or has
            found = making.fit_table(self.connection, self.target, self.options)
            return BigqueryLoad(self, ledger, turns, turn, entry, found)
        except BaseException:
            with suppress(WindlassError):  # then others wait until there is no sign of life
                turn.leave(has_committed=False)
            raise

    def settle(self, entry: LedgerEntry, loads: Sequence[str]) -> LedgerEntry | None:
        turns, ledger = self._bookkeeping()
        turns.fence(list(loads))
        return ledger.find(entry)

    def _bookkeeping(self) -> tuple[Turns, Ledger]:
        """Turns and ledger, made where they are missing."""
        turns, ledger = Turns(self.connection, self.target), Ledger(self.connection, self.target)
        ledger.make()
        turns.make()
        return turns, ledger


class BigqueryLoad(BaseLoad):
    """One load. Implements `Load` and `GrowingLoad`."""

    def __init__(
        self,
        destination: BigqueryDestination,
        ledger: Ledger,
        turns: Turns,
        turn: Turn,
        entry: LedgerEntry,
        found: Table | None,
    ) -> None:
        self.earlier, self.last_cursor = ledger.history(entry)
        self._options, self._interval = destination.options, destination.interval
        self._connection, self._target = destination.connection, destination.target
        self._ledger, self._turns, self._turn = ledger, turns, turn
        self._stage = Stage(self._connection, self._target, turn.number)
        self._known = None if found is None else {field.name: field for field in fields_of(found.schema)}
        self._new: dict[str, Field] = {}  # columns that the table gets only now
        self._fields: list[Field] | None = None  # those that rows bring, once they are staged
        self._has_committed = False

    def __exit__(self, *_: object) -> None:
        try:
            self._stage.drop()
        finally:
            self._turn.leave(has_committed=self._has_committed)

    def columns(self, scratch: Scratch) -> list[Column] | None:
        if self._known is None:
            return None
        return [self._wanted(field) for field in self._known.values()]

    def storable(self, column: Column) -> Column:
        field = self._new[column.name] = field_for(column.name, column.type)
        return self._wanted(field)

    def _wanted(self, field: Field) -> Column:
        return as_wanted(field, empties_arrays=self._options.null_arrays == "empty")

    def grow(self, columns: Sequence[Column]) -> None:
        """Nothing has to be done yet: `storable` was asked for each of them."""

    def restart(self) -> None:
        self._fields = None
        self._stage.drop()

    # --- rows ---

    def write(self, rows: Rows, counts: Counts, scratch: Scratch, meter: Meter) -> None:
        try:
            self._stage_rows(rows, counts, scratch, meter)
        except (RetryableError, FatalError) as exc:
            if not isinstance(exc, BadRowError) and self._turns.is_overtaken(self._turn.number):
                raise fenced(self._target) from exc  # whoever has the turn has dropped the stage
            raise

    def has(self, name: str) -> Field | None:
        """The column that the table has, if it is there."""
        return (self._known or {}).get(name)

    @property
    def known(self) -> list[Field]:
        """The columns that the table has."""
        return list((self._known or {}).values())

    @property
    def is_new(self) -> bool:
        """Whether the table has to be made."""
        return self._known is None

    @property
    def connection(self) -> Connection:
        return self._connection

    def fill(self, fields: Sequence[Field], wanted: Sequence[str], addresses: Sequence[str]) -> int:
        """Have BigQuery read objects with these columns, of which some are wanted. Returns how many rows came."""
        failpoints.reach("before-staging")
        chosen = [field for field in fields if field.name in wanted]
        if self._known is None:
            making.require_columns(self._options, chosen)
        arrived = self._stage.fill(fields, addresses)
        failpoints.reach("mid-copy")
        self._fields = chosen
        return arrived

    def _stage_rows(self, rows: Rows, counts: Counts, scratch: Scratch, meter: Meter) -> None:
        failpoints.reach("before-staging")
        fields = [self._field(column) for column in rows.columns]
        if self._known is None:
            making.require_columns(self._options, fields)
        self._stage.make(fields)
        for number, size in self._stage.send(self._numbered(rows, scratch)):
            counts.written += number
            counts.bytes += size
            meter(number, size)
            failpoints.reach("mid-copy")
        counts.written -= self._quarantine_refused(fields, rows)
        if self._options.mode == "merge":
            self._count_merge(fields, counts)
        self._fields = fields

    def _field(self, column: Column) -> Field:
        there = (self._known or {}).get(column.name)
        return there if there is not None else self._new[column.name]

    def _numbered(self, rows: Rows, scratch: Scratch) -> Iterator[tuple[pa.RecordBatch, Sequence[int]]]:
        if self._options.mode == "merge":
            yield from numbered_rows(rows, self._options.key, scratch)
            return
        first = 0
        for batch in rows.batches():
            yield batch, range(first, first + batch.num_rows)
            first += batch.num_rows

    def _quarantine_refused(self, fields: Sequence[Field], rows: Rows) -> int:
        """Take out the rows with text that BigQuery makes no value of. Returns how many they were."""
        refused = set()
        for field in fields:
            if not is_judged(field):
                continue
            v = name(field.name)
            wrong = f"{v} IS NOT NULL AND {from_stage(field, safe=True)} IS NULL"
            found = self._connection.rows(
                f"SELECT {NUMBER}, {v}, TO_JSON_STRING(s) FROM {self._stage.table.sql} AS s WHERE {wrong} ORDER BY 1"
            )
            for number, value, record in found:
                if number not in refused:
                    refused.add(number)
                    rows.refuse(self._refusal(field, value, record), number)
        if refused:
            numbers = ", ".join(map(str, sorted(refused)))
            self._connection.changed(f"DELETE FROM {self._stage.table.sql} WHERE {NUMBER} IN ({numbers})")
        return len(refused)

    def _refusal(self, field: Field, value: str, record: str) -> BadRow:
        found = record_of(record)
        found.pop(NUMBER, None)
        message = f"column {field.name!r}: {value!r} does not fit {field.sql()}"
        return BadRow(Reason.TYPE_MISMATCH, message, field.name, value, record=found)

    def _count_merge(self, fields: Sequence[Field], counts: Counts) -> None:
        if self._known is None:
            counts.inserted, counts.updated, counts.unchanged = counts.written, 0, 0
            return
        there = [field for field in fields if field.name in self._known]
        sql = statements.merge_counts(self._target, self._stage.table, there, self._options.key)
        several, counts.inserted, counts.updated = self._connection.rows(sql)[0]
        if several:
            raise key_not_unique(self._options.key)
        counts.unchanged = counts.written - int(counts.inserted or 0) - int(counts.updated or 0)

    # --- the end ---

    def commit(self, entry: LedgerEntry) -> None:
        failpoints.reach("before-ledger")
        self._make_ready()
        script = statements.transaction(
            [self._turns.commit(self._turn.number), *self._changes(), self._ledger.record(entry)]
        )
        failpoints.reach("before-commit")
        try:
            self._connection.run(script, job_id=f"windlass_{entry.load_id or self._turn.number}_commit")
        except WindlassError as exc:
            self._settle(entry, exc)
        self._has_committed = True
        failpoints.reach("after-ledger")
        failpoints.reach("after-commit")

    def _make_ready(self) -> None:
        """Make the table, or its new columns: no transaction of BigQuery can."""
        fields = self._fields or ()
        if self._known is None and fields:
            making.make_table(self._connection, self._target, fields, self._options)
        elif new := [field for field in fields if field.name not in (self._known or {})]:
            making.add_columns(self._connection, self._target, new)

    def _changes(self) -> Iterator[str]:
        if self._fields is None:  # there are no rows, only the entry
            return
        mode, fields, stage = self._options.mode, self._fields, self._stage.table
        if mode == "merge":
            yield statements.merge(self._target, stage, fields, self._options.key)
            return
        if mode == "replace" and self._known is not None:
            yield f"TRUNCATE TABLE {self._target.sql}"
        if mode == "delete_insert":
            assert self._interval is not None
            column = next(field for field in fields if field.name == self._options.interval)
            yield statements.delete_interval(self._target, column, self._interval)
        yield statements.insert(self._target, stage, fields)

    def _settle(self, entry: LedgerEntry, error: WindlassError) -> None:
        """Whatever was said of the transaction: the ledger knows whether it happened, once it cannot happen any more."""
        self._turns.fence([entry.load_id])
        found = self._ledger.find(entry)
        if found is not None and found.load_id == entry.load_id:
            logs.info("commit_settled", because=error.message)
            return
        if OVERTAKEN in error.message:
            raise fenced(self._target) from error
        raise error
