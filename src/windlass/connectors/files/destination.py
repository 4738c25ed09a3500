"""Files as the destination of a copy: written beside their place, made durable, then renamed.

A file is always replaced whole, so `append` and `merge` write the rows that stay once more. A folder (a
path that ends in a slash) takes many files and is exchanged whole, too; appending to it links the files
that stay.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from windlass import failpoints
from windlass.connectors.disk import disk_errors
from windlass.connectors.files.formats import format_of
from windlass.connectors.files.kept import KeptRows, with_values_that_stay
from windlass.connectors.files.manifest import Manifest, sync
from windlass.connectors.files.writing import FileWriter, Run, compression_for
from windlass.connectors.protocol import (
    BadRow,
    Column,
    Counts,
    LedgerEntry,
    Meter,
    Reason,
    Rows,
    Shortcut,
    Source,
)
from windlass.connectors.scratch import Scratch, identifier, literal
from windlass.errors import FatalError, RetryableError, WindlassError
from windlass.plan import model as plan

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

    def __init__(self, end: plan.Destination, path: Path) -> None:
        self._end, self._path = end, path
        self._is_folder = str(end.path).endswith("/")
        self._kind = end.format or ("parquet" if self._is_folder else format_of(str(end.path)))
        self._check_possible()
        self._writer = FileWriter(end, self._kind, compression_for(str(end.path)))
        self._manifest = Manifest(path, folder=self._is_folder)
        self._temporary = path
        self._load = ""
        self.takes_queries = end.mode != "merge"

    def close(self) -> None:
        self._manifest.leave(self._temporary)

    def begin(self, entry: LedgerEntry) -> LedgerEntry | None:
        failpoints.reach("before-staging")
        key = repr((entry.pipeline, entry.task, entry.run_key, entry.part))
        self._load = hashlib.sha256(key.encode()).hexdigest()[:12]
        with disk_errors(self._path):
            self._temporary = self._manifest.take_over(entry.load_id)
        return self._manifest.find(entry)

    def settle(self, entry: LedgerEntry, loads: Sequence[str]) -> LedgerEntry | None:
        with disk_errors(self._path):
            return self._manifest.settle(entry, loads)

    def last_cursor(self, entry: LedgerEntry) -> str | None:
        return self._manifest.last_cursor(entry)

    def shortcut(self, source: Source, copy: plan.Copy) -> Shortcut | None:
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
        return "duckdb" if query else "arrow → duckdb"

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
            if self._end.mode == "merge":
                self._merge(rows, query, counts, scratch, meter)
            else:
                self._write(query, scratch.output_rows, counts, scratch, meter)
            counts.bytes = _size(self._temporary)
        meter(counts.written, 0)

    def restart(self) -> None:
        self._manifest.discard(self._temporary)

    def commit(self, entry: LedgerEntry) -> None:
        with disk_errors(self._path):
            for file in (self._temporary, *self._temporary.rglob("*")):
                if file.is_file():
                    sync(file)
            self._manifest.commit(self._temporary, entry)

    def explain(self, error: RetryableError) -> WindlassError:
        return error

    # --- the ways to write ---

    @contextmanager
    def _overtaken_or_not(self) -> Iterator[None]:
        """A later writer removes what this one writes, and then that is what is wrong."""
        try:
            yield
        except (WindlassError, FileNotFoundError):
            self._manifest.require_writer(self._temporary)
            raise

    def _write(self, query: str, run: Run, counts: Counts, scratch: Scratch, meter: Meter) -> None:
        if self._is_folder:
            counts.written = self._write_folder(query, run, meter)
        elif self._keeps_rows:
            staged = self._stage(query, run, counts, scratch)
            both = f"{self._kept.query(scratch)} UNION ALL BY NAME SELECT * FROM {staged}"
            self._writer.write_file(self._temporary, both, scratch.rows, meter)
            self._kept.check(scratch)
        else:
            counts.written = self._writer.write_file(self._temporary, query, run, meter)
        counts.bytes = _size(self._temporary)

    def _write_folder(self, query: str, run: Run, meter: Meter) -> int:
        self._temporary.mkdir()
        name = "part-"
        if self._end.mode == "append":
            name = f"part-{self._load}-"
            self._link_files_that_stay(but_not=name)
        return self._writer.write_folder(self._temporary, query, run, meter, name=name)

    def _link_files_that_stay(self, *, but_not: str) -> None:
        for file in sorted(self._path.rglob("*")) if self._path.exists() else ():
            if file.is_file() and file.name[0] != "." and not file.name.startswith(but_not):
                place = self._temporary / file.relative_to(self._path)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.hardlink_to(file)

    def _merge(self, rows: Rows, query: str, counts: Counts, scratch: Scratch, meter: Meter) -> None:
        """The rows whose key is new are added, the others take the place of those with the same key."""
        staged = self._stage(query, scratch.output_rows, counts, scratch)
        staged = self._without_bad_keys(rows, staged, counts, scratch)
        names = ", ".join(identifier(column.name) for column in rows.columns)
        key = ", ".join(map(identifier, self._end.key))
        old = f"(SELECT * FROM {staged} LIMIT 0)"
        if self._keeps_rows:
            old = f"({self._kept.query(scratch)})"
        same = f"(SELECT {names} FROM {staged} INTERSECT ALL SELECT {names} FROM {old})"
        counts.unchanged = scratch.value(f"SELECT count(*) FROM {same}")
        known = scratch.value(f"SELECT count(*) FROM {staged} SEMI JOIN {old} USING ({key})")
        counts.updated, counts.inserted = known - counts.unchanged, counts.written - known
        if self._keeps_rows:
            brought = [column.name for column in rows.columns]
            staged = with_values_that_stay(staged, old, self._end.key, brought, self._kept.columns(scratch))
        both = (
            f"SELECT * FROM {old} ANTI JOIN {staged} USING ({key}) UNION ALL BY NAME SELECT * FROM {staged}"
        )
        self._writer.write_file(self._temporary, both, scratch.rows, meter)
        if self._keeps_rows:
            self._kept.check(scratch)

    def _without_bad_keys(self, rows: Rows, staged: str, counts: Counts, scratch: Scratch) -> str:
        """Set rows aside whose key is NULL or occurs more than once: which of them should win?"""
        key = ", ".join(map(identifier, self._end.key))
        null = " OR ".join(f"{identifier(name)} IS NULL" for name in self._end.key)
        bad = scratch.new_name()
        record = ", ".join(f"{identifier(c.name)} := {identifier(c.name)}" for c in rows.columns)
        scratch.rows(
            f"CREATE TABLE {bad} AS SELECT __windlass_row, ({null}) AS is_null, to_json(struct_pack({record})) AS record "
            f"FROM (SELECT *, count(*) OVER (PARTITION BY {key}) AS __windlass_count FROM {staged}) "
            f"WHERE {null} OR __windlass_count > 1"
        )
        for number, is_null, record in scratch.rows(f"SELECT * FROM {bad} ORDER BY 1"):
            rows.refuse(_bad_key(self._end.key, record, is_null=is_null), number)
            counts.written -= 1
        return f"(SELECT * EXCLUDE (__windlass_row) FROM {staged} ANTI JOIN {bad} USING (__windlass_row))"

    def _stage(self, query: str, run: Run, counts: Counts, scratch: Scratch) -> str:
        """Put the new rows into a file of the scratch folder. Returns what to write after FROM for them."""
        file = literal(str(scratch.folder / f"{scratch.new_name()}.parquet"))
        numbered = f"SELECT *, row_number() OVER () - 1 AS __windlass_row FROM ({query})"
        counts.written = int(run(f"COPY ({numbered}) TO {file} (FORMAT parquet)")[0][0])
        if self._end.mode == "merge":
            return f"read_parquet({file})"
        return f"(SELECT * EXCLUDE (__windlass_row) FROM read_parquet({file}))"

    # --- details ---

    @property
    def _keeps_rows(self) -> bool:
        return not self._is_folder and self._end.mode in ("append", "merge") and self._path.exists()

    @cached_property
    def _kept(self) -> KeptRows:
        return KeptRows(self._end, self._kind, self._path)

    def _check_possible(self) -> None:
        path, mode = str(self._end.path), self._end.mode
        if not self._is_folder and self._path.is_dir():
            raise FatalError(f"{path!r} is a folder", hint="end it with / to write files into it")
        if mode == "delete_insert" or (self._is_folder and mode == "merge"):
            raise FatalError(
                f"{path!r} cannot be written with `mode: {mode}`", hint="use `replace` or `append`"
            )
        if self._end.csv.encoding.lower().replace("_", "-") not in ("utf-8", "utf8"):
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
