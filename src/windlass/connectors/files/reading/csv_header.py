"""How a CSV file is written, and the names of its columns: what its first lines tell."""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from windlass.connectors.files.options import Csv
from windlass.connectors.files.paths import open_bytes
from windlass.connectors.matching import alike
from windlass.errors import Code, FatalError

__all__ = ["SEPARATOR_LINE", "Dialect", "Header", "not_utf8", "read_header"]

_HEAD, _LONGEST_HEAD = 1 << 20, 32 << 20
_DELIMITERS = (",", ";", "\t", "|")
SEPARATOR_LINE = re.compile(r"[\r\n]*sep=([,;|\t])(?:\r\n?|\n)")
"""The line that tells Excel the delimiter: it is neither a row nor a header."""


_JSON = re.compile(r"""\s*(\[\s*(\{|\]|$)|\{\s*("|\}|$))""")


@dataclass(frozen=True)
class Dialect:
    """How the files are written: as declared, and else as the first one shows."""

    encoding: str
    delimiter: str
    quote: str
    escape: str | None
    """None where a quote is doubled."""

    header: bool

    @classmethod
    def of(cls, path: Path, options: Csv) -> Dialect:
        """Raises FatalError for an encoding that does not exist."""
        encoding = _encoding_of(path, options.encoding)
        said = SEPARATOR_LINE.match(_head(path, encoding))
        delimiter = options.delimiter or (said[1] if said else _delimiter_of(path, encoding))
        escape = None if options.escape == options.quote else options.escape
        return cls(encoding, delimiter, options.quote, escape, options.header)

    @property
    def is_utf8(self) -> bool:
        return codecs.lookup(self.encoding).name == "utf-8"


class Header(NamedTuple):
    """The names of the columns, and how many lines stand before them: blank ones, and Excel's `sep=;`."""

    names: list[str]
    lines_before: int


def read_header(path: Path, dialect: Dialect) -> Header:
    """Read the first record. Without a header the columns are called column0, column1, …"""
    first, before = (
        _first_record(path, dialect, _HEAD) or _first_record(path, dialect, _LONGEST_HEAD) or ([], 0)
    )
    if not first:
        message = f"{path.name}: the first record is longer than {_LONGEST_HEAD >> 20} MB"
        raise FatalError(message, hint="is it CSV, and `quote` and `encoding` as they are there?")
    if not dialect.header:
        return Header([f"column{i}" for i in range(len(first))], before)
    if _JSON.match(",".join(first)):
        raise FatalError(
            f"{path.name} is JSON, not CSV",
            hint="say `format: json`, or if it has no header, `csv: {header: false}`",
            code=Code.OTHER_FORMAT,
        )
    names = [name.strip() or f"column{i}" for i, name in enumerate(first)]
    if twice := sorted(set(alike(names))):
        raise FatalError(
            f"{path.name}: the header names {', '.join(map(repr, twice))} more than once",
            hint="rename the columns, or read the file with `csv: {header: false}` and `select`",
        )
    return Header(names, before)


def not_utf8(data: bytes, offset: int) -> str | None:
    """Which byte is not UTF-8, and where; None if all are."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as exc:
        return (
            f"byte 0x{data[exc.start]:02x} at offset {offset + exc.start} is not UTF-8; "
            "if the file is in another encoding, say so: `csv: {encoding: latin-1}` or cp1252"
        )
    return None


def _without_separator(text: str) -> str:
    """The text behind the line that tells Excel the delimiter, if it begins with one."""
    said = SEPARATOR_LINE.match(text)
    return text[said.end() :] if said else text


def _first_record(path: Path, dialect: Dialect, longest: int) -> tuple[list[str], int] | None:
    """The fields of the first record, and how many lines stand before it. None if it is longer than that."""
    text = _head(path, dialect.encoding, longest)
    body = _without_separator(text).lstrip("\r\n")
    if not body:
        raise FatalError(f"{path.name} has only blank lines", hint="expected at least a header or one row")
    before = len(text[: len(text) - len(body)].splitlines())
    lines = io.StringIO(body, newline="")
    reader = csv.reader(
        lines,
        delimiter=dialect.delimiter,
        quotechar=dialect.quote,
        doublequote=dialect.escape is None,
        escapechar=dialect.escape,
        strict=dialect.header,
    )
    try:
        first = next(reader, [])
    except csv.Error as exc:
        if _is_cut(path, longest):
            return None
        message = f"{path.name}:{before + 1}: the header is not valid CSV: {exc}"
        raise FatalError(message) from exc
    if lines.tell() == len(body) and _is_cut(path, longest):
        return None
    if dialect.header and any("\ufffd" in name for name in first):
        with open_bytes(path) as file:
            message = not_utf8(file.read(longest), 0) or f"it is not {dialect.encoding}"
        raise FatalError(f"{path.name}: the header cannot be read: {message}")
    return first, before


def _is_cut(path: Path, length: int) -> bool:
    """Whether a file has more bytes than that."""
    with open_bytes(path) as file:
        return len(file.read(length + 1)) > length


def _encoding_of(path: Path, declared: str) -> str:
    """The declared one; UTF-16 where a byte order mark says so and nothing else was declared."""
    if declared.lower().replace("_", "-") in ("utf-8", "utf8"):
        with open_bytes(path) as file:
            if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
                return "utf-16"
    return declared


def _delimiter_of(path: Path, encoding: str) -> str:
    """The candidate that the first line has most of, outside quotes."""
    line = _head(path, encoding).lstrip("\r\n").splitlines()[:1]
    unquoted = "".join((line[0] if line else "").split('"')[::2])
    return max(_DELIMITERS, key=unquoted.count)


def _head(path: Path, encoding: str, length: int = _HEAD) -> str:
    with open_bytes(path) as file:
        data = file.read(length)
    return data.decode(encoding, "replace").lstrip("\ufeff")
