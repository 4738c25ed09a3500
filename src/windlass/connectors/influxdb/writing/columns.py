"""What the columns of a copy are in a measurement: tags, fields, or the time; and what each can hold.

BIGINT and narrower    integer            DATE, TIMESTAMP, TIME    string, in ISO 8601
UBIGINT                unsigned, or an integer where the server has no such
DOUBLE, FLOAT, DECIMAL float              JSON, UUID, others       string
BOOLEAN                boolean            BLOB                     none
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from windlass.connectors.influxdb import options
from windlass.connectors.influxdb.client import Connection
from windlass.connectors.influxdb.lines import HUGE, INTEGERS, UNITS
from windlass.connectors.influxdb.schema import field_types, tag_names
from windlass.connectors.rows import Column, is_decimal, is_nested
from windlass.errors import Code, FatalError, did_you_mean

__all__ = ["Measurement", "Parts"]

_FIELD_TYPES = {"integer": "BIGINT", "unsigned": "UBIGINT", "float": "DOUBLE", "boolean": "BOOLEAN"}
_TAG = r"[^\n]*[^\n\\]"
_EARLIEST, _LATEST = -9223372036854775806, 9223372036854775806  # nanoseconds since 1970
_FIRST = "1677-09-21 00:12:43.145225"
_LAST = "2262-04-11 23:47:16.854775"
_FIRST_DAY, _LAST_DAY = "1677-09-22", "2262-04-11"
_TIMES = ("DATE", "TIMESTAMP")


@dataclass(frozen=True)
class Parts:
    """The columns that are written, by what they become."""

    tags: list[Column]
    fields: list[Column]
    time: Column | None


class Measurement:
    """The measurement that is written: what the options say of columns, and what it has already."""

    def __init__(self, connection: Connection, wanted: options.Destination) -> None:
        self._connection, self._options = connection, wanted
        self._known_columns = frozenset((*wanted.tags, *([wanted.time] if wanted.time else [])))

    def storable(self, column: Column) -> Column:
        """The column that keeps the values of this one."""
        if column.name == self._options.time:
            return _as_time(column, self._options.precision)
        if self._is_left_out(column.name):
            return column
        if column.type == "BLOB":
            hint = "leave it out with `select`, or let a `query` make text of it"
            raise FatalError(f"column {column.name!r} has bytes, which InfluxDB has no type for", hint=hint)
        kind = "JSON" if is_nested(column.type) else column.type
        if column.name in self._options.tags:
            return _as_tag(replace(column, type=kind))
        return self._as_field(replace(column, type=kind))

    def _is_left_out(self, name: str) -> bool:
        return bool(self._options.fields) and name not in (*self._options.fields, *self._options.tags)

    def parts(self, columns: Sequence[Column]) -> Parts:
        """Tell the columns apart. Raises FatalError for one that is not there, or cannot be called so."""
        named = {column.name: column for column in columns}
        wanted = self._options
        for name in (*wanted.tags, *wanted.fields, *filter(None, (wanted.time,))):
            if name not in named:
                message = f"there is no column {name!r}, which {wanted.measurement!r} is to have"
                raise FatalError(message, hint=did_you_mean(name, named), code=Code.NO_COLUMN)
        fields = wanted.fields or [name for name in named if name not in self._known_columns]
        if not fields:
            raise FatalError("no column is left for a field, and a point needs one", code=Code.NO_COLUMN)
        self._check_names(wanted.tags, fields)
        time = named[wanted.time] if wanted.time else None
        return Parts([named[name] for name in wanted.tags], [named[name] for name in fields], time)

    def _check_names(self, tags: Sequence[str], fields: Sequence[str]) -> None:
        for name in (*tags, *fields):
            if options.is_reserved(name) or (why := options.refused_name(name)):
                why = "means something else in InfluxDB" if options.is_reserved(name) else why
                hint = "rename it with `select`, or say that it is the `time`"
                raise FatalError(f"the column {name!r} {why}", hint=hint)
        tags_there = tag_names(self._connection, self._options.measurement)
        for names, there, what, other in (
            (tags, self._field_types, "field", "tag"),
            (fields, tags_there, "tag", "field"),
        ):
            if both := [name for name in names if name in there]:
                message = f"{both[0]!r} is a {what} of {self._options.measurement!r} already, and would be a {other}, too"
                raise FatalError(message, hint="say in `tags` what is a tag, or rename it with `select`")

    # --- what is there ---

    @cached_property
    def _field_types(self) -> Mapping[str, str]:
        """The type of each field that the measurement has; empty where there are several in one."""
        found = field_types(self._connection, self._options.measurement)
        return {name: kinds[0] if len(kinds) == 1 else "" for name, kinds in found.items()}

    @cached_property
    def _has_unsigned(self) -> bool:
        """Whether the server has whole numbers up to 2**64: version 1 has not, whatever way it is written."""
        return self._connection.is_v2 and self._connection.version().removeprefix("v")[:1] in ("2", "3")

    def _as_field(self, column: Column) -> Column:
        """The field that a column becomes; one that is there has its type already."""
        known = self._field_types.get(column.name, "")
        kind = _FIELD_TYPES.get(known) or self._type_of_new(column.type)
        if known == "string" and kind in _FIELD_TYPES.values():
            kind = "VARCHAR"
        trust = "declared" if known else column.trust
        made = replace(column, type=kind, trust=trust, native=known or _called(kind))
        return replace(made, finite=kind == "DOUBLE" or kind.startswith(_TIMES))

    def _type_of_new(self, kind: str) -> str:
        if kind == "FLOAT" or is_decimal(kind):
            return "DOUBLE"
        if kind == "UBIGINT" and self._has_unsigned:
            return kind
        return "BIGINT" if kind in HUGE else kind


def _as_tag(column: Column) -> Column:
    """The column that becomes a tag, which is text of one line."""
    if column.type in ("VARCHAR", "JSON"):
        return replace(
            column,
            pattern=_TAG,
            native="a tag: text in one line, neither empty nor with a backslash at its end",
        )
    return replace(column, native="a tag", finite=column.type.startswith(_TIMES))


def _as_time(column: Column, precision: str) -> Column:
    """The column that becomes the time: not NULL, not finer than the precision, and of the years that there are."""
    kind, unit = column.type, UNITS[precision]
    made = replace(column, nullable=False, native=f"a time in {precision}")
    if kind in (*INTEGERS, *HUGE, "DOUBLE", "FLOAT") or is_decimal(kind):
        beyond = f"{{v}} NOT BETWEEN {-(-_EARLIEST // unit)} AND {_LATEST // unit}"
        return replace(made, type="BIGINT", loses=beyond)
    if kind == "TIMESTAMP_NS":
        return replace(made, finite=True, loses=f"epoch_ns({{v}}) % {unit} <> 0" if unit > 1 else None)
    if not kind.startswith(_TIMES):
        made, kind = replace(made, trust="declared"), "TIMESTAMP WITH TIME ZONE"
    if kind in ("TIMESTAMP_S", "TIMESTAMP_MS"):
        kind = "TIMESTAMP"
    if kind == "DATE":
        return replace(made, finite=True, earliest=_FIRST_DAY, latest=_LAST_DAY)
    too_fine = f"isfinite({{v}}) AND epoch_us({{v}}) % {unit // 1000} <> 0" if unit > UNITS["us"] else None
    return replace(made, type=kind, finite=True, earliest=_FIRST, latest=_LAST, loses=too_fine)


def _called(kind: str) -> str:
    """InfluxDB's word for what a type becomes."""
    named = {"DOUBLE": "float", "BOOLEAN": "boolean", "UBIGINT": "unsigned"}
    return named.get(kind, "integer" if kind in INTEGERS else "string")
