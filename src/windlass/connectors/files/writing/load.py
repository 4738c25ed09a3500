"""One load into a file or a folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from windlass.connectors.destination import BaseLoad
from windlass.connectors.ends import End
from windlass.connectors.files.options import Destination, FileFormat
from windlass.connectors.files.writing.gathered import put_together
from windlass.connectors.files.writing.kept import KeptRows, with_values_that_stay
from windlass.connectors.files.writing.writer import FileWriter, Run
from windlass.connectors.rows import Column, Counts, Meter, Rows, is_nested
from windlass.connectors.scratch import Scratch, file_literal, identifier, literal
from windlass.connectors.sql.engine import DuckdbEngine, NewRows
from windlass.connectors.sql.merging import key_not_unique, quarantine_bad_keys
from windlass.connectors.widening import common_type
from windlass.errors import FatalError, WindlassError
from windlass.files import disk_errors
from windlass.ledger import LedgerEntry
from windlass.storage import Place, Staged

if TYPE_CHECKING:
    from windlass.storage.objects import Upload
    from windlass.storage.objects.prefix import StagedObjects

__all__ = ["FileLoad"]

# What a format cannot hold exactly is stored as something that it can. (DuckDB writes BIT as other bits, and
# a TIME WITH TIME ZONE as another time.)
_NO_HUGEINT = {"HUGEINT": "DECIMAL(38,0)", "UHUGEINT": "DECIMAL(38,0)"}
_AS_TEXT = {"BIT": "VARCHAR", "TIME WITH TIME ZONE": "VARCHAR"}
_STORED_AS: dict[FileFormat, dict[str, str]] = {
    "csv": {},
    "json": {**_NO_HUGEINT, **_AS_TEXT},
    "ndjson": {**_NO_HUGEINT, **_AS_TEXT},
    "parquet": {**_NO_HUGEINT, **_AS_TEXT, "INTERVAL": "VARCHAR"},
}


class FileLoad(BaseLoad):
    """Implements `Load`, `QueryLoad` and `FolderLoad`."""

    def __init__(
        self,
        end: End[Destination],
        kind: FileFormat,
        compression: str | None,
        place: Place,
        staged: Staged,
        entry: LedgerEntry,
    ) -> None:
        self.earlier, self.last_cursor = place.find(entry), place.last_cursor(entry)
        self._end, self._options, self._kind = end, end.options, kind
        self._staged = staged
        adds = end.options.mode in ("append", "merge")
        self._keeps_rows = adds and not end.options.is_folder and place.exists()
        self._kept: KeptRows | None = None
        self._grown: Sequence[Column] = ()
        self._widened: Sequence[Column] = ()
        self._writer = FileWriter(end.options, kind, compression)
        is_named_for_good = end.options.mode == "append" or not place.names_are_used_again
        self._name = f"part-{entry.load_id}-" if is_named_for_good else "part-"

    def __exit__(self, *_: object) -> None:
        self._staged.__exit__()

    def columns(self, scratch: Scratch) -> list[Column] | None:
        if not self._keeps_rows:
            return None
        return [
            self.storable(Column(column.name, column.type)) for column in self._rows_kept(scratch).columns
        ]

    def grow(self, columns: Sequence[Column]) -> None:
        self._grown = columns

    def wider(self, column: Column, values: Column) -> Column | None:
        kind = common_type(column.type, self.storable(values).type)
        return None if kind in (None, column.type) else self.storable(Column(column.name, str(kind)))

    def widen(self, columns: Sequence[Column]) -> None:
        self._widened = columns

    def storable(self, column: Column) -> Column:
        kind = _STORED_AS[self._kind].get(column.type, column.type)
        if self._kind == "csv" and is_nested(kind):  # as JSON, which others can read, not as DuckDB shows it
            kind = "VARCHAR"
        limited = ("DATE", "TIMESTAMP") if self._kind == "parquet" else ("FLOAT", "DOUBLE")
        # JSON would have null for a NaN
        finite = self._kind != "csv" and kind.startswith(limited) and not is_nested(kind)
        return replace(column, type=kind, finite=finite, rounds_json=self._kind in ("json", "ndjson"))

    def write_query(
        self, query: str, columns: Sequence[Column], counts: Counts, scratch: Scratch, meter: Meter
    ) -> None:
        with self._overtaken_or_not():
            self._write(query, columns, scratch.rows, counts, scratch, meter)
        counts.read = counts.written
        meter(counts.written, 0)

    def write(self, rows: Rows, counts: Counts, scratch: Scratch, meter: Meter) -> None:
        query = scratch.reader(rows.batches(), rows.columns)
        with self._overtaken_or_not():
            if self._options.mode == "merge":
                self._merge(rows, query, counts, scratch, meter)
            else:
                self._write(query, rows.columns, scratch.output_rows, counts, scratch, meter)
            counts.bytes = _size(self._staged.path)
        meter(counts.written, 0)

    def folder(self) -> Path:
        with disk_errors(self._staged.path):
            self._staged.path.mkdir()
        return self._staged.path

    def take(self, folders: Sequence[Path]) -> int:
        with self._overtaken_or_not(), disk_errors(self._staged.path):
            put_together(self._staged.path, folders, self._name)
            return _size(self._staged.path)

    def expect_uploads(self) -> str:
        self._staged_objects.expect()
        return self._name

    def take_uploads(self, uploads: Sequence[Upload]) -> int:
        self._staged_objects.take(uploads)
        return sum(upload.size for upload in uploads)

    @property
    def _staged_objects(self) -> StagedObjects:
        from windlass.storage.objects.prefix import StagedObjects

        assert isinstance(self._staged, StagedObjects)
        return self._staged

    def restart(self) -> None:
        self._grown = self._widened = ()
        self._staged.discard()

    def commit(self, entry: LedgerEntry) -> None:
        self._staged.commit(entry)

    # --- the ways to write ---

    @contextmanager
    def _overtaken_or_not(self) -> Iterator[None]:
        """A later writer removes what this one writes, and then that is what is wrong."""
        try:
            yield
        except (WindlassError, FileNotFoundError):
            self._staged.require_writer()
            raise

    def _write(
        self,
        query: str,
        columns: Sequence[Column],
        run: Run,
        counts: Counts,
        scratch: Scratch,
        meter: Meter,
    ) -> None:
        if self._options.is_folder:
            self._require_other_columns(columns)
            with disk_errors(self._staged.path):
                self._staged.path.mkdir()
            counts.written = self._writer.write_folder(self._staged.path, query, run, meter, name=self._name)
        elif self._keeps_rows:
            new = self._stage(query, columns, run, counts, scratch)
            kept = self._rows_kept(scratch)
            both = f"{kept.query(self._widened)} UNION ALL BY NAME SELECT {new.columns} FROM {new.sql}"
            self._writer.write_file(self._staged.path, both, scratch.rows, meter)
            kept.check()
        else:
            counts.written = self._writer.write_file(self._staged.path, query, run, meter)
        counts.bytes = _size(self._staged.path)

    def _require_other_columns(self, columns: Sequence[Column]) -> None:
        """Raise FatalError for rows that would have nothing left but the names of their folders."""
        by = self._options.partition_by
        if self._kind == "parquet" and {column.name for column in columns} <= set(by):
            message = f"`partition_by` names every column ({', '.join(by)}), and none is left for the files"
            raise FatalError(
                message, hint="leave one out, or choose `format: csv`, which keeps them in the files"
            )

    def _merge(self, rows: Rows, query: str, counts: Counts, scratch: Scratch, meter: Meter) -> None:
        """The rows whose key is new are added, the others take the place of those with the same key."""
        key, engine = self._options.key, DuckdbEngine(scratch.rows)
        new = self._stage(query, rows.columns, scratch.output_rows, counts, scratch)
        new = quarantine_bad_keys(engine, new, key, rows.refuse)
        staged = f"(SELECT {new.columns} FROM {new.sql})"
        old = f"(SELECT * FROM {staged} LIMIT 0)"
        kept = self._rows_kept(scratch) if self._keeps_rows else None
        if kept is not None:
            nulls = "".join(f", CAST(NULL AS {c.type}) AS {identifier(c.name)}" for c in self._grown)
            old = f"(SELECT *{nulls} FROM ({kept.query(self._widened)}))"
            _require_unique_key(scratch, old, staged, key)
        self._count(counts, scratch, staged, old, new)
        if kept is not None:
            staged = with_values_that_stay(staged, old, key, new.names, kept.columns)
        keys = ", ".join(map(identifier, key))
        both = (
            f"SELECT * FROM {old} ANTI JOIN {staged} USING ({keys}) UNION ALL BY NAME SELECT * FROM {staged}"
        )
        self._writer.write_file(self._staged.path, both, scratch.rows, meter)
        if kept is not None:
            kept.check()

    def _count(self, counts: Counts, scratch: Scratch, staged: str, old: str, new: NewRows) -> None:
        keys = ", ".join(map(identifier, self._options.key))
        same = f"(SELECT {new.columns} FROM {staged} INTERSECT ALL SELECT {new.columns} FROM {old})"
        counts.written = scratch.value(f"SELECT count(*) FROM {staged}")
        counts.unchanged = scratch.value(f"SELECT count(*) FROM {same}")
        known = scratch.value(f"SELECT count(*) FROM {staged} SEMI JOIN {old} USING ({keys})")
        counts.updated, counts.inserted = known - counts.unchanged, counts.written - known

    def _stage(
        self, query: str, columns: Sequence[Column], run: Run, counts: Counts, scratch: Scratch
    ) -> NewRows:
        """Put the new rows, numbered, into a file of the scratch folder."""
        file = scratch.folder / f"{scratch.new_name()}.parquet"
        numbered = f"SELECT *, row_number() OVER () - 1 AS __windlass_row FROM ({query})"
        counts.written = int(run(f"COPY ({numbered}) TO {literal(str(file))} (FORMAT parquet)")[0][0])
        names = tuple(column.name for column in columns)
        return NewRows(f"read_parquet({file_literal(file)})", names, "__windlass_row")

    def _rows_kept(self, scratch: Scratch) -> KeptRows:
        if self._kept is None:
            self._kept = KeptRows(self._end, self._kind, scratch)
        return self._kept


def _require_unique_key(scratch: Scratch, old: str, staged: str, key: Sequence[str]) -> None:
    keys = ", ".join(map(identifier, key))
    twice = (
        f"SELECT 1 FROM {old} SEMI JOIN {staged} USING ({keys}) GROUP BY {keys} HAVING count(*) > 1 LIMIT 1"
    )
    if scratch.rows(twice):
        raise key_not_unique(key)


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())
