"""The pieces of a copy: files of about the same size together, and of a file that is larger by far a part each.

They follow from the names and sizes of the files alone, so every start of the same load has the same ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct

from windlass.engine.job import Identity
from windlass.plan.model import Copy
from windlass.storage.objects import Object, Upload

__all__ = [
    "ORDER",
    "Failed",
    "HandedIn",
    "Order",
    "Part",
    "Piece",
    "Result",
    "SourceFile",
    "bounds",
    "in_groups",
    "note_of",
    "row_parts",
]

SIZE = 128_000_000
"""Bytes of files that are a piece."""

_OPENING = 16_000  # bytes that could be read in the time that it takes to open a file
ORDER = "order.json"


class SourceFile(NamedTuple):
    """A file of the source: one that all machines have, by its path; or an object of a store, just one version of it."""

    name: str
    """The path, or the key."""

    size: int
    version: str = ""
    """Of an object."""

    @property
    def path(self) -> Path:
        return Path(self.name)

    @property
    def object(self) -> Object:
        return Object(*self)


class Part(Struct, frozen=True):
    """Of a file, what lies from `begin` on and before `end`: bytes, or rows of Parquet."""

    begin: int
    end: int
    lines: int = 0
    """How many lines lie before it."""

    header: str = ""
    """What stands at the beginning of the file, and belongs before every part but the first."""


class Piece(Struct, frozen=True):
    """What is copied at once: some files, or a part of one."""

    files: tuple[SourceFile, ...]
    part: Part | None = None


class Order(Struct, frozen=True):
    """What all pieces have in common."""

    version: str
    copy: Copy
    identity: dict[str, str]
    memory: int
    is_only_one: bool = False
    """Whether all pieces are of one file."""

    @property
    def who(self) -> Identity:
        return Identity(**self.identity)


class HandedIn(NamedTuple):
    """Where the process of the task finds what a try has written."""

    folder: str = ""
    """That of its rows, where both have it."""

    uploads: tuple[Upload, ...] = ()
    """Its rows, in a store."""

    quarantine: str | None = None
    """The file with its bad rows: a path, or a key."""


class Result(Struct, frozen=True, tag="done"):
    """What became of a piece."""

    read: int
    written: int
    quarantined: int
    handed_in: HandedIn
    columns: tuple[tuple[str, str], ...]
    """Those of the source, with their types."""

    machine: str
    """Which process did it."""


class Failed(Struct, frozen=True, tag="failed"):
    """Why a piece was not copied: an error of windlass, which another try by the engine would not change."""

    message: str
    hint: str | None
    code: str
    is_retryable: bool
    bad_rows: list[dict[str, Any]] | None = None


def note_of(number: int) -> str:
    """The name under which a piece is written down."""
    return f"{number}.json"


def in_groups(files: Iterable[SourceFile]) -> Iterator[list[SourceFile]]:
    """Neighbours together, until they have the size of a piece."""
    group: list[SourceFile] = []
    size = 0
    for file in files:
        if group and size + file.size + _OPENING > SIZE:
            yield group
            group, size = [], 0
        group.append(file)
        size += file.size + _OPENING
    if group:
        yield group


def bounds(size: int) -> list[tuple[int, int]]:
    """Ranges of about the size of a piece, which together are a file of that size."""
    count = max(round(size / SIZE), 1)
    cuts = [size * i // count for i in range(count + 1)]
    return list(pairwise(cuts))


def row_parts(groups: Sequence[tuple[int, int]]) -> Iterator[Part]:
    """Parts of a Parquet file whose row groups have these numbers of rows and bytes."""
    begin = end = size = 0
    for rows, length in groups:
        if end > begin and size + length > SIZE:
            yield Part(begin, end)
            begin, size = end, 0
        end += rows
        size += length
    yield Part(begin, end)
