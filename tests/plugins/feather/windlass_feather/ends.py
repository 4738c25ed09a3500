"""A Feather file as either end of a copy.

Rows and ledger are in one file, which is renamed into its place: so they are committed at once. Whoever writes holds
a lock from the beginning to the end.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
from pyarrow import ipc

from windlass.connectors.destination import BaseDestination, BaseLoad, Traits
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.options import DestinationOptions, SourceOptions
from windlass.connectors.relations import ArrowRelation
from windlass.connectors.rows import Column, Counts, Meter, Rows
from windlass.connectors.scratch import Scratch
from windlass.connectors.source import BaseSource, Reading, Relation
from windlass.errors import Code, FatalError, RetryableError
from windlass.files import sync
from windlass.ledger import LedgerEntry
from windlass.locks import locked, try_to_take
from windlass.storage.manifest import Manifest, committed_now

__all__ = ["FeatherDestination", "FeatherSource"]

_LOADS = b"windlass_loads"


class FeatherSource(BaseSource):
    """Implements `Source`."""

    def __init__(self, end: ConnectedEnd[SourceOptions]) -> None:
        self.name, self.file = end.connection, Path(end.address.database).resolve()
        if not self.file.exists():
            raise FatalError(f"{self.name}: there is no file {self.file}", code=Code.NO_FILE)

    def occupied(self) -> Iterable[str]:
        return (str(self.file),)

    def fingerprint(self) -> dict[str, object]:
        return {"sha256": hashlib.sha256(self.file.read_bytes()).hexdigest()}

    def open(self, reading: Reading, scratch: Scratch) -> Relation:
        table = _read(self.file)
        return ArrowRelation(self.name, table.schema, table.to_batches(), reading, scratch)


class FeatherDestination(BaseDestination):
    """Implements `Destination`."""

    traits = Traits(way="arrow → feather", modes=frozenset(("append", "replace")))

    def __init__(self, end: ConnectedEnd[DestinationOptions]) -> None:
        self.options, self.file = end.options, Path(end.address.database).resolve()
        self.lock = self.file.with_name(f".{self.file.name}.lock")

    def occupied(self) -> Path:
        return self.file

    def begin(self, entry: LedgerEntry) -> FeatherLoad:
        return FeatherLoad(self, entry)

    def settle(self, entry: LedgerEntry, loads: Sequence[str]) -> LedgerEntry | None:
        with locked(self.lock):
            return _manifest(_read(self.file)).find(entry)


class FeatherLoad(BaseLoad):
    """Implements `Load`."""

    def __init__(self, destination: FeatherDestination, entry: LedgerEntry) -> None:
        lock = try_to_take(destination.lock)
        if lock is None:
            raise RetryableError(f"{destination.file} is being written by another copy")
        self._lock, self._file = closing(lock), destination.file
        self._old = _read(self._file)
        self._appends = destination.options.mode == "append"
        self.earlier, self.last_cursor = (
            _manifest(self._old).find(entry),
            _manifest(self._old).last_cursor(entry),
        )

    def __exit__(self, *_: object) -> None:
        self._lock.__exit__(None, None, None)

    def columns(self, scratch: Scratch) -> list[Column] | None:
        if not self._appends or not self._old.column_names:
            return None
        return scratch.describe(f"FROM {scratch.register_table(self._old.slice(0, 0))}")

    def write(self, rows: Rows, counts: Counts, scratch: Scratch, meter: Meter) -> None:
        new = []
        for batch in rows.batches():
            new.append(batch)
            counts.written += batch.num_rows
            counts.bytes += batch.nbytes
            meter(batch.num_rows, batch.nbytes)
        self._new = pa.Table.from_batches(new, scratch.schema(rows.columns))

    def restart(self) -> None:
        return

    def commit(self, entry: LedgerEntry) -> None:
        table = self._new
        if self._appends and self._old.column_names:
            table = pa.concat_tables([self._old, table], promote_options="default")
        loads = _manifest(self._old).with_load(committed_now(entry)).loads
        metadata = {_LOADS: json.dumps([asdict(load) for load in loads])}
        beside = self._file.with_name(f".{self._file.name}.tmp")
        with ipc.new_file(beside, table.schema.with_metadata(metadata)) as out:
            out.write_table(table)
        sync(beside)
        beside.replace(self._file)
        sync(self._file.parent)


def _read(file: Path) -> pa.Table:
    """The rows, or none of no columns where there is no file."""
    if not file.exists():
        return pa.table({})
    with ipc.open_file(file.read_bytes()) as opened:
        return opened.read_all()


def _manifest(table: pa.Table) -> Manifest:
    found = json.loads((table.schema.metadata or {}).get(_LOADS, b"[]"))
    return Manifest(tuple(LedgerEntry(**load) for load in found))
