"""Opens files as the ends of a copy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from windlass.connectors.files.paths import InputFiles
from windlass.connectors.protocol import Destination, Source
from windlass.workspace import Workspace

if TYPE_CHECKING:
    from windlass.plan import model as plan

__all__ = ["open_destination", "open_source"]


def open_source(end: plan.Source, workspace: Workspace, scratch: Path | None = None) -> Source:
    """Open a file, a folder's, or a pattern's for reading. Raises FatalError for none.

    `scratch` is the folder for what can be read only once.
    """
    files = InputFiles(str(end.path), workspace, end.format, scratch)
    if files.format == "csv":
        from windlass.connectors.files.csv import CsvSource

        return CsvSource(files, end)
    if files.format == "parquet":
        from windlass.connectors.files.parquet import ParquetSource

        return ParquetSource(files)
    from windlass.connectors.files.json import JsonSource

    return JsonSource(files)


def open_destination(end: plan.Destination, workspace: Workspace) -> Destination:
    """Open a file, or a folder when the path ends in a slash, for writing."""
    from windlass.connectors.files.destination import FileDestination

    return FileDestination(end, workspace)
