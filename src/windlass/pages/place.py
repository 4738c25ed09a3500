"""Where somebody wants a page to be."""

from __future__ import annotations

from pathlib import Path

from windlass.errors import UsageError
from windlass.files import disk_errors

__all__ = ["require_place"]

_BEGINNINGS = (b"<!doctype html", b"<html")
_LOOKED_AT = 512


def require_place(file: Path) -> None:
    """Raise UsageError where something else than a page of HTML would be written over."""
    if not file.is_file():
        return
    with disk_errors(file, "read"), file.open("rb") as content:
        beginning = content.read(_LOOKED_AT).lower()
    if beginning and not beginning.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(_BEGINNINGS):
        hint = "name another file, or move that one away"
        raise UsageError(f"{file} is not a page of HTML, and is not written over", hint=hint)
