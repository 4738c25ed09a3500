"""MongoDB's Extended JSON: what JSON has no type for is an object such as `{"$oid": "…"}`.

https://github.com/mongodb/specifications/blob/master/source/extended-json.md, of which the relaxed form is written.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

__all__ = ["DuplicateNameError", "from_plain", "from_text", "to_text"]

_INT64 = 2**63
_MOST_NAMES = 2  # of an object that stands for a value
_MILLISECOND = timedelta(milliseconds=1)


class DuplicateNameError(ValueError):
    """An object has a name twice."""


def to_text(value: Any) -> str:
    """A value as text."""
    from bson.json_util import RELAXED_JSON_OPTIONS, dumps

    return dumps(value, json_options=RELAXED_JSON_OPTIONS, ensure_ascii=False)


def from_text(text: str) -> Any:
    """The value that text says, its numbers exact. Raises ValueError for text that is not JSON.

    Raises DuplicateNameError for an object that has a name twice.
    """
    return json.loads(text, object_pairs_hook=_object, parse_float=_fraction, parse_int=_integer)


def from_plain(value: Any) -> Any:
    """The same for what was JSON, or YAML, and has been read. Raises ValueError likewise."""
    if isinstance(value, dict):
        return _object([(key, from_plain(inner)) for key, inner in value.items()])
    return [from_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def _object(pairs: Sequence[tuple[str, Any]]) -> Any:
    from bson.errors import BSONError
    from bson.json_util import object_hook

    found = dict(pairs)
    if len(found) < len(pairs):
        raise DuplicateNameError("an object has a name twice")
    first = next(iter(found), "")
    if not first.startswith("$") or len(found) > _MOST_NAMES:
        return found
    if isinstance(found.get("$date"), str):
        return _date(found["$date"])
    try:
        return object_hook(found, _options())
    except (TypeError, LookupError, AttributeError, ArithmeticError, BSONError) as exc:
        raise ValueError(f"{first}: {exc}") from exc


def _date(text: str) -> Any:
    """A time in any form of ISO 8601, in UTC where it says no zone."""
    from bson.datetime_ms import DatetimeMS

    moment = datetime.fromisoformat(text)
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    if since % _MILLISECOND:
        raise ValueError(f"$date: {text} has microseconds, and MongoDB keeps milliseconds")
    return DatetimeMS(since // _MILLISECOND)


def _options() -> Any:
    from bson.codec_options import DatetimeConversion
    from bson.json_util import JSONOptions

    return JSONOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)


def _fraction(text: str) -> Any:
    """A double where that says the same number, else a decimal."""
    from bson.decimal128 import Decimal128

    number = float(text)
    return number if Decimal(repr(number)) == Decimal(text) else Decimal128(text)


def _integer(text: str) -> Any:
    from bson.decimal128 import Decimal128

    number = int(text)
    return number if -_INT64 <= number < _INT64 else Decimal128(text)
