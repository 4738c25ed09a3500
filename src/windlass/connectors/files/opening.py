"""Opens files as the ends of a copy."""

from __future__ import annotations

from windlass.connectors.ends import End
from windlass.connectors.files import options
from windlass.connectors.files.paths import InputFiles
from windlass.connectors.protocol import Destination, Source

__all__ = ["open_destination", "open_source"]


def open_source(end: End[options.Source]) -> Source:
    """Open a file, a folder's, or a pattern's for reading. Raises FatalError for none."""
    files = InputFiles(end.options.path, end.workspace, end.options.format, end.scratch_folder)
    if files.format == "csv":
        from windlass.connectors.files.csv import CsvSource

        return CsvSource(files, end.options)
    if files.format == "parquet":
        from windlass.connectors.files.parquet import ParquetSource

        return ParquetSource(files)
    from windlass.connectors.files.json import JsonSource

    return JsonSource(files)


def open_destination(end: End[options.Destination]) -> Destination:
    """Open a file, or a folder when the path ends in a slash, for writing."""
    from windlass.connectors.files.destination import FileDestination

    return FileDestination(end)
