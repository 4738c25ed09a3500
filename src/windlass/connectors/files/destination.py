"""Files as the destination of a copy: written beside their place, made durable, then renamed.

A file is always replaced whole, so `append` and `merge` write the rows that stay once more. A folder (a
path that ends in a slash) takes many files and is exchanged whole, too; appending to it links the files
that stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from windlass import failpoints, registry
from windlass.connectors.ends import End
from windlass.connectors.files.formats import format_of
from windlass.connectors.files.kept import KeptRows, with_values_that_stay
from windlass.connectors.files.options import Destination
from windlass.connectors.files.writing import FileWriter, Run, compression_for
from windlass.connectors.protocol import (
    BadRow,
    Column,
    Counts,
    Meter,
    Reason,
    Rows,
    Shortcut,
    Source,
)
from windlass.connectors.scratch import Scratch, file_literal, identifier, literal
from windlass.errors import FatalError, RetryableError, WindlassError
from windlass.files import disk_errors
from windlass.ledger import LedgerEntry
from windlass.plan.model import Copy
from windlass.storage import place_of
from windlass.storage.stream import Stream

__all__ = ["FileDestination"]

# What a format cannot hold exactly is stored as something that it can. (DuckDB writes BIT as other bits, and
# a TIME WITH TIME ZONE as another time.)
_NO_HUGEINT = {"HUGEINT": "DECIMAL(38,0)", "UHUGEINT": "DECIMAL(38,0)"}
_AS_TEXT = {"BIT": "VARCHAR", "TIME WITH TIME ZONE": "VARCHAR"}
_STORED_AS: dict[str, dict[str, str]] = {
    "csv": {},
    "json": {**_NO_HUGEINT, **_AS_TEXT},
    "ndjson": {**_NO_HUGEINT, **_AS_TEXT},
    "parquet": {**_NO_HUGEINT, **_AS_TEXT, "INTERVAL": "VARCHAR"},
}


class FileDestination:
    """One file, or a folder of files. Implements `Destination`."""

    forbids_nul = False

    def __init__(self, end: End[Destination]) -> None:
        self._end, self._options = end, end.options
        self._is_folder, path = end.options.is_folder, end.options.path
        self._place = place_of(
            end.workspace.to_write(path),
            folder=self._is_folder,
            adding=end.options.mode != "replace",
            protected=(end.workspace.root, end.workspace.project),
        )
        self._kind = end.options.format or ("parquet" if self._is_folder else format_of(path))
        self._check_possible()
        self._writer = FileWriter(end.options, self._kind, compression_for(path))
        self._opened = ExitStack()
        self._name = ""
        self.takes_queries = end.options.mode != "merge"

    def close(self) -> None:
        self._opened.close()

    def occupied(self) -> Path | None:
        return self._place.path

    def begin(self, entry: LedgerEntry) -> LedgerEntry | None:
        failpoints.reach("before-staging")
        self._staged = self._opened.enter_context(self._place.begin(entry))
        self._name = f"part-{entry.load_id}-" if self._options.mode == "append" else "part-"
        return self._place.find(entry)

    def settle(self, entry: LedgerEntry, loads: Sequence[str]) -> LedgerEntry | None:
        return self._place.settle(entry, loads)

    def last_cursor(self, entry: LedgerEntry) -> str | None:
        return self._place.last_cursor(entry)

    def shortcut(self, source: Source, copy: Copy) -> Shortcut | None:
        return None

    def columns(self, scratch: Scratch) -> list[Column] | None:
        if not self._keeps_rows:
            return None
        found = self._kept.columns(scratch)
        return [self.storable(Column(column.name, column.type)) for column in found]

    def storable(self, column: Column) -> Column:
        kind = _STORED_AS[self._kind].get(column.type, column.type)
        limited = ("DATE", "TIMESTAMP") if self._kind == "parquet" else ("FLOAT", "DOUBLE")
        # JSON would have null for a NaN
        finite = self._kind != "csv" and kind.startswith(limited) and not kind.endswith("]")
        return replace(column, type=kind, finite=finite, rounds_json=self._kind in ("json", "ndjson"))

    def path(self, *, query: bool) -> str:
        return registry.SCRATCH if query else f"arrow → {registry.SCRATCH}"

    def write_query(
        self, query: str, columns: Sequence[Column], counts: Counts, scratch: Scratch, meter: Meter
    ) -> None:
        with self._overtaken_or_not():
            self._write(query, scratch.rows, counts, scratch, meter)
        counts.read = counts.written
        meter(counts.written, 0)

    def write(self, rows: Rows, counts: Counts, scratch: Scratch, meter: Meter) -> None:
        query = scratch.reader(rows.batches(), rows.columns)
        with self._overtaken_or_not():
            if self._options.mode == "merge":
                self._merge(rows, query, counts, scratch, meter)
            else:
                self._write(query, scratch.output_rows, counts, scratch, meter)
            counts.bytes = _size(self._staged.path)
        meter(counts.written, 0)

    def restart(self) -> None:
        self._staged.discard()

    def commit(self, entry: LedgerEntry) -> None:
        self._staged.commit(entry)

    def explain(self, error: RetryableError) -> WindlassError:
        return error

    # --- the ways to write ---

    @contextmanager
    def _overtaken_or_not(self) -> Iterator[None]:
        """A later writer removes what this one writes, and then that is what is wrong."""
        try:
            yield
        except (WindlassError, FileNotFoundError):
            self._staged.require_writer()
            raise

    def _write(self, query: str, run: Run, counts: Counts, scratch: Scratch, meter: Meter) -> None:
        if self._is_folder:
            counts.written = self._write_folder(query, run, meter)
        elif self._keeps_rows:
            staged = self._stage(query, run, counts, scratch)
            both = f"{self._kept.query(scratch)} UNION ALL BY NAME SELECT * FROM {staged}"
            self._writer.write_file(self._staged.path, both, scratch.rows, meter)
            self._kept.check(scratch)
        else:
            counts.written = self._writer.write_file(self._staged.path, query, run, meter)
        counts.bytes = _size(self._staged.path)

    def _write_folder(self, query: str, run: Run, meter: Meter) -> int:
        with disk_errors(self._staged.path):
            self._staged.path.mkdir()
        return self._writer.write_folder(self._staged.path, query, run, meter, name=self._name)

    def _merge(self, rows: Rows, query: str, counts: Counts, scratch: Scratch, meter: Meter) -> None:
        """The rows whose key is new are added, the others take the place of those with the same key."""
        staged = self._stage(query, scratch.output_rows, counts, scratch)
        staged = self._without_bad_keys(rows, staged, counts, scratch)
        names = ", ".join(identifier(column.name) for column in rows.columns)
        key = ", ".join(map(identifier, self._options.key))
        old = f"(SELECT * FROM {staged} LIMIT 0)"
        if self._keeps_rows:
            old = f"({self._kept.query(scratch)})"
        same = f"(SELECT {names} FROM {staged} INTERSECT ALL SELECT {names} FROM {old})"
        counts.unchanged = scratch.value(f"SELECT count(*) FROM {same}")
        known = scratch.value(f"SELECT count(*) FROM {staged} SEMI JOIN {old} USING ({key})")
        counts.updated, counts.inserted = known - counts.unchanged, counts.written - known
        if self._keeps_rows:
            brought = [column.name for column in rows.columns]
            staged = with_values_that_stay(
                staged, old, self._options.key, brought, self._kept.columns(scratch)
            )
        both = (
            f"SELECT * FROM {old} ANTI JOIN {staged} USING ({key}) UNION ALL BY NAME SELECT * FROM {staged}"
        )
        self._writer.write_file(self._staged.path, both, scratch.rows, meter)
        if self._keeps_rows:
            self._kept.check(scratch)

    def _without_bad_keys(self, rows: Rows, staged: str, counts: Counts, scratch: Scratch) -> str:
        """Set rows aside whose key is NULL or occurs more than once: which of them should win?"""
        key = ", ".join(map(identifier, self._options.key))
        null = " OR ".join(f"{identifier(name)} IS NULL" for name in self._options.key)
        bad = scratch.new_name()
        record = ", ".join(f"{identifier(c.name)} := {identifier(c.name)}" for c in rows.columns)
        scratch.rows(
            f"CREATE TABLE {bad} AS SELECT __windlass_row, ({null}) AS is_null, to_json(struct_pack({record})) AS record "
            f"FROM (SELECT *, count(*) OVER (PARTITION BY {key}) AS __windlass_count FROM {staged}) "
            f"WHERE {null} OR __windlass_count > 1"
        )
        for number, is_null, record in scratch.rows(f"SELECT * FROM {bad} ORDER BY 1"):
            rows.refuse(_bad_key(self._options.key, record, is_null=is_null), number)
            counts.written -= 1
        return f"(SELECT * EXCLUDE (__windlass_row) FROM {staged} ANTI JOIN {bad} USING (__windlass_row))"

    def _stage(self, query: str, run: Run, counts: Counts, scratch: Scratch) -> str:
        """Put the new rows into a file of the scratch folder. Returns what to write after FROM for them."""
        file = scratch.folder / f"{scratch.new_name()}.parquet"
        numbered = f"SELECT *, row_number() OVER () - 1 AS __windlass_row FROM ({query})"
        counts.written = int(run(f"COPY ({numbered}) TO {literal(str(file))} (FORMAT parquet)")[0][0])
        if self._options.mode == "merge":
            return f"read_parquet({file_literal(file)})"
        return f"(SELECT * EXCLUDE (__windlass_row) FROM read_parquet({file_literal(file)}))"

    # --- details ---

    @property
    def _keeps_rows(self) -> bool:
        return not self._is_folder and self._options.mode in ("append", "merge") and self._place.path.exists()

    @cached_property
    def _kept(self) -> KeptRows:
        return KeptRows(self._end, self._kind)

    def _check_possible(self) -> None:
        path, mode = self._options.path, self._options.mode
        if isinstance(self._place, Stream) and mode != "replace":
            raise FatalError(f"{path!r} keeps nothing, so only `mode: replace` can write there")
        if self._options.csv.encoding.lower().replace("_", "-") not in ("utf-8", "utf8"):
            raise FatalError("CSV is written in UTF-8 only", hint="leave `encoding` out")


def _bad_key(key: Sequence[str], text: str, *, is_null: bool) -> BadRow:
    import json

    record = json.loads(text)
    shown = ", ".join(f"{name}={record[name]!r}" for name in key)
    if is_null:
        return BadRow(Reason.IS_NULL, f"the key is NULL ({shown})", key[0], record=record)
    return BadRow(Reason.DUPLICATE_KEY, f"the key occurs more than once ({shown})", key[0], record=record)


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())
