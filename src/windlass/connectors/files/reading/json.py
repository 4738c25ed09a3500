"""JSON as a source: an array of objects, one object a line (NDJSON), or objects one after the other.

Every record is kept as its JSON text until its fields are taken out, so integers of any size stay
exact. All records are looked at before the copy begins: a field that only the last one has is a column,
too, and `9` beside `"11"` makes the column text. A fraction with more digits than a double keeps is a bad
row, since DuckDB would round it. A comma behind the last record of an array says nothing, and is passed over.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from windlass.connectors.files.paths import InputFiles, check_whole, unpack_bz2
from windlass.connectors.files.reading.gathering import Content, are_many_small, gather
from windlass.connectors.files.reading.infer import in_groups, infer_types
from windlass.connectors.files.reading.json_fields import column_of, fields_of, narrowed, paths_to, texts
from windlass.connectors.files.reading.json_text import (
    Lines,
    ends_in_comma,
    explain,
    first_fault,
    is_whole,
    layout_of,
    records_of,
    without_mark,
)
from windlass.connectors.files.reading.source import FileRelation
from windlass.connectors.json_digits import MANY_DIGITS, has_nan, loses_digits
from windlass.connectors.matching import alike
from windlass.connectors.rows import BadRow, Column, Reason, RowFault
from windlass.connectors.scratch import Scratch, file_literal, literal
from windlass.connectors.source import Reading, Relation
from windlass.errors import FatalError, WindlassError

__all__ = ["RECORD", "JsonRelation"]

_LARGE_RECORD, _LARGEST_RECORD = 16 << 20, 128 << 20  # bytes
_HEAD = 1 << 16
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

        self._layout = layout_of(files)
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
        lines = Lines(self._files.paths) if self._layout == "newline_delimited" else None
        for row in rows:
            row.source = self.name
            if lines is not None and row.ordinal is not None and (found := lines.find(row.ordinal)):
                path, row.line, row.offset, raw = found
                row.source = self._files.name(path)
                if row.reason is Reason.MALFORMED_JSON:
                    explain(row, raw)
            yield row

    def recover(self, error: WindlassError) -> Relation | None:
        if _is_malformed(error):
            raise first_fault(self._files) or error
        if "maximum_object_size" in error.message and self._longest < _LARGEST_RECORD:
            self._longest = _LARGEST_RECORD
            return self
        return None

    # --- columns ---

    def found_columns(self) -> list[Column]:
        self._prepare()
        names = [row[0] for row in self._looked_up(_NAMES)] or self._names_of_none()
        if self._layout == "array" and not all(map(is_whole, self._files.paths)):
            raise first_fault(self._files) or FatalError(f"{self.name} is not a JSON array")
        self._check_names(names)
        self._make_room(len(names))
        self._digits, self._words = self._scratch.rows(
            f"SELECT bool_or(regexp_matches(json, {MANY_DIGITS})), bool_or(regexp_matches(json, '(?i)nan|inf')) "
            f"FROM {self._records()}"
        )[0]
        self.kinds = self._kinds(names)
        columns = [column_of(name, self.kinds[name]) for name in names]
        numbers = [column.name for column in columns if column.guess == "number"]
        types = infer_types(self._scratch, self._values, numbers)
        return [narrowed(column, types) for column in columns]

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
            f"SELECT unnest({texts(names)}) AS name, unnest({function}(json, {paths_to(names)})) AS value"
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
                without_mark(path, self._scratch) for path in unpack_bz2(self._files.paths, self._scratch)
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
                return Content("".join(f"{record}\n" for record in records_of(data.decode())).encode())
            except (ValueError, RecursionError) as exc:
                raise first_fault(self._files) or FatalError(
                    f"{self._files.name(path)} is not valid JSON"
                ) from exc

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
            for _, number, _, line in Lines.read([path]):
                row = BadRow(Reason.MALFORMED_JSON, "no line is a JSON object")
                explain(row, line)
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
            if self._layout == "array" and any(map(ends_in_comma, self._files.paths)):
                self._layout = "array, comma"
                return self._looked_up(sql)
            raise first_fault(self._files) or exc from exc

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


def _is_malformed(error: WindlassError) -> bool:
    return "Malformed JSON" in error.message or "valid UTF-8" in error.message


_NAMES = """
SELECT name FROM (
    SELECT unnest(json_keys(json)) AS name, generate_subscripts(json_keys(json), 1) AS place, number
    FROM (SELECT json, row_number() OVER () AS number FROM {records}) WHERE json_type(json) = 'OBJECT'
) GROUP BY name ORDER BY min(number), min(place)
"""
