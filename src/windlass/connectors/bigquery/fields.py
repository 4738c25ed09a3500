"""Columns of BigQuery: their types, those within them, and what of DuckDB's is stored as which.

https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from windlass.connectors.bigquery.sql import name

if TYPE_CHECKING:
    from google.cloud.bigquery import SchemaField

__all__ = ["Field", "field_for", "fields_of"]

_STANDARD = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL", "STRUCT": "RECORD"}
"""What the REST interface calls types, and what SQL does."""

_FOR = {
    "BOOLEAN": "BOOL",
    "FLOAT": "FLOAT64",
    "DOUBLE": "FLOAT64",
    "DATE": "DATE",
    "TIME": "TIME",
    "TIME_NS": "TIME",
    "TIMESTAMP": "DATETIME",
    "TIMESTAMP_S": "DATETIME",
    "TIMESTAMP_MS": "DATETIME",
    "TIMESTAMP_NS": "DATETIME",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",
    "BLOB": "BYTES",
    "JSON": "JSON",
    "VARCHAR": "STRING",
    "UUID": "STRING",
    **dict.fromkeys(
        ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"), "INT64"
    ),
}
_WIDE = {"UBIGINT": (20, 0), "HUGEINT": (38, 0), "UHUGEINT": (38, 0)}
_NUMERIC, _BIGNUMERIC = (38, 9), (76, 38)
_WHOLE_OF_NUMERIC, _SCALE_OF_NUMERIC = 29, 9


@dataclass(frozen=True, kw_only=True)
class Field:
    """A column, or what is within one."""

    name: str
    type: str
    """As SQL has it, but RECORD for a STRUCT."""

    repeated: bool = False
    required: bool = False
    fields: tuple[Field, ...] = ()
    digits: tuple[int, int] | None = None
    """Of a number in decimal digits: how many it has, and how many of them behind the point."""

    max_length: int | None = None
    has_default: bool = False
    element: str = ""
    """Of a RANGE: what it is a range of."""

    @property
    def is_nested(self) -> bool:
        return self.repeated or self.type == "RECORD"

    @property
    def item(self) -> Field:
        """What an array is of."""
        return replace(self, repeated=False)

    def sql(self) -> str:
        """The type, as SQL has it."""
        if self.repeated:
            return f"ARRAY<{self.item.sql()}>"
        if self.type == "RECORD":
            return f"STRUCT<{', '.join(f'{name(field.name)} {field.sql()}' for field in self.fields)}>"
        if self.type == "RANGE":
            return f"RANGE<{self.element}>"
        limits = ""
        if self.digits not in (None, _NUMERIC, _BIGNUMERIC):
            assert self.digits is not None
            limits = f"({self.digits[0]}, {self.digits[1]})"
        elif self.max_length is not None:
            limits = f"({self.max_length})"
        return self.type + limits

    def schema(self) -> SchemaField:
        """The same for the REST interface."""
        from google.cloud.bigquery import SchemaField

        limits: dict[str, Any] = {"max_length": self.max_length} if self.max_length is not None else {}
        if self.digits not in (None, _NUMERIC, _BIGNUMERIC):
            assert self.digits is not None
            limits = {"precision": self.digits[0], "scale": self.digits[1]}
        mode = "REPEATED" if self.repeated else "REQUIRED" if self.required else "NULLABLE"
        return SchemaField(
            self.name, self.type, mode, fields=[field.schema() for field in self.fields], **limits
        )

    def parts(self) -> Iterator[Field]:
        """It, and all that is within it."""
        yield self
        for field in self.fields:
            yield from field.parts()


def fields_of(schema: Iterable[SchemaField]) -> list[Field]:
    """The columns of a table, or of a result."""
    return [_field_of(field) for field in schema]


def _field_of(found: SchemaField) -> Field:
    kind = _STANDARD.get(found.field_type.upper(), found.field_type.upper())
    digits = None
    if kind in ("NUMERIC", "BIGNUMERIC"):
        whole = _NUMERIC if kind == "NUMERIC" else _BIGNUMERIC
        digits = (int(found.precision), int(found.scale or 0)) if found.precision else whole
    element = getattr(found, "range_element_type", None)
    return Field(
        name=found.name,
        type=kind,
        repeated=found.mode == "REPEATED",
        required=found.mode == "REQUIRED",
        fields=tuple(fields_of(found.fields)),
        digits=digits,
        max_length=found.max_length,
        has_default=found.default_value_expression is not None,
        element=element.element_type if element is not None else "",
    )


# --- for values of DuckDB ---------------------------------------------------------------------------


def field_for(called: str, kind: str) -> Field:
    """The column of a new table that keeps the values of a DuckDB type; of type STRING or JSON where none is like it."""
    made = (
        _nested(called, kind) if kind.endswith("]") or kind.startswith("STRUCT(") else _scalar(called, kind)
    )
    if made is not None and not (made.is_nested and _is_not_json(made)):
        return made
    nested = kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION", "VARIANT"))
    return Field(name=called, type="JSON" if nested else "STRING")


def _is_not_json(field: Field) -> bool:
    """Whether there is something within that JSON has no text for."""
    return any(part.type in ("BYTES", "JSON") for part in field.parts())


def _scalar(called: str, kind: str) -> Field | None:
    if kind in _FOR:
        return Field(name=called, type=_FOR[kind])
    found = re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", kind)
    digits = (int(found[1]), int(found[2])) if found else _WIDE.get(kind)
    if digits is None:
        return None
    fits = digits[0] - digits[1] <= _WHOLE_OF_NUMERIC and digits[1] <= _SCALE_OF_NUMERIC
    return Field(name=called, type="NUMERIC" if fits else "BIGNUMERIC", digits=digits)


def _nested(called: str, kind: str) -> Field | None:
    if (found := re.fullmatch(r"(.*)\[\d*\]", kind, re.DOTALL)) is not None:
        item = _nested(called, found[1]) if found[1].startswith("STRUCT(") else _scalar(called, found[1])
        return replace(item, repeated=True) if item is not None else None
    if not (kind.startswith("STRUCT(") and kind.endswith(")")):
        return None  # an array of arrays, a map, a union
    fields = []
    for part in _split(kind[len("STRUCT(") : -1]):
        inner, type_ = _name_and_type(part)
        nests = type_.endswith("]") or type_.startswith("STRUCT(")
        field = _nested(inner, type_) if nests else _scalar(inner, type_)
        if field is None:
            return None
        fields.append(field)
    return Field(name=called, type="RECORD", fields=tuple(fields))


def _split(text: str) -> Sequence[str]:
    """The members of a struct's type, which commas separate."""
    parts, depth, quoted, begin = [], 0, False, 0
    for i, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif not quoted:
            depth += {"(": 1, ")": -1}.get(character, 0)
            if character == "," and depth == 0:
                parts.append(text[begin:i].strip())
                begin = i + 1
    return [*parts, text[begin:].strip()]


def _name_and_type(member: str) -> tuple[str, str]:
    if member.startswith('"'):
        found = re.match(r'"((?:[^"]|"")*)"\s+', member)
        assert found is not None, member
        return found[1].replace('""', '"'), member[found.end() :]
    called, _, kind = member.partition(" ")
    return called, kind
