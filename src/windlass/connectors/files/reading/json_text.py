"""The text of JSON files as Python reads it: how records stand in it, and where it is not JSON."""

from __future__ import annotations

import codecs
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from windlass.connectors.files.formats import compression_of
from windlass.connectors.files.paths import InputFiles, open_bytes
from windlass.connectors.rows import BadRow, Reason
from windlass.connectors.scratch import Scratch
from windlass.errors import FatalError, naming

__all__ = [
    "Lines",
    "ends_in_comma",
    "explain",
    "first_fault",
    "is_whole",
    "layout_of",
    "records_of",
    "without_mark",
]

_HEAD = 1 << 16
_LARGEST_MENDED = 64 << 20


def layout_of(files: InputFiles) -> str:
    """How the records stand in the file: `array`, `newline_delimited`, or `unstructured` (one after the other)."""
    if files.format == "ndjson":
        return "newline_delimited"
    with open_bytes(files.paths[0]) as file:
        head = file.read(_HEAD).decode("utf-8", "replace").lstrip("\ufeff").lstrip()
    if head.startswith("["):
        return "array"
    first_line, newline, _ = head.partition("\n")
    try:
        json.loads(first_line)
    except (ValueError, RecursionError):
        return "unstructured"
    return "newline_delimited" if newline else "unstructured"


def ends_in_comma(path: Path) -> bool:
    """Whether an array ends in `, ]`: a text cannot end so. Only of a file that can be read in one piece."""
    readable = compression_of(str(path)) is None and path.stat().st_size <= _LARGEST_MENDED
    return readable and re.search(rb",\s*\]\s*\Z", _tail(path)) is not None


def is_whole(path: Path) -> bool:
    """Whether an array has its end: DuckDB takes one that is cut off behind a comma for whole."""
    return _tail(path).rstrip().endswith(b"]")


def _tail(path: Path) -> bytes:
    with open_bytes(path) as file:
        if compression_of(str(path)) is None:
            file.seek(max(path.stat().st_size - _HEAD, 0))
        tail = b""
        while chunk := file.read(_HEAD):
            tail = (tail + chunk)[-_HEAD:]
        return tail


def without_mark(path: Path, scratch: Scratch) -> Path:
    """The file, or a copy without the byte order marks that it begins with, and longer than a byte."""
    with open_bytes(path) as source:
        marks, head = 0, source.read(_HEAD)
        while head.startswith(codecs.BOM_UTF8, marks):
            marks += len(codecs.BOM_UTF8)
        if not marks and len(head) > 1:
            return path
        copy = scratch.folder / f"{scratch.new_name()}.json"
        with naming(copy), copy.open("wb") as target:
            target.write(head[marks:])
            shutil.copyfileobj(source, target)
            target.write(b"\n")  # of a file that is one byte long DuckDB reads nothing, and says nothing
    return copy


def first_fault(files: InputFiles) -> FatalError | None:
    """The first place where a file is not JSON; None where all of them are."""
    for path in files.paths:
        with open_bytes(path) as file:
            data = file.read()
        try:
            text = data.decode().lstrip("\ufeff")
        except UnicodeDecodeError as exc:
            message = f"byte 0x{data[exc.start]:02x} at offset {exc.start} is not UTF-8"
            return FatalError(f"{files.name(path)}: {message}", hint="save the file as UTF-8")
        if (where := _where_not_json(text)) is not None:
            return FatalError(f"{files.name(path)}{where}", hint="the file is not valid JSON; fix it there")
    return None


def _where_not_json(text: str) -> str | None:
    """Line, column and reason of the first place where values one after the other are not JSON."""
    position, decoder = 0, json.JSONDecoder()
    try:
        while (position := _next_value(text, position)) < len(text):
            _, position = decoder.raw_decode(text, position)
    except json.JSONDecodeError as exc:
        return f":{exc.lineno}:{exc.colno}: {exc.msg}"
    except RecursionError:
        return ": nested too deep"
    return None


def records_of(text: str) -> Iterator[str]:
    """The texts of the items of an array, or of values one after the other. Raises ValueError if it is not JSON."""
    decoder, position = json.JSONDecoder(), _next_value(text, 0)
    in_array = text.startswith("[", position)
    position += in_array
    while (position := _next_value(text, position)) < len(text) and not text.startswith("]", position):
        begin = position
        _, position = decoder.raw_decode(text, begin)
        yield text[begin:position]
        if in_array and (position := _next_value(text, position)) < len(text) and text[position] == ",":
            position += 1
        elif in_array and not text.startswith("]", position):
            raise ValueError("an array is not closed")
    if in_array != text.startswith("]", position) or _next_value(text, position + in_array) != len(text):
        raise ValueError("there is more behind the array, or it is not closed")


def _next_value(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position


class Lines:
    """Goes through the lines that are not blank, in order. Ask for ascending numbers."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._lines = self.read(paths)
        self._number = -1
        self._current: tuple[Path, int, int, bytes] | None = None

    def find(self, number: int) -> tuple[Path, int, int, bytes] | None:
        """Path, line number, byte offset and content."""
        while self._number < number:
            self._current = next(self._lines, None)
            self._number += 1
            if self._current is None:
                return None
        return self._current

    @staticmethod
    def read(paths: Sequence[Path]) -> Iterator[tuple[Path, int, int, bytes]]:
        for path in paths:
            offset = 0
            with open_bytes(path) as file:
                for number, line in enumerate(file, 1):
                    if line.strip():
                        yield path, number, offset, line.rstrip(b"\r\n")
                    offset += len(line)


def explain(row: BadRow, line: bytes) -> None:
    """Say what is wrong with a line that is not JSON, and keep it."""
    row.raw = line.decode("utf-8", "backslashreplace")
    try:
        json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as exc:
        row.reason = Reason.WRONG_ENCODING
        row.message = f"byte 0x{line[exc.start]:02x}, {exc.start} bytes into the line, is not UTF-8"
    except json.JSONDecodeError as exc:
        row.message += f": {exc.msg} (column {exc.colno})"
    except RecursionError:
        row.message += ": nested too deep"
