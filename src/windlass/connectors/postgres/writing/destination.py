"""Postgres as the destination of a copy: one transaction, from the first row to the ledger's.

How the rows land depends on what is there and on what was asked for (`land`):

    the table is missing             it is made, in this transaction, and copied into (a part of a load
                                     makes it before, for all of them)
    replace                          copied into a new table that takes the old one's place (`replace.py`)
    append, delete_insert            copied into the table itself
    merge, quarantine, odd types     copied into a temporary table, and on from there (`staging.py`)
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from windlass import failpoints, logs
from windlass.connectors.destination import BaseDestination, Traits
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.options import TableDestination
from windlass.connectors.postgres.catalog import PgColumn, Table, split_name
from windlass.connectors.postgres.session import Session
from windlass.connectors.postgres.types import as_wanted, encoder_of, storable
from windlass.connectors.postgres.writing.ahead import Ahead
from windlass.connectors.postgres.writing.landing import Landing, LoadedTable
from windlass.connectors.postgres.writing.ledger import Ledger
from windlass.connectors.postgres.writing.replace import check_not_referenced
from windlass.connectors.postgres.writing.staging import Staged, Staging
from windlass.connectors.postgres.writing.widening import wider_column
from windlass.connectors.rows import BadRow, Column, Counts, Meter, Rows
from windlass.connectors.scratch import Scratch
from windlass.errors import FatalError, RetryableError, WindlassError
from windlass.ledger import LedgerEntry

if TYPE_CHECKING:
    import pyarrow as pa

    from windlass.connectors.postgres.writing.sending import Sending

__all__ = ["PostgresDestination", "PostgresLoad"]

_SETTLE_PAUSE = 0.5


class PostgresDestination(BaseDestination):
    """A table. Implements `Destination`."""

    traits = Traits(way="arrow → copy-binary", stores_nul=False)

    def __init__(self, end: ConnectedEnd[TableDestination]) -> None:
        split_name(end.options.table)  # or it is refused, before there is a session
        self.session = Session(end.address)
        self.options = end.options
        self.loaded = LoadedTable(self.session, end.options, end.interval)
        self._alone = end.alone
        self._begun: tuple[Ledger, LedgerEntry, PostgresLoad | None] | None = None

    def close(self) -> None:
        self.session.close()

    def begin(self, entry: LedgerEntry) -> PostgresLoad:
        self.loaded.require_schema()
        self.loaded.find()
        if self.loaded.found is not None and self.options.mode == "replace":
            check_not_referenced(self.session, self.loaded.found)
        ledger = self._ledger_of(entry)
        ledger.create()
        self._begun = ledger, entry, None
        self._take_turn(ledger)
        load = PostgresLoad(self, ledger, entry)
        self._begun = ledger, entry, load
        return load

    def _take_turn(self, ledger: Ledger) -> None:
        """Wait for the turn of this load; whoever makes the table is alone at that."""
        was_missing = self.loaded.found is None
        ledger.turn.take(alone=self._alone or was_missing)
        self.loaded.find()  # the writer before may just have made it
        if was_missing and self.loaded.found is not None and not self._alone:
            ledger.turn.share()

    def settle(self, entry: LedgerEntry, loads: Sequence[str]) -> LedgerEntry | None:
        return self._ledger_of(entry).settle(entry, loads)

    def explain(self, error: RetryableError) -> WindlassError:
        """A lost connection may be the doing of a later writer; then trying again would be wrong."""
        if self._begun is None:
            return error
        ledger, entry, load = self._begun
        try:
            session = Session(self.session.address)
        except WindlassError:
            return error
        try:
            overtaken = ledger.is_fenced(session, entry, load.earlier if load is not None else None)
            return ledger.fenced() if overtaken else error
        except WindlassError:
            return error
        finally:
            session.close()

    def _ledger_of(self, entry: LedgerEntry) -> Ledger:
        return Ledger(self.session, self.loaded.schema, self.loaded.name, entry)


class PostgresLoad:
    """One load. Implements `Load` and `PartedLoad`; the relay also uses `land`, `copy_in_rows` and `place`."""

    def __init__(self, destination: PostgresDestination, ledger: Ledger, entry: LedgerEntry) -> None:
        self.session, self.options, self.loaded = (
            destination.session,
            destination.options,
            destination.loaded,
        )
        self.earlier, self.last_cursor = ledger.find(entry), ledger.last_cursor(entry)
        self._ledger, self._part = ledger, entry.part
        self._landing: Landing | None = None
        self._grown: Sequence[Column] = ()
        self._widened: Sequence[Column] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(WindlassError):  # whoever comes next finds that its session is gone
            self._ledger.turn.leave()
        self.session.close()

    @property
    def table(self) -> Table | None:
        """What was found of that name."""
        return self.loaded.found

    def find(self, entry: LedgerEntry) -> LedgerEntry | None:
        return self._ledger.find(entry)

    def columns(self, scratch: Scratch) -> list[Column] | None:
        return None if self.table is None else [as_wanted(column) for column in self.table.columns]

    def storable(self, column: Column) -> Column:
        return storable(column)

    def grow(self, columns: Sequence[Column]) -> None:
        self._grown = columns

    def wider(self, column: Column, values: Column) -> Column | None:
        assert self.table is not None
        there = self.table.column(column.name)
        found = wider_column(there, values) if there and self.table.kind in ("r", "p") else None
        return None if found is None else as_wanted(found)

    def widen(self, columns: Sequence[Column]) -> None:
        self._widened = columns

    # --- rows ---

    def write(self, rows: Rows, counts: Counts, scratch: Scratch, meter: Meter) -> None:
        from windlass.connectors.postgres.writing.sending import Sending, SurelyKept

        new = [(column.name, column.native) for column in rows.columns]
        careful, is_utf8 = rows.quarantines, self.session.is_utf8

        def encoder(column: PgColumn) -> str | None:
            name = encoder_of(column, careful=careful)
            return None if name == "jsonb" and not is_utf8 else name

        landing = self.land(
            new,
            rows.refuse,
            lambda column: encoder(column) is None,
            careful=careful,
            staged_as_text=lambda column: encoder(column) in (None, "jsonb"),
        )
        sending, batches = Sending(landing, encoder, counts, meter), rows.batches()
        if not landing.staged:
            sure = SurelyKept(batches, landing.columns)
            self._send(sending, iter(sure))
            if sure.doubted is None:
                self.place(counts)
                return
            landing.stage(straight=self._copied)
            batches = sure.rest()
        self._send(sending, batches)
        self.place(counts)

    def _send(self, sending: Sending, batches: Iterator[pa.RecordBatch]) -> None:
        with Ahead(sending.chunks(batches)) as ahead:
            self.session.run(self.copy_in_rows(sending.stream(ahead)))

    def land(
        self,
        columns: Sequence[tuple[str, str]],
        refuse: Callable[[BadRow, int], None],
        as_text: Callable[[PgColumn], bool],
        *,
        careful: bool,
        staged_as_text: Callable[[PgColumn], bool] | None = None,
    ) -> Landing:
        """Begin the transaction and prepare a table for these columns (name and, for a new table, type).

        `refuse` gets the rows that the table refuses. Unless the load is `careful`, they go straight into the table
        where they can, and one that it refuses fails the load.
        `as_text` says of a column whether its values arrive as text, to be cast here; `staged_as_text` whether they do
        so once rows come to a temporary table.
        """
        failpoints.reach("before-staging")
        if self.table is None and self._part:
            self.loaded.make_for_all_parts(columns)
        self.session.execute("BEGIN")
        if self._widened:
            self.loaded.widen_columns(self._widened)
        if self._grown:
            self.loaded.add_columns(self._grown)
        landing = self._landing = self.loaded.prepare(columns, careful=careful)
        arriving = [Staged(column, as_text(column)) for column in landing.columns]
        is_view = self.table is not None and self.table.kind == "v"  # which takes INSERT, but no COPY
        secured, vanishing = self.loaded.only_by_insert()
        odd = is_view or secured or vanishing or any(column.as_text for column in arriving)
        odd = odd or (careful and any(column.is_judged for column in arriving))
        careful = careful and self.table is not None and self.loaded.may_refuse_rows()
        landing.staging = Staging(
            self.session,
            landing.sql,
            [Staged(column, (staged_as_text or as_text)(column)) for column in landing.columns],
            lambda row, position: refuse(row, landing.straight + position),
            may_vanish=vanishing,
        )
        if odd or careful or (self.options.mode == "merge" and self.table is not None):
            if careful and landing.swap is not None:
                landing.swap.complete()  # its unique keys have to refuse rows, too
            landing.stage()
        return landing

    async def copy_in_rows(self, stream: AsyncIterator[Any]) -> None:
        """Send a binary COPY stream to where the rows land."""
        landing = self._landing
        assert landing is not None
        staged = landing.staged
        status: str = await self.session.connection.copy_to_table(
            "_windlass_staging" if staged else landing.table,
            schema_name="pg_temp" if staged else landing.schema,
            columns=[column.name for column in landing.columns],
            source=self._fed(stream),
            format="binary",
            freeze=True if landing.fresh and not staged else None,
        )
        self._copied = int(status.rpartition(" ")[2])

    async def _fed(self, stream: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """The stream; while the next chunk of it is awaited, the server waits for us."""
        while True:
            with self.session.at_work():
                chunk = await anext(stream, None)
            if chunk is None:
                return
            yield chunk

    def place(self, counts: Counts) -> None:
        """Bring the rows from where they landed to where they belong."""
        landing = self._landing
        assert landing is not None
        assert landing.staging is not None
        merges, is_new = self.options.mode == "merge", self.table is None
        if not landing.staged:
            counts.written = self._copied
        elif merges and not is_new:
            landing.staging.merge(self.options.key, counts)
        else:
            counts.written = landing.straight + landing.staging.insert()
        if merges and is_new:
            counts.inserted, counts.updated, counts.unchanged = counts.written, 0, 0
        if landing.swap is not None:
            landing.swap.complete()
        if merges and is_new:
            self.loaded.add_primary_key()

    def restart(self) -> None:
        self._landing = None
        self.session.execute("ROLLBACK")
        if self._grown or self._widened:
            self._grown = self._widened = ()
            self.loaded.find()

    # --- the end of the transaction ---

    def commit(self, entry: LedgerEntry) -> None:
        failpoints.reach("before-ledger")
        if self._landing is None:  # there are no rows, only the entry
            self.session.execute("BEGIN")
        self._ledger.record(entry)
        failpoints.reach("after-ledger")
        if self._landing is not None:
            self.loaded.move_sequences(self._landing)
            if self._landing.swap is not None:
                self._landing.swap.finish()
        self.session.execute("SET CONSTRAINTS ALL IMMEDIATE")
        failpoints.reach("before-commit")
        try:
            self.session.execute("COMMIT")
        except RetryableError as exc:
            self._settle_lost_commit(self._ledger, entry, exc)
        failpoints.reach("after-commit")

    def normal_type(self, text: str) -> str:
        """What Postgres calls a type that somebody wrote in `select`. Raises FatalError for no type."""
        self.session.execute("BEGIN")
        try:
            self.session.execute(f"CREATE TEMP TABLE windlass_type (value {text})")
            kind: str = self.session.value(
                "SELECT format_type(atttypid, atttypmod) FROM pg_attribute "
                "WHERE attrelid = 'pg_temp.windlass_type'::regclass AND attnum = 1"
            )
        except FatalError as exc:
            raise FatalError(f"unknown type {text!r}: {exc.message}") from exc
        finally:
            self.session.execute("ROLLBACK")
        return kind

    def require_type(self, kind: str) -> None:
        """Raise FatalError when the destination's database lacks a type of the source's own."""
        if self.session.value("SELECT to_regtype($1)", kind) is None:
            hint = "create it there, or cast the column to text with `select`"
            raise FatalError(f"the destination has no type {kind}", hint=hint)

    def is_built_in(self, kind: str) -> bool:
        """Whether every server has this type, and means the same by it."""
        return bool(self.session.value("SELECT to_regtype($1)::oid < 16384", kind))

    def _settle_lost_commit(self, ledger: Ledger, entry: LedgerEntry, lost: RetryableError) -> None:
        """The connection broke during COMMIT: only the ledger knows whether it happened."""
        logs.warning("commit_unsettled", because=lost.message)
        patience = self.session.silence
        deadline = time.monotonic() + patience
        while True:
            try:
                session = Session(self.session.address)
                try:
                    committed = ledger.was_committed(entry, session)
                finally:
                    session.close()
                break
            except RetryableError:
                if time.monotonic() > deadline:
                    message = (
                        f"{lost.message}; that was during COMMIT, and for {patience:g} s more the server could not be "
                        f"asked: whether the rows are in {self.loaded.schema}.{self.loaded.name} is not known"
                    )
                    hint = "start the same run again once the server answers: it finds out, and never loads twice"
                    raise RetryableError(message, hint=hint) from lost
                time.sleep(_SETTLE_PAUSE)
        logs.info("commit_settled", committed=committed)
        if not committed:
            raise RetryableError(f"nothing was committed: {lost.message}") from lost
