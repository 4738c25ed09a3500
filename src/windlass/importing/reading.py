"""Reads a document of either kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from windlass.errors import FatalError
from windlass.importing import airbyte, openapi
from windlass.importing.documents import Tree, read_document
from windlass.importing.imported import Imported

__all__ = ["import_file"]

_TRANSLATE: Mapping[str, Callable[[Tree, Imported], None]] = {
    "openapi": openapi.translate,
    "airbyte": airbyte.translate,
}


def import_file(kind: str, file: Path, name: str) -> Imported:
    """What a document says of an API, as a connection of that name. Raises WindlassError."""
    imported = Imported(name)
    _TRANSLATE[kind](Tree(read_document(file)), imported)
    if not imported.sources:
        told = "".join(f"\n  {note}" for note in imported.notes)
        raise FatalError(f"{file} has no list of records that can be copied{told}")
    return imported
