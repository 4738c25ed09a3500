"""JSON as a source: an array of objects, one object a line (NDJSON), or objects one after the other.

Every record is kept as its JSON text until its fields are taken out, so integers of any size stay
exact. All records are looked at before the copy begins: a field that only the last one has is a column,
too, and `9` beside `"11"` makes the column text. A fraction with more digits than a double keeps is a bad
row, since DuckDB would round it. A comma behind the last record of an array says nothing, and is passed over.
"""

from __future__ import annotations

import codecs
import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from windlass.connectors.files.formats import compression_of
from windlass.connectors.files.paths import InputFiles, check_whole, open_bytes, unpack_bz2
from windlass.connectors.files.reading.gathering import Content, are_many_small, gather
from windlass.connectors.files.reading.infer import in_groups, infer_types
from windlass.connectors.files.reading.source import FileRelation
from windlass.connectors.json_digits import MANY_DIGITS, has_nan, loses_digits
from windlass.connectors.matching import alike
from windlass.connectors.rows import BadRow, Column, Reason, RowFault
from windlass.connectors.scratch import Scratch, file_literal, identifier, literal
from windlass.connectors.source import Reading, Relation
from windlass.errors import FatalError, WindlassError, naming

__all__ = ["RECORD", "JsonRelation", "fields_of", "paths_to"]

_NOT_ONLY_TEXT = "values of several types, or numbers that only text holds"
_LARGE_RECORD, _LARGEST_RECORD = 16 << 20, 128 << 20
_HEAD = 1 << 16
_LARGEST_MENDED = 64 << 20
_FIELD, _FIELD_OF_FEW = (
    300_000,
    160_000,
)  # bytes of memory that a field takes; and where there are only few records
_FEW = 100

RECORD = '"__windlass_json"'


class JsonRelation(FileRelation):
    """One or more JSON files."""

    ROUNDED = "a number has more digits than a double keeps"

    def __init__(self, files: InputFiles, reading: Reading, scratch: Scratch) -> None:
        super().__init__(files, reading, scratch)
        self._paths: list[Path] | None = None
        self._digits = self._words = False
        self.kinds: dict[str, set[str]] = {}
        """The JSON types that the values of each column have; known with the columns."""

        self._layout = _layout(files)
        self._longest = min(_LARGE_RECORD, max(path.stat().st_size for path in files.paths) + _HEAD)

    def rows(self) -> str:
        return fields_of(self._columns or (), self._records(), f"json AS {RECORD}")

    def faults(self) -> Sequence[RowFault]:
        rounded = RowFault(loses_digits(RECORD), Reason.LOSES_PRECISION, self.ROUNDED)
        no_json = RowFault(
            has_nan(f"CAST({RECORD} AS VARCHAR)"),
            Reason.MALFORMED_JSON,
            "NaN and infinities are not valid JSON",
        )
        return (
            *self.always(),
            *((rounded,) if self._digits else ()),
            *((no_json,) if self._words else ()),
        )

    @staticmethod
    def always() -> tuple[RowFault, RowFault, RowFault]:
        """What can be wrong with any record, in the order in which it is looked for."""
        names = f"json_keys({RECORD})"
        return (
            RowFault(f"{RECORD} IS NULL", Reason.MALFORMED_JSON, "the line is not valid JSON"),
            RowFault(
                f"json_type({RECORD}) <> 'OBJECT'", Reason.NOT_AN_OBJECT, "the record is not a JSON object"
            ),
            RowFault(
                f"len({names}) <> len(list_distinct({names}))",
                Reason.DUPLICATE_NAME,
                "a name occurs more than once",
            ),
        )

    def record(self) -> str | None:
        return f"CAST({RECORD} AS VARCHAR)"  # as JSON it would lose digits

    def locate(self, rows: Iterator[BadRow]) -> Iterator[BadRow]:
        lines = _Lines(self._files.paths) if self._layout == "newline_delimited" else None
        for row in rows:
            row.source = self.name
            if lines is not None and row.ordinal is not None and (found := lines.find(row.ordinal)):
                path, row.line, row.offset, raw = found
                row.source = self._files.name(path)
                if row.reason is Reason.MALFORMED_JSON:
                    _explain(row, raw)
            yield row

    def recover(self, error: WindlassError) -> Relation | None:
        if _is_malformed(error):
            raise self._malformed() or error
        if "maximum_object_size" in error.message and self._longest < _LARGEST_RECORD:
            self._longest = _LARGEST_RECORD
            return self
        return None

    # --- columns ---

    def found_columns(self) -> list[Column]:
        self._prepare()
        names = [row[0] for row in self._looked_up(_NAMES)] or self._names_of_none()
        if self._layout == "array" and not all(map(_is_whole, self._files.paths)):
            raise self._malformed() or FatalError(f"{self.name} is not a JSON array")
        self._check_names(names)
        self._make_room(len(names))
        self._digits, self._words = self._scratch.rows(
            f"SELECT bool_or(regexp_matches(json, {MANY_DIGITS})), bool_or(regexp_matches(json, '(?i)nan|inf')) "
            f"FROM {self._records()}"
        )[0]
        self.kinds = self._kinds(names)
        columns = [_column(name, self.kinds[name]) for name in names]
        numbers = [column.name for column in columns if column.guess == "number"]
        types = infer_types(self._scratch, self._values, numbers)
        return [_narrowed(column, types) for column in columns]

    def _make_room(self, fields: int) -> None:
        records = self._scratch.value(f"SELECT count(*) FROM (SELECT 1 FROM {self._records()} LIMIT {_FEW})")
        self._scratch.make_room(self.name, fields, at_least=_FIELD if records == _FEW else _FIELD_OF_FEW)

    def _kinds(self, names: Sequence[str]) -> dict[str, set[str]]:
        """The JSON types that the values of each field have."""
        kinds: dict[str, set[str]] = {name: set() for name in names}
        for some in in_groups(names):
            for name, kind in self._scratch.rows(f"SELECT DISTINCT * FROM {self._each('json_type', some)}"):
                kinds[name].add(kind)
        return kinds

    def _values(self, names: Sequence[str], limit: int | None) -> str:
        return self._each("json_extract_string", names, limit)

    def _each(self, function: str, names: Sequence[str], limit: int | None = None) -> str:
        """What a function gives for each of these fields, in rows of `name` and `value`."""
        values = (
            f"SELECT unnest({_texts(names)}) AS name, unnest({function}(json, {paths_to(names)})) AS value"
        )
        head = "" if limit is None else f" LIMIT {limit}"
        records = f"(SELECT json FROM {self._records()} WHERE json_type(json) = 'OBJECT'{head})"
        return f"(SELECT * FROM ({values} FROM {records}) WHERE value IS NOT NULL)"

    def _names_of_none(self) -> list[str]:
        """The names that no records have, `[]`: those of the destination, if it has any."""
        if self._looked_up("SELECT count(*) FROM {records}")[0][0]:
            return []
        return [column.name for column in self._reading.target or () if not column.generated]

    def _prepare(self) -> None:
        """Bring files that DuckDB cannot read as they are, or only slowly, into shape."""
        if are_many_small(self._files.paths, self._files.size()):
            self._paths = self._gathered()
        else:
            check_whole(self._files.paths)
            self._paths = [
                _without_mark(path, self._scratch) for path in unpack_bz2(self._files.paths, self._scratch)
            ]

    def _gathered(self) -> list[Path]:
        """Small files put together; what is not NDJSON is parsed, so that one cannot run into the next."""
        in_lines = self._layout == "newline_delimited"

        def content_of(path: Path, data: bytes) -> Content:
            while data.startswith(codecs.BOM_UTF8):
                data = data.removeprefix(codecs.BOM_UTF8)
            if in_lines:
                return Content(data if data.endswith(b"\n") else data + b"\n")
            try:
                return Content("".join(f"{record}\n" for record in _records_of(data.decode())).encode())
            except (ValueError, RecursionError) as exc:
                raise self._malformed() or FatalError(f"{self._files.name(path)} is not valid JSON") from exc

        def new_file() -> Path:
            return self._scratch.folder / f"{self._scratch.new_name()}.json"

        gathered = gather(self._files.paths, new_file, content_of, header=lambda _: b"")
        self._layout = "newline_delimited" if in_lines else "unstructured"
        return gathered.paths

    def _check_names(self, names: Sequence[str]) -> None:
        if not names:
            raise self._nothing()
        if twice := alike(names):
            raise FatalError(f"{self.name}: the names {', '.join(map(repr, twice))} differ only in case")
        if "" in names:
            raise FatalError(f"{self.name}: a field has an empty name")

    def _nothing(self) -> FatalError:
        """The error for files in which no record has a field."""
        for path in self._files.paths if self._layout == "newline_delimited" else ():
            for _, number, _, line in _Lines.read([path]):
                row = BadRow(Reason.MALFORMED_JSON, "no line is a JSON object")
                _explain(row, line)
                is_ours = self.name != self._files.written  # which nobody has called by its path
                return FatalError(
                    f"{self.name if is_ours else f'{self._files.name(path)}:{number}'}: {row.message}",
                    hint="expected {…} on each line; `format: json` (--from-format json) reads values of many lines",
                )
        return FatalError(f"{self.name} has no records with fields", hint="expected at least one JSON object")

    def _looked_up(self, sql: str) -> list[tuple[Any, ...]]:
        try:
            return self._scratch.rows(sql.format(records=self._records()))
        except FatalError as exc:
            if not _is_malformed(exc):
                raise
            if self._layout == "array" and any(map(_ends_in_comma, self._files.paths)):
                self._layout = "array, comma"
                return self._looked_up(sql)
            raise self._malformed() or exc from exc

    def _records(self) -> str:
        paths = ", ".join(file_literal(path) for path in self._paths or ())
        if self._layout == "array, comma":
            # DuckDB's reader of arrays wants a value behind every comma; its parser of JSON does not
            return f"(SELECT unnest(CAST(ltrim(content, chr(65279)) AS JSON[])) AS json FROM read_text([{paths}]))"
        bad_lines_are_null = literal(self._layout == "newline_delimited")
        return (
            f"read_json_objects([{paths}], format = '{self._layout}', ignore_errors = {bad_lines_are_null}, "
            f"maximum_object_size = {self._longest})"
        )

    def _malformed(self) -> FatalError | None:
        """The first place where a file is not JSON, found by Python's parser."""
        for path in self._files.paths:
            with open_bytes(path) as file:
                data = file.read()
            try:
                text = data.decode().lstrip("\ufeff")
            except UnicodeDecodeError as exc:
                message = f"byte 0x{data[exc.start]:02x} at offset {exc.start} is not UTF-8"
                return FatalError(f"{self._files.name(path)}: {message}", hint="save the file as UTF-8")
            position = 0
            decoder = json.JSONDecoder()
            try:
                while (position := _next_value(text, position)) < len(text):
                    _, position = decoder.raw_decode(text, position)
            except (json.JSONDecodeError, RecursionError) as exc:
                where = (
                    f":{exc.lineno}:{exc.colno}: {exc.msg}"
                    if isinstance(exc, json.JSONDecodeError)
                    else ": nested too deep"
                )
                return FatalError(
                    f"{self._files.name(path)}{where}", hint="the file is not valid JSON; fix it there"
                )
        return None


class _Lines:
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


def _records_of(text: str) -> Iterator[str]:
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


_NAMES = """
SELECT name FROM (
    SELECT unnest(json_keys(json)) AS name, generate_subscripts(json_keys(json), 1) AS place, number
    FROM (SELECT json, row_number() OVER () AS number FROM {records}) WHERE json_type(json) = 'OBJECT'
) GROUP BY name ORDER BY min(number), min(place)
"""


def _layout(files: InputFiles) -> str:
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


def _is_malformed(error: WindlassError) -> bool:
    return "Malformed JSON" in error.message or "valid UTF-8" in error.message


def _ends_in_comma(path: Path) -> bool:
    """Whether an array ends in `, ]`: a text cannot end so. Only of a file that can be read in one piece."""
    readable = compression_of(str(path)) is None and path.stat().st_size <= _LARGEST_MENDED
    return readable and re.search(rb",\s*\]\s*\Z", _tail(path)) is not None


def _is_whole(path: Path) -> bool:
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


def _column(name: str, kinds: set[str]) -> Column:
    """The column for a field that has values of these JSON types. `number` is yet to be narrowed."""
    kinds = kinds - {"NULL"}
    if kinds & {"OBJECT", "ARRAY"}:
        return Column(name, "JSON")
    if kinds == {"BOOLEAN"}:
        return Column(name, "VARCHAR", guess="BOOLEAN")
    if kinds and kinds <= {"BIGINT", "UBIGINT", "DOUBLE"}:
        return Column(name, "VARCHAR", guess="number")
    return Column(name, "VARCHAR", native="" if kinds <= {"VARCHAR"} else _NOT_ONLY_TEXT)


def _narrowed(column: Column, types: Mapping[str, str | None]) -> Column:
    if column.guess != "number":
        return column
    kind = types[column.name]
    return replace(column, guess=kind, native="" if kind else _NOT_ONLY_TEXT)


def fields_of(columns: Sequence[Column], records: str, *first: str, kept: Sequence[str] = ()) -> str:
    """The fields of records as columns, behind those that are written `first`, which are made of `json` and what of the
    records is `kept` beside it. Many are taken out of a record at once: each call of a function reads it anew,
    and keeps what it has read of 2,048 records in memory."""
    lists, values = ["json", *kept], dict[str, str]()
    for function, kind in (("json_extract_string", "VARCHAR"), ("json_extract", "JSON")):
        for names in in_groups([column.name for column in columns if column.type == kind]):
            found = f"found{len(lists)}"
            lists.append(f"{function}(json, {paths_to(names)}) AS {found}")
            values |= {name: f"{found}[{place}]" for place, name in enumerate(names, 1)}
    documents = {column.name for column in columns if column.type == "JSON"}
    values |= {name: f"CASE WHEN {values[name]} <> 'null' THEN {values[name]} END" for name in documents}
    fields = [*first, *(f"{values[column.name]} AS {identifier(column.name)}" for column in columns)]
    return f"(SELECT {', '.join(fields)} FROM (SELECT {', '.join(lists)} FROM {records}))"


def paths_to(names: Sequence[str]) -> str:
    """JSON Pointers (RFC 6901) to fields of a record, as an SQL literal."""
    return _texts(["/" + name.replace("~", "~0").replace("/", "~1") for name in names])


def _texts(texts: Sequence[str]) -> str:
    return f"CAST([{', '.join(map(literal, texts))}] AS VARCHAR[])"


def _next_value(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position


def _without_mark(path: Path, scratch: Scratch) -> Path:
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


def _explain(row: BadRow, line: bytes) -> None:
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
