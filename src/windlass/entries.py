"""The entries of a `for_each`, whatever has them: what they are called, and the rows of a CSV file."""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from collections.abc import Iterator
from typing import TextIO

from msgspec import Struct
from msgspec.structs import replace

from windlass.templates import filled

__all__ = ["Entry", "keyed", "named", "rows", "valid_name"]

_OTHER = re.compile(r"[^A-Za-z0-9_-]+")


class Entry(Struct, frozen=True):
    """One entry, which templates know as `each`."""

    value: object
    name: str | None
    """What it is called; None when nothing says so."""

    place: str
    """Where it stands."""

    def __str__(self) -> str:
        return f"{self.name!r}, {self.place}" if self.name is not None else f"the entry at {self.place}"


def valid_name(text: str) -> str:
    """The text as a part of a name: letters without their accents, and `_` for what a name cannot have.

    >>> valid_name("Zürich, CH")
    'Zurich_CH'
    """
    decomposed = unicodedata.normalize("NFKD", text)
    return _OTHER.sub("_", "".join(c for c in decomposed if not unicodedata.combining(c)))


def named(entry: Entry, template: str | None) -> Entry:
    """The entry with its name: as the template says, or by itself. Raises TemplateError."""
    if template is not None:
        return replace(entry, name=str(filled(template, entry.value)))
    name = entry.value.get("name") if isinstance(entry.value, dict) else entry.value
    known = entry.name if entry.name is not None else name
    if isinstance(known, bool):
        known = json.dumps(known)
    return replace(entry, name=str(known) if isinstance(known, str | int | float) else None)


def keyed(key: object, value: object) -> dict[str, object]:
    """What templates know of an entry of a mapping: its key is its `key`, and its name."""
    return {"key": key, **value} if isinstance(value, dict) else {"key": key, "value": value}


def rows(file: TextIO, shown: str) -> Iterator[Entry]:
    """The rows of a CSV file by the names of its header; everything is text. Raises ValueError, csv.Error."""
    reader = csv.DictReader(file, strict=True)
    header = reader.fieldnames or ()
    if twice := [column for i, column in enumerate(header) if column in header[:i]]:
        raise ValueError(f"the header has {twice[0]!r} twice")
    for row in reader:
        place = f"{shown}:{reader.line_num}"
        if None in row or None in row.values():
            raise ValueError(f"the row of {place} is not as long as the header")
        yield Entry(row, None, place)
