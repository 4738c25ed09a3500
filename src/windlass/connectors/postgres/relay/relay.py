"""Postgres to Postgres: the binary COPY stream of the source, handed on to the target as it is.

No value is looked at, so every type is exact. What `select`, a type that differs, or a rule asks for is
done by the source, in the query that it copies out of:

    SELECT id, amount::text::numeric(12,2) FROM orders WHERE <every value fits>

The rows that do not fit are read by a second query in the same snapshot, with what is wrong with them.

With `partition`, further connections share the source's snapshot and read their parts at the same time.
Their streams are merged into one COPY of the target, so the load still is one transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from windlass import failpoints
from windlass.connectors.destination import Load, Quarantine, Shortcut
from windlass.connectors.matching import Match, match_columns
from windlass.connectors.postgres.catalog import PgColumn
from windlass.connectors.postgres.reading.parts import conditions
from windlass.connectors.postgres.reading.selected import Selected
from windlass.connectors.postgres.reading.source import PostgresSource
from windlass.connectors.postgres.relay.conversion import (
    INPUT_IS_VALID,
    Fault,
    convert,
    is_too_large,
    rule_faults,
)
from windlass.connectors.postgres.session import Session, postgres_errors
from windlass.connectors.postgres.types import as_read, as_wanted
from windlass.connectors.postgres.wire.framing import HEADER, TRAILER
from windlass.connectors.postgres.writing.destination import PostgresLoad
from windlass.connectors.rows import BadRow, Counts, Meter, Reason, record_of
from windlass.connectors.scratch import identifier, literal
from windlass.connectors.source import Reading, Source
from windlass.plan.model import Copy

if TYPE_CHECKING:
    from windlass.connectors.postgres.writing.landing import Landing

__all__ = ["Relay", "relay"]

_QUEUED = 4 << 20  # bytes on their way between the two servers


@dataclass(frozen=True)
class Transfer:
    """A column on its way: its type at the target, SQL for its value, and what can be wrong with it."""

    source: PgColumn
    name: str
    type: str
    value: str
    faults: tuple[Fault, ...]
    as_text: bool = False
    """The source may not know the type: the value is sent as text, and the target casts it."""


def relay(source: Source, load: Load, reading: Reading, copy: Copy) -> Shortcut | None:
    """The relay, if it can do what is asked for."""
    if copy.validate.json_schema is not None:
        return None
    assert isinstance(source, PostgresSource)
    assert isinstance(load, PostgresLoad)
    source.require_all(reading)
    if source.session.keeps_any_bytes:
        return None  # nor does it hand on what is not UTF-8
    columns = {column.name: column for column in source.columns}
    target = [as_wanted(c) for c in load.table.columns] if load.table else None
    transfers: list[Transfer] = []
    for match in match_columns(copy, list(columns), target):
        if load.table is not None and (match.target is None or _is_outgrown(match, columns, load, copy)):
            return None  # a column that the table gets only now, or that gets another type
        transfer = _transfer(match, columns[match.source], source, load)
        if transfer is None:
            return None
        transfers.append(transfer)
    if any(t.faults for t in transfers) and source.session.version < INPUT_IS_VALID:
        return None
    return Relay(Selected(source, reading), load, copy, transfers)


def _is_outgrown(match: Match, columns: Mapping[str, PgColumn], load: PostgresLoad, copy: Copy) -> bool:
    """Whether the column is to be widened, as far as the source's type says."""
    if copy.on_type_change == "keep" or match.target is None:
        return False
    return match.type is not None or load.wider(match.target, as_read(columns[match.source])) is not None


def _transfer(match: Match, column: PgColumn, source: PostgresSource, load: PostgresLoad) -> Transfer | None:
    """How a column goes over; None if the relay cannot do what is asked for."""
    kind, name = column.type, identifier(column.name)
    if match.type is not None:
        kind = load.normal_type(match.type)
    if load.table is not None:
        existing = load.table.column(match.name)
        assert existing is not None
        kind = existing.type
    elif column.type_kind != "b":
        load.require_type(kind)
    as_text = kind != column.type and not load.is_built_in(kind)
    value, faults = convert(name, column, "text" if as_text else kind)
    broken = rule_faults(value, kind, match.rules, match.name, is_utf8=source.session.is_utf8)
    if broken is None:
        return None
    return Transfer(column, match.name, kind, value, (*faults, *broken), as_text)


@dataclass
class Relay:
    """One relayed copy. Implements `Shortcut`."""

    selected: Selected
    load: PostgresLoad
    copy: Copy
    transfers: list[Transfer]
    reads_here: bool = True

    @property
    def way(self) -> str:
        parts = self.copy.partition.parts if self.copy.partition else 1
        return "copy-binary" if parts == 1 else f"copy-binary in {parts} parts"

    @property
    def missing(self) -> tuple[str, ...]:
        there = self.load.table.columns if self.load.table else ()
        brought = {transfer.name for transfer in self.transfers}
        wanted = (c for c in there if not (c.generated or c.has_default or c.identity))
        return tuple(column.name for column in wanted if column.name not in brought)

    @property
    def mark(self) -> str | None:
        return self.selected.mark

    def run(self, counts: Counts, quarantine: Quarantine, meter: Meter) -> None:
        def refuse(row: BadRow, _position: int) -> None:
            row.source = self.selected.source.name
            quarantine.add([row])

        cast_there = {transfer.name for transfer in self.transfers if transfer.as_text}

        def as_text(column: PgColumn) -> bool:
            judged_there = not (quarantine.fail or column.built_in)
            return not column.portable or judged_there or column.name in cast_there

        landing = self.load.land(
            [(t.name, t.type) for t in self.transfers], refuse, as_text, careful=not quarantine.fail
        )
        pipe = Pipe(meter)
        counts.read = self._copy([(column.name, as_text(column)) for column in landing.columns], pipe)
        counts.bytes = pipe.bytes
        self.load.place(counts)
        counts.read += self._quarantine_bad_rows(quarantine)
        self._note_sequences(landing)

    def _copy(self, order: list[tuple[str, bool]], pipe: Pipe) -> int:
        """Move the rows that fit. `order`: each column in which they land, and whether as text.

        Returns the count of the source's server.
        """
        self.selected.begin_snapshot()
        parts = self._parts()
        sessions = [self.selected.session]
        try:
            sessions += [self._session_with_same_snapshot() for _ in parts[1:]]
            queries = [self._query(order, *of_part) for of_part in zip(sessions, parts, strict=True)]
            return self.load.session.run(self._transfer(sessions, queries, pipe))
        finally:
            for session in sessions[1:]:
                session.close()

    async def _transfer(self, sessions: list[Session], queries: list[str], pipe: Pipe) -> int:
        reading = asyncio.create_task(pipe.fill(sessions, queries))
        try:
            await self.load.copy_in_rows(pipe.rows())
            return await reading
        finally:
            reading.cancel()

    def _parts(self) -> list[str]:
        """A condition a part."""
        partition, selected = self.copy.partition, self.selected
        if partition is None:
            return ["true"]
        source = selected.source
        return conditions(selected.session, selected.rows, source.table, source.columns, partition)

    def _query(self, order: list[tuple[str, bool]], session: Session, part: str) -> str:
        """What to copy out of a session."""
        by_name = {transfer.name: transfer for transfer in self.transfers}
        values = ", ".join(
            f"({by_name[name].value}){'::text' if as_text else ''} AS {identifier(name)}"
            for name, as_text in order
        )
        bad = self._bad()
        where = f" WHERE NOT coalesce({' OR '.join(bad)}, false)" if bad else ""
        return f"SELECT {values} FROM {self.selected.rows_in(session, part)}{where}"

    def _bad(self) -> list[str]:
        return [f"({test})" for transfer in self.transfers for test, _, _ in transfer.faults]

    def _session_with_same_snapshot(self) -> Session:
        snapshot = self.selected.session.value("SELECT pg_export_snapshot()")
        session = Session(self.selected.session.address)
        session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        session.execute(f"SET TRANSACTION SNAPSHOT {literal(snapshot)}")
        return session

    def _quarantine_bad_rows(self, quarantine: Quarantine) -> int:
        faults = [(t, reason, what) for t in self.transfers for _, reason, what in t.faults]
        if not faults:
            return 0
        cases = " ".join(f"WHEN {test} THEN {number}" for number, test in enumerate(self._bad()))
        sql = (
            "SELECT record, fault FROM (SELECT to_jsonb(r)::text AS record, "
            f"CASE {cases} END AS fault FROM (SELECT * FROM {self.selected.rows}) AS r) AS f "
            "WHERE fault IS NOT NULL"
        )
        count = 0
        for rows in self.selected.session.batches(sql):
            quarantine.add([self._bad_row(row["record"], *faults[row["fault"]]) for row in rows])
            count += len(rows)
        return count

    def _bad_row(self, record: str, transfer: Transfer, reason: Reason, what: str) -> BadRow:
        values, column = record_of(record), transfer.source.name
        value = None if values[column] is None else str(values[column])
        if reason is Reason.TYPE_MISMATCH and value is not None and is_too_large(value, transfer.type):
            reason = Reason.OUT_OF_RANGE
        message = f"column {column!r}: {value!r} {what}"
        name = self.selected.source.name
        return BadRow(reason, message, column, value, record=values, source=name)

    def _note_sequences(self, landing: Landing) -> None:
        """The target's sequences go on where the source's are; without one there, past the highest value."""
        by_name = {transfer.name: transfer.source for transfer in self.transfers}
        for column in landing.columns:
            if column.sequence is None:
                continue
            sequence = by_name[column.name].sequence
            if sequence is not None and self._may_read(sequence):
                highest = self.selected.session.value(f"SELECT last_value FROM {sequence} WHERE is_called")
            else:
                highest = self.load.loaded.highest(landing, column.name)
            if highest is not None:
                landing.highest[column.name] = int(highest)

    def _may_read(self, sequence: str) -> bool:
        """Whether the role may: SELECT on a table does not include its sequences."""
        allowed: bool = self.selected.session.value("SELECT has_sequence_privilege($1, 'SELECT')", sequence)
        return allowed


class Pipe:
    """The rows between the two servers: what has arrived and was not yet sent, at most `_QUEUED` bytes.

    asyncpg hands on whole messages, and Postgres sends a row a message; so a chunk is some whole rows,
    and chunks of several parts can follow each other in any order.
    """

    def __init__(self, meter: Meter) -> None:
        self.bytes = 0
        self._meter = meter
        self._chunks: list[bytes] = []
        self._size = 0
        self._open = True
        self._arrived, self._room = asyncio.Event(), asyncio.Event()

    async def fill(self, sessions: list[Session], queries: list[str]) -> int:
        """Copy all parts out at the same time. Returns the number of rows."""
        try:
            async with asyncio.TaskGroup() as group:
                parts = [
                    group.create_task(self._copy_out(session, query))
                    for session, query in zip(sessions, queries, strict=True)
                ]
            return sum(part.result() for part in parts)
        except ExceptionGroup as group_error:
            raise group_error.exceptions[0] from None
        finally:
            self._open = False
            self._arrived.set()

    async def rows(self) -> AsyncIterator[bytes]:
        """The stream of the merged COPY. Ends without its trailer, so as an error, if a part fails."""
        yield HEADER
        while True:
            await self._arrived.wait()
            if not self._chunks:
                break
            data, self._chunks, self._size = b"".join(self._chunks), [], 0
            if self._open:
                self._arrived.clear()
            self._room.set()
            self.bytes += len(data)
            self._meter(0, len(data))
            yield data
            failpoints.reach("mid-copy")

    async def _copy_out(self, session: Session, query: str) -> int:
        part = _PartStream(self)

        async def take(chunk: bytes) -> None:
            with session.at_work():
                await part.take(chunk)

        with postgres_errors(session.address):
            copying = session.connection.copy_from_query(query, output=take, format="binary")
            status = await session.watched(copying)
        await part.end()
        return int(status.rpartition(" ")[2])

    async def put(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._size += len(chunk)
        self._arrived.set()
        if self._size > _QUEUED:
            self._room.clear()
            await self._room.wait()


class _PartStream:
    """One part's stream, without the header before and the trailer after its rows."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._held: bytes | None = None

    async def take(self, chunk: bytes) -> None:
        if self._held is None:
            self._held = chunk[len(HEADER) :]
            return
        held, self._held = self._held, chunk
        await self._pipe.put(held)

    async def end(self) -> None:
        if self._held is not None:
            await self._pipe.put(self._held[: -len(TRAILER)])
