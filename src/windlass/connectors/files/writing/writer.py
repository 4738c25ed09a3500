"""Writes rows to files, by DuckDB's COPY: options and folders."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

from windlass import failpoints
from windlass.connectors.files.options import Destination, FileFormat
from windlass.connectors.rows import Meter
from windlass.connectors.scratch import file_literal, identifier, literal
from windlass.errors import FatalError
from windlass.files import disk_errors

__all__ = ["FileWriter", "Run"]

Run: TypeAlias = Callable[[str], list[tuple[Any, ...]]]
"""Runs SQL in the scratch database."""

_POLL = 0.2
_FRESH = ".new"  # where the files of a folder are written, before they get their names
_ENDINGS = {"csv": ".csv", "json": ".json", "ndjson": ".ndjson", "parquet": ".parquet"}


class FileWriter:
    """Writes what a SELECT returns, in the format that one destination has."""

    def __init__(self, options: Destination, kind: FileFormat, compression: str | None) -> None:
        self._options, self._kind, self._compression = options, kind, compression

    def write_file(self, file: Path, query: str, run: Run, meter: Meter) -> int:
        """Write one file. Returns the number of rows."""
        with disk_errors(file), _watched(file, meter):
            return self._copy(file, query, run, ())

    def write_folder(self, folder: Path, query: str, run: Run, meter: Meter, *, name: str) -> int:
        """Write files named `<name>00000.parquet` and so on into a folder, and below it into `column=value`."""
        fresh = folder / _FRESH
        extra = []
        if self._options.partition_by:
            extra.append(f"PARTITION_BY ({', '.join(map(identifier, self._options.partition_by))})")
            if self._kind != "parquet":  # whose readers alone take columns from the names of folders
                extra.append("WRITE_PARTITION_COLUMNS true")
        if self._options.max_file_size:
            extra.append(f"FILE_SIZE_BYTES {self._options.max_file_size}")
        with disk_errors(folder), _watched(fresh, meter):
            target = fresh
            if not extra:
                fresh.mkdir()
                target = fresh / "only"
            written = self._copy(target, query, run, extra)
            files = sorted(path for path in fresh.rglob("*") if path.is_file())
            for number, file in enumerate(files):
                place = folder / file.parent.relative_to(fresh) / f"{name}{number:05d}{self._ending}"
                place.parent.mkdir(parents=True, exist_ok=True)
                file.replace(place)
            shutil.rmtree(fresh)
        return written

    def _copy(self, target: Path, query: str, run: Run, extra: Sequence[str]) -> int:
        options = ", ".join([*self._settings(), *extra])
        written = int(run(f"COPY ({query}) TO {literal(str(target))} ({options})")[0][0])
        failpoints.reach("mid-copy")
        if self._kind == "parquet" and target.is_file():
            sql = f"SELECT sum(num_rows)::BIGINT FROM parquet_file_metadata({file_literal(target)})"
            stored = run(sql)[0][0]
            if stored != written:
                raise FatalError(f"{target} has {stored} rows, and {written} were written to it")
        return written

    def _settings(self) -> Iterator[str]:
        if self._kind == "parquet":
            codec = {"none": "uncompressed"}.get(
                self._options.parquet.compression, self._options.parquet.compression
            )
            yield "FORMAT parquet"
            yield f"COMPRESSION {codec}"
            yield f"ROW_GROUP_SIZE {self._options.parquet.row_group_size}"
            return
        if self._compression is not None:
            yield f"COMPRESSION {self._compression}"
        if self._kind == "csv":
            csv = self._options.csv
            yield "FORMAT csv"
            yield f"HEADER {literal(csv.header)}"
            yield f"DELIMITER {literal(csv.delimiter or self._delimiter)}"
            yield f"QUOTE {literal(csv.quote)}"
            yield f"ESCAPE {literal(csv.escape or csv.quote)}"
            yield f"NULLSTR {literal(csv.null)}"
        else:
            yield "FORMAT json"
            yield f"ARRAY {literal(self._kind == 'json')}"

    @property
    def _delimiter(self) -> str:
        return "\t" if ".tsv" in self._options.path else ","

    @property
    def _ending(self) -> str:
        return _ENDINGS[self._kind] + {"gzip": ".gz", "zstd": ".zst"}.get(self._compression or "", "")


@contextmanager
def _watched(target: Path, meter: Meter) -> Iterator[None]:
    """Tell the meter how the target grows while it is written."""
    done = threading.Event()

    def watch() -> None:
        size = 0
        while not done.wait(_POLL):
            now = 0
            with suppress(FileNotFoundError):
                now = target.stat().st_size if target.is_file() else 0
            meter(0, max(now - size, 0))
            size = max(now, size)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
