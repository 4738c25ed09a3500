"""The fields of documents: what types their values have, and so what columns they are.

A field is read with the type that all its values have; whole numbers and other numbers are numbers together, where none is
changed by that. With values of several types it is text. A null and a missing field are NULL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

from windlass.connectors.matching import alike
from windlass.connectors.mongodb.extended_json import to_text
from windlass.connectors.rows import Column
from windlass.errors import FatalError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Field", "Fields"]

Read: TypeAlias = Callable[[Any], Any]

_EXACT_IN_DOUBLE = 2**53
_DIGITS = 38  # of the scratch database's decimals
_LATEST_MS = 2**63 // 1000 - 1  # times are microseconds there


@dataclass(frozen=True)
class Field:
    """A field that is read as a column: the type of its Arrow array, and what makes one of its items of a value."""

    name: str
    column: Column
    arrow: Callable[[], pa.DataType]
    read: Read


class Fields:
    """What has been seen of the documents of a collection. `name` is what errors call it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.by_name: dict[str, _Seen] = {}
        self.documents = 0

    def see(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Look at some documents."""
        fields = self.by_name
        for document in documents:
            self.documents += 1
            for name, value in document.items():
                seen = fields.get(name)
                if seen is None:
                    seen = fields[name] = _Seen()
                kind = type(value)
                seen.types.add(kind)
                if kind.__name__ in _LOOKED_AT:
                    seen.look(value)

    def checked(self) -> list[Field]:
        """The fields. Raises FatalError for names that cannot stand beside each other in a table."""
        names = list(self.by_name)
        hint = "leave one out with `projection`"
        if twice := alike(names):
            shown = ", ".join(map(repr, twice))
            raise FatalError(f"{self._name}: the names {shown} differ only in case", hint=hint)
        if "" in names:
            raise FatalError(f"{self._name}: a field has an empty name", hint=hint)
        if not names:
            raise FatalError(f"{self._name}: no document has a field", hint="look at `projection`")
        return [seen.field(name) for name, seen in self.by_name.items()]


_LOOKED_AT = frozenset(("Int64", "Decimal128", "DatetimeMS", "Binary", "bytes"))
"""Types of which the values matter, too."""


class _Seen:
    """What has been seen of one field."""

    def __init__(self) -> None:
        self.types: set[type] = set()
        self._rounds = False  # a whole number that a double does not hold
        self._digits = self._places = 0  # of the decimals, before and behind the point
        self._is_odd = False  # a value that a column of its type could not hold
        self._uuids = self._bytes = False

    def look(self, value: Any) -> None:
        kind = type(value).__name__
        if kind == "Int64":
            self._rounds = self._rounds or abs(value) > _EXACT_IN_DOUBLE
        elif kind == "Decimal128":
            self._look_at_decimal(value.to_decimal())
        elif kind == "DatetimeMS":
            self._is_odd = self._is_odd or abs(int(value)) > _LATEST_MS
        elif kind == "Binary" and value.subtype == 4 and len(value) == 16:
            self._uuids = True
        else:
            self._bytes = True

    def field(self, name: str) -> Field:
        kinds = frozenset(kind.__name__ for kind in self.types) - {"NoneType"}
        if kinds == {"bool"}:
            return _field(name, "BOOLEAN", "bool")
        if kinds and kinds <= {"int", "Int64"}:
            return _field(name, "BIGINT", "int64")
        if "float" in kinds and kinds <= {"float", "int", "Int64"} and not self._rounds:
            return _field(name, "DOUBLE", "float64", _or_none(float))
        if kinds and kinds <= {"Decimal128", "int", "Int64"}:
            return self._decimal(name, has_integers=bool(kinds & {"int", "Int64"}))
        if kinds == {"DatetimeMS"}:
            return self._time(name)
        if kinds and kinds <= {"Binary", "bytes"} and self._uuids != self._bytes:
            if self._uuids:
                return _text(name, "UUID")
            return _field(name, "BLOB", "binary", _or_none(bytes))
        if kinds and kinds <= {"dict", "list"}:
            return _text(name, "JSON")
        return _text(name)

    def _look_at_decimal(self, number: Decimal) -> None:
        _, digits, exponent = number.as_tuple()
        if not isinstance(exponent, int):  # NaN, or an infinity
            self._is_odd = True
            return
        self._places = max(self._places, -exponent)
        self._digits = max(self._digits, len(digits) + exponent)

    def _decimal(self, name: str, *, has_integers: bool) -> Field:
        digits = max(self._digits, 19) if has_integers else self._digits
        if digits + self._places > _DIGITS:
            return _text(name)
        kind = f"DECIMAL({_DIGITS},{self._places})"
        if self._is_odd:  # the rows of those are bad ones
            return _text(name, kind, trusted=False)
        return Field(name, Column(name, kind), _decimals(self._places), _or_none(_as_decimal))

    def _time(self, name: str) -> Field:
        kind = "TIMESTAMP WITH TIME ZONE"
        if self._is_odd:
            return _text(name, kind, trusted=False)
        return Field(name, Column(name, kind), _times, _or_none(lambda value: int(value) * 1000))


def _field(name: str, kind: str, arrow: str, read: Read = lambda value: value) -> Field:
    def made() -> pa.DataType:
        import pyarrow as pa

        return pa.type_for_alias(arrow)

    return Field(name, Column(name, kind), made, read)


def _text(name: str, guess: str | None = None, *, trusted: bool = True) -> Field:
    column = Column(name, "VARCHAR", guess=guess, trust="known" if trusted else "declared")
    return Field(name, column, _texts, _or_none(as_text))


def _texts() -> pa.DataType:
    import pyarrow as pa

    return pa.string()


def _times() -> pa.DataType:
    import pyarrow as pa

    return pa.timestamp("us", tz="UTC")


def _decimals(places: int) -> Callable[[], pa.DataType]:
    def made() -> pa.DataType:
        import pyarrow as pa

        return pa.decimal128(_DIGITS, places)

    return made


def _or_none(read: Read) -> Read:
    return lambda value: None if value is None else read(value)


def _as_decimal(value: Any) -> Decimal:
    return Decimal(value) if isinstance(value, int) else value.to_decimal()


# --- text ---------------------------------------------------------------------------------------------


def as_text(value: Any) -> str:
    """A value as text that says exactly the same."""
    kind = type(value).__name__
    if kind == "str":
        return str(value)
    if kind == "bool":
        return "true" if value else "false"
    if kind in ("int", "Int64", "Decimal128", "ObjectId"):
        return str(value)
    if kind == "float":
        return repr(value)
    if kind in ("Binary", "bytes"):
        return _text_of_bytes(value)
    if kind == "DatetimeMS":
        return _text_of_time(value)
    return to_text(value)


def _text_of_bytes(value: bytes) -> str:
    if getattr(value, "subtype", 0) == 4 and len(value) == 16:
        from uuid import UUID

        return str(UUID(bytes=bytes(value)))
    return "\\x" + bytes(value).hex()


def _text_of_time(value: Any) -> str:
    from bson.errors import InvalidBSON

    try:
        moment = value.as_datetime()
    except (InvalidBSON, ValueError, OverflowError):
        return f"{int(value)} ms since 1970"
    return f"{moment.isoformat(timespec='milliseconds').removesuffix('+00:00')}Z"
