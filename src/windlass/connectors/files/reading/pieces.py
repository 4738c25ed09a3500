"""A piece of the files of a copy as a source: some of them, or of a large one a part."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from windlass.connectors.files.options import ReadFormat, Source
from windlass.connectors.files.paths import InputFiles
from windlass.connectors.files.reading.opening import relation_of
from windlass.connectors.files.reading.parquet import ParquetRelation
from windlass.connectors.files.reading.source import FileSource
from windlass.connectors.rows import Column
from windlass.connectors.scratch import Scratch
from windlass.connectors.source import Reading, Relation
from windlass.connectors.stores.ranges import ObjectInRanges
from windlass.connectors.stores.where import Where
from windlass.errors import naming
from windlass.file_kinds import LOOKED_AT
from windlass.files import disk_errors
from windlass.storage.objects import Object
from windlass.workspace import Workspace

__all__ = ["PieceSource", "SomeFiles", "bring_part", "bring_rows", "cut_out"]

_AT_ONCE = 1 << 20
_FOOTER = 8  # bytes behind the footer of Parquet: its length, and a mark


class SomeFiles(InputFiles):
    """Files that somebody else has found."""

    def __init__(self, written: str, paths: Sequence[Path], kind: ReadFormat, *, is_only_one: bool) -> None:
        """`is_only_one`: whether there are no other files in the whole copy; then it is called as it was written."""
        self._given, self._kind, self._is_only_one = list(paths), kind, is_only_one
        here = Path.cwd()
        super().__init__(written, Workspace(here, here), kind)

    def _found(
        self, workspace: Workspace, declared: ReadFormat | None, scratch: Path | None
    ) -> tuple[list[Path], ReadFormat]:
        return self._given, self._kind

    def name(self, path: Path | str | None = None) -> str:
        return self.written if self._is_only_one or path is None else Path(path).name


class PieceSource(FileSource):
    """The rows of some files; of one Parquet file perhaps only some rows."""

    def __init__(self, files: InputFiles, wanted: Source, rows: tuple[int, int] | None) -> None:
        super().__init__(files, self._rows_of)
        self._wanted, self._rows = wanted, rows
        self.columns: list[Column] = []
        """What it has, once it is opened."""

    def open(self, reading: Reading, scratch: Scratch) -> Relation:
        if self.files.format == "csv":  # whose types are said: nothing has to be found out
            reading = replace(reading, target=())
        relation = super().open(reading, scratch)
        self.columns = relation.columns()
        return relation

    def _rows_of(self, reading: Reading, scratch: Scratch) -> Relation:
        if self._rows is not None:
            return ParquetRelation(self.files, reading, scratch, self._rows)
        return relation_of(self.files, self._wanted, reading, scratch)


def bring_part(where: Where, found: Object, begin: int, end: int, before: bytes, file: Path) -> None:
    """These bytes of an object in a file, behind others."""
    with naming(file), file.open("wb") as target:
        target.write(before)
        target.writelines(where.store.read(found, begin, end))


def bring_rows(where: Where, found: Object, begin: int, end: int, file: Path) -> None:
    """A file in which a Parquet object has the row groups with these rows, its footer, and else nothing."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(ObjectInRanges(where.store, found)) as parquet:
        about, first, spans = parquet.metadata, 0, []
        for number in range(about.num_row_groups):
            group = about.row_group(number)
            if first < end and first + group.num_rows > begin:
                spans.append(_bytes_of(group))
            first += group.num_rows
    tail = b"".join(where.store.read(found, found.size - _FOOTER, found.size))
    footer = int.from_bytes(tail[:4], "little") + _FOOTER
    with naming(file), file.open("wb") as target:
        for at, last in ((0, min(LOOKED_AT, found.size)), *spans, (found.size - footer, found.size)):
            target.seek(at)
            target.writelines(where.store.read(found, at, last))


def _bytes_of(group: Any) -> tuple[int, int]:
    """Where the chunks of a row group lie."""
    chunks = [group.column(number) for number in range(group.num_columns)]
    begins = [min(filter(None, (chunk.dictionary_page_offset, chunk.data_page_offset))) for chunk in chunks]
    ends = [at + chunk.total_compressed_size for at, chunk in zip(begins, chunks, strict=True)]
    return min(begins), max(ends)


def cut_out(file: Path, begin: int, end: int, before: bytes, folder: Path) -> Path:
    """A file of the same name with these bytes of it, behind others."""
    part = folder / file.name
    with disk_errors(file, "read"), file.open("rb") as source, naming(part), part.open("wb") as target:
        target.write(before)
        source.seek(begin)
        left = end - begin
        while left and (data := source.read(min(left, _AT_ONCE))):
            target.write(data)
            left -= len(data)
    shutil.copystat(file, part)
    return part
