"""Opens files as the source of a copy."""

from __future__ import annotations

from windlass.connectors.ends import End
from windlass.connectors.files import options
from windlass.connectors.files.paths import InputFiles
from windlass.connectors.files.reading.source import FileSource
from windlass.connectors.scratch import Scratch
from windlass.connectors.source import Reading, Relation, Source
from windlass.connectors.stores.where import stored_end

__all__ = ["open_source", "relation_of"]


def open_source(end: End[options.Source]) -> Source:
    """Open a file, a folder's, or a pattern's for reading. Raises FatalError for none."""
    if (where := stored_end(end, end.options.path)) is not None:
        from windlass.connectors.files.reading.stored import StoredSource

        def stored(files: InputFiles, reading: Reading, scratch: Scratch) -> Relation:
            return relation_of(files, end.options, reading, scratch)

        return StoredSource(
            where, end.options.format, end.scratch_folder, stored, typed=bool(end.options.columns)
        )
    files = InputFiles(end.options.path, end.workspace, end.options.format, end.scratch_folder)

    def relation(reading: Reading, scratch: Scratch) -> Relation:
        return relation_of(files, end.options, reading, scratch)

    return FileSource(files, relation)


def relation_of(files: InputFiles, wanted: options.Source, reading: Reading, scratch: Scratch) -> Relation:
    """The rows of files, by their format."""
    if files.format == "csv":
        from windlass.connectors.files.reading.csv import CsvRelation

        return CsvRelation(files, wanted, reading, scratch)
    if files.format == "excel":
        from windlass.connectors.files.reading.excel import ExcelRelation

        return ExcelRelation(files, wanted.excel, reading, scratch)
    if files.format == "parquet":
        from windlass.connectors.files.reading.parquet import ParquetRelation

        return ParquetRelation(files, reading, scratch)
    from windlass.connectors.files.reading.json import JsonRelation

    return JsonRelation(files, reading, scratch)
