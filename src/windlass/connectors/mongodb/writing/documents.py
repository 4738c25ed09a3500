"""Rows as documents: what each type of column is in BSON, and values that it has no place for.

BIGINT and narrower     int64, int32            DATE         date, midnight in UTC
DECIMAL                 decimal128              TIMESTAMP    date, in UTC
DOUBLE, FLOAT           double                  JSON         document, array, or what it says
BLOB                    binary                  UUID         binary of subtype 4
others                  string
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

from windlass.connectors.mongodb.extended_json import DuplicateNameError, from_text, to_text
from windlass.connectors.mongodb.options import Destination
from windlass.connectors.rows import BadRow, Column, Reason, is_nested
from windlass.errors import FatalError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Document", "Documents", "check_names", "iso_text", "raw", "shown", "storable"]

Encode: TypeAlias = Callable[[Any], Any]

_LARGEST = 16 << 20  # bytes of a document: https://www.mongodb.com/docs/manual/reference/limits/
_MICROSECONDS, _DAY = 1000, 86_400_000
_HUGE = {"UBIGINT": "DECIMAL(20,0)", "HUGEINT": "DECIMAL(38,0)", "UHUGEINT": "DECIMAL(38,0)"}
_INT32 = ("TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT")
_AS_THEY_ARE = re.compile(
    r"U?TINYINT|U?SMALLINT|U?INTEGER|BIGINT|BOOLEAN|DOUBLE|FLOAT|DECIMAL\(.*\)|VARCHAR|BLOB|JSON|UUID|DATE"
    r"|TIMESTAMP( WITH TIME ZONE)?"
)


def storable(column: Column, options: Destination) -> Column:
    """The column of documents that keeps the values of this one."""
    kind = _HUGE.get(column.type, column.type)
    if kind.startswith("TIMESTAMP_"):
        kind = "TIMESTAMP"
    elif is_nested(kind):
        kind = "JSON"
    elif not _AS_THEY_ARE.fullmatch(kind):
        kind = "VARCHAR"
    made = replace(column, type=kind, native=column.native or _called(kind))
    if column.name in options.object_ids or column.native == "objectId":
        return replace(made, type="VARCHAR", native="objectId", pattern="[0-9a-fA-F]{24}")
    if kind == "DATE":
        return replace(made, finite=True)
    if kind.startswith("TIMESTAMP"):
        return replace(made, finite=True, milliseconds=options.microseconds == "refuse")
    return made


def _called(kind: str) -> str:
    """MongoDB's word for what a type becomes."""
    if kind.startswith(("DATE", "TIMESTAMP")):
        return "date"
    if kind.startswith("DECIMAL"):
        return "decimal128"
    return {"VARCHAR": "string", "JSON": "object", "BLOB": "binary", "DOUBLE": "double"}.get(
        kind, kind.lower()
    )


def check_names(columns: Sequence[Column], options: Destination) -> None:
    """Raise FatalError for a column that cannot be a field, or that the options name and is not there."""
    names = [column.name for column in columns]
    for name in names:
        if name.startswith("$") or "." in name or "\0" in name:
            hint = "rename it with `select`"
            raise FatalError(f"a field of MongoDB cannot be called {name!r}", hint=hint)
    for name in options.object_ids:
        if name not in names:
            raise FatalError(f"`object_ids` names {name!r}, which is not written")


@dataclass(frozen=True)
class Document:
    """A row as a document. `number` counts the rows that were handed on, from 0."""

    number: int
    fields: dict[str, Any]
    """In the order of the columns; without an `_id` where the rows bring none."""


class _NotStorableError(ValueError):
    """A value that BSON has no place for."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


class Documents:
    """Makes documents of batches. What cannot be one is handed to `refuse`, with the number of the row."""

    def __init__(
        self, columns: Sequence[Column], options: Destination, refuse: Callable[[BadRow, int], None]
    ) -> None:
        self._names = [column.name for column in columns]
        self._encoders = [_encoder(column, options) for column in columns]
        self._refuse = refuse

    def of(self, batch: pa.RecordBatch, numbers: Sequence[int]) -> Iterator[Document]:
        """The documents of a batch whose rows have these numbers."""
        columns = [batch.column(i) for i in range(len(self._names))]
        bad: dict[int, BadRow] = {}
        values = [
            self._encoded(name, encode, column, bad)
            for name, encode, column in zip(self._names, self._encoders, columns, strict=True)
        ]
        for position, row in enumerate(zip(*values, strict=True)):
            fields = dict(zip(self._names, row, strict=True))
            if position in bad:
                record = {
                    name: column[position].as_py() for name, column in zip(self._names, columns, strict=True)
                }
                self._refuse(replace(bad[position], record=shown(record)), numbers[position])
            else:
                yield Document(numbers[position], fields)

    def _encoded(
        self, name: str, encode: _Encoder, column: pa.Array, bad: dict[int, BadRow]
    ) -> Sequence[Any]:
        """The values of a column; of a row that has one without a place, the fault."""
        items = encode.items(column)
        try:
            return [None if item is None else encode.value(item) for item in items]
        except _NotStorableError:
            return [self._tried(name, encode.value, item, i, bad) for i, item in enumerate(items)]

    def _tried(self, name: str, encode: Encode, item: Any, position: int, bad: dict[int, BadRow]) -> Any:
        try:
            return None if item is None else encode(item)
        except _NotStorableError as exc:
            message = f"column {name!r}: {exc.message}"
            bad.setdefault(position, BadRow(exc.reason, message, name, str(item)))
            return None


def raw(fields: Mapping[str, Any]) -> bytes | BadRow:
    """A document as BSON, or why there is none."""
    from bson import encode
    from bson.errors import BSONError

    try:
        made = encode(fields)
    except (BSONError, OverflowError, UnicodeError, RecursionError) as exc:
        reason = Reason.NUL_IN_TEXT if "NUL" in str(exc).upper() else Reason.REFUSED
        return BadRow(reason, f"it cannot be a document: {exc}", record=shown(fields))
    if len(made) > _LARGEST:
        size = f"{len(made):,} bytes, and a document has at most {_LARGEST:,}"
        return BadRow(Reason.TOO_LONG, f"it has {size}", record=shown(fields))
    return made


def shown(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A row as it is kept in quarantine."""
    return {name: _shown(value) for name, value in fields.items()}


def _shown(value: Any) -> Any:
    if value is None or isinstance(value, bool | float | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, bytes):
        return value.hex()
    return to_text(value) if isinstance(value, dict | list) else str(value)


# --- values -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Encoder:
    """`items` makes Python values of an Arrow array, `value` one for BSON of each that is not NULL."""

    value: Encode
    items: Callable[[Any], list[Any]] = lambda column: column.to_pylist()


def _encoder(column: Column, options: Destination) -> _Encoder:
    from bson.int64 import Int64
    from bson.objectid import ObjectId

    kind = column.type
    if column.native == "objectId":
        return _Encoder(ObjectId)
    if kind in ("BIGINT", "UINTEGER"):
        return _Encoder(Int64)
    if kind.startswith("DECIMAL"):
        return _Encoder(_decimal)
    if kind == "DATE":
        return _Encoder(_date_of_day, lambda array: array.cast("int32").to_pylist())
    if kind.startswith("TIMESTAMP"):
        return _time_encoder(with_zone=kind != "TIMESTAMP", as_text=options.microseconds == "text")
    if kind == "JSON":
        return _Encoder(_json)
    if kind == "UUID":
        return _Encoder(_uuid)
    return _Encoder(lambda value: value)


def _time_encoder(*, with_zone: bool, as_text: bool) -> _Encoder:
    from bson.datetime_ms import DatetimeMS

    def microseconds(array: Any) -> list[Any]:
        return list(array.cast("int64").to_pylist())

    if as_text:
        return _Encoder(lambda value: iso_text(value, with_zone=with_zone), microseconds)
    return _Encoder(lambda value: DatetimeMS(value // _MICROSECONDS), microseconds)


def iso_text(microseconds: int, *, with_zone: bool) -> str:
    """A time as text that is ordered as the times are, from the year 1 to 9999."""
    from datetime import datetime, timedelta

    try:
        moment = datetime(1970, 1, 1) + timedelta(microseconds=microseconds)
    except OverflowError:
        raise _NotStorableError(
            Reason.OUT_OF_RANGE, "it is not in the years 1 to 9999, which ISO 8601 has text for"
        ) from None
    return moment.isoformat(timespec="microseconds") + ("Z" if with_zone else "")


def _date_of_day(day: int) -> Any:
    from bson.datetime_ms import DatetimeMS

    return DatetimeMS(day * _DAY)


def _decimal(value: Decimal) -> Any:
    from decimal import Inexact, InvalidOperation, Overflow

    from bson.decimal128 import Decimal128

    try:
        return Decimal128(value)
    except (Inexact, Overflow, InvalidOperation):
        message = f"{value} has more than the 34 digits that a decimal128 has"
        raise _NotStorableError(Reason.LOSES_PRECISION, message) from None


def _json(text: str) -> Any:
    try:
        return from_text(text)
    except DuplicateNameError as exc:
        raise _NotStorableError(Reason.DUPLICATE_NAME, str(exc)) from None
    except (ValueError, ArithmeticError, RecursionError) as exc:
        raise _NotStorableError(Reason.MALFORMED_JSON, f"it is not valid Extended JSON: {exc}") from None


def _uuid(text: str) -> Any:
    from uuid import UUID

    from bson.binary import Binary

    return Binary(UUID(text).bytes, 4)
