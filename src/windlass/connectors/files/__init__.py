"""Files: CSV, JSON, NDJSON and Parquet, as sources and destinations of a copy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from windlass.connectors.files.paths import InputFiles
from windlass.connectors.protocol import Destination, Source

if TYPE_CHECKING:
    from windlass.plan import model as plan

__all__ = ["open_destination", "open_source"]


def open_source(end: plan.Source, path: Path) -> Source:
    """Open files for reading. `path` is a file, a folder or a pattern. Raises FatalError for none."""
    files = InputFiles(str(end.path), path, end.format)
    if files.format == "csv":
        from windlass.connectors.files.csv import CsvSource

        return CsvSource(files, end)
    if files.format == "parquet":
        from windlass.connectors.files.parquet import ParquetSource

        return ParquetSource(files)
    from windlass.connectors.files.json import JsonSource

    return JsonSource(files)


def open_destination(end: plan.Destination, path: Path) -> Destination:
    """Open a file, or a folder when the path ends in a slash, for writing."""
    from windlass.connectors.files.destination import FileDestination

    return FileDestination(end, path)
