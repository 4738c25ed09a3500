"""What a value says, worked out in Python from its text alone: the judge of what has arrived."""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

__all__ = ["same"]

Meaning: TypeAlias = Any
"""A value that can be compared with `==`."""


@dataclass(frozen=True)
class Unreadable:
    """Text that is not of the type. It equals nothing but the same text."""

    text: str


def same(source: tuple[str, str], target: tuple[str, str]) -> bool:
    """Whether two values, each a type and the text that says it, are the same value."""
    (source_type, said), (target_type, stored) = source, target
    one, other = family(source_type), family(target_type)
    if said == stored:
        return True
    if other in ("json", "bytes") and one != other:
        stored, other = unwrapped(said, one, stored, other)
        if said == stored:
            return True
    if is_binary(source_type) and is_number(said) and target_type != "money" and other in ("number", "text"):
        width = target_type if is_binary(target_type) else source_type
        return binary(stored, width) == binary(said, source_type)  # read back, it is what it was
    if is_binary(target_type) and is_number(said):
        return is_nearest(said, stored, target_type)
    kind = compared_as(one, other)
    if kind == "text":  # of which some types are padded
        return "char" in source_type + target_type and said.rstrip(" ") == stored.rstrip(" ")
    return bool(says(said, kind) == says(stored, kind))


def compared_as(one: str, other: str) -> str:
    """The kind that two values are read as."""
    if one == "text" or other == "text":
        return other if one == "text" else one
    for several, kind in (({"date", "moment", "instant"}, "instant"), ({"time", "timetz"}, "timetz")):
        if {one, other} <= several and one != other:
            return kind
    return "number" if {one, other} == {"bool", "number"} else other


def unwrapped(said: str, one: str, stored: str, other: str) -> tuple[str, str]:
    """What a document, or bytes, say of a value of another kind, and what kind of text that is."""
    if other == "json":
        if stored.startswith('"'):
            return json.loads(stored), "text"
        return stored, "json" if one == "text" else one
    data: bytes = says(stored, "bytes")
    if one == "uuid" and len(data) == 16:
        return data.hex(), "uuid"
    if data == said.encode():
        return said, "text"
    return (stored, "bytes") if one == "text" else (data.decode("latin-1"), "text")


def is_number(text: str) -> bool:
    return not isinstance(says(text, "number"), Unreadable)


def family(kind: str) -> str:
    """The kind of a type, by its name on any of the ends."""
    name = re.sub(r"\(.*?\)", "", kind).strip().lower()
    for pattern, found in _FAMILIES:
        if re.fullmatch(pattern, name):
            return found
    return "text"


_FAMILIES = (
    (r".*\[\]", "list"),
    (r"bool(ean)?", "bool"),
    (r"(u?(tiny|small|big|huge)?int|u?integer|u?bigint|oid|real|float|double( precision)?|decimal.*|numeric|number|money)", "number"),
    (r"date", "date"),
    (r"timestamp(tz| +with time zone)", "instant"),
    (r"timestamp.*|datetime", "moment"),
    (r"time(tz| +with time zone)", "timetz"),
    (r"time.*", "time"),
    (r"interval.*", "interval"),
    (r"bytea|blob", "bytes"),
    (r"jsonb?|json text", "json"),
    (r"bit.*", "bits"),
    (r"uuid", "uuid"),
    (r"point", "point"),
)  # fmt: skip


def is_binary(kind: str) -> bool:
    return re.match(r"(?i)real|float|double", kind) is not None


def binary(text: str, kind: str) -> float | str:
    value = float(text)
    if math.isnan(value):
        return "nan"
    if math.isinf(value) or not is_narrow(kind):
        return value
    return float(struct.unpack("f", struct.pack("f", value))[0])


def is_narrow(kind: str) -> bool:
    """Whether a binary number has 32 bits."""
    return kind.lower() in ("real", "float")


def is_nearest(said: str, stored: str, kind: str) -> bool:
    """Whether a binary number is what a text says: by its shortest text, by a long one, or exactly."""
    number, value = says(said, "number"), binary(stored, kind)
    if isinstance(value, str) or math.isinf(value):
        return bool(number == says(stored, "number"))
    digits = 9 if is_narrow(kind) else 17
    return number in (says(stored, "number"), Decimal(f"{value:.{digits}g}"), Decimal(value))


def says(text: str, kind: str) -> Meaning:
    """What a text says as a value of a kind."""
    try:
        return _READERS[kind](text if kind in ("text", "bytes") else text.strip())
    except (ValueError, InvalidOperation, OverflowError):
        return Unreadable(text)


def _number(text: str) -> Meaning:
    if text.lower() in ("true", "false"):
        return Decimal(text.lower() == "true")
    value = Decimal(re.sub(r"[$,]", "", text))
    return "nan" if value.is_nan() else value


def _truth(text: str) -> Meaning:
    known = {"t": True, "true": True, "1": True, "yes": True, "on": True, "y": True}
    known |= {"f": False, "false": False, "0": False, "no": False, "off": False, "n": False}
    return known[text.lower()] if text.lower() in known else Unreadable(text)


def _moment(text: str) -> Meaning:
    """A date or time without a zone: days since 1970 and what is left of the day, of any year."""
    if text.lower().lstrip("-+") in ("infinity", "inf"):
        return ("infinity", text.startswith("-"))
    text = re.sub(r"^(\d{4})(\d\d)(\d\d)$", r"\1-\2-\3", text)
    found = re.fullmatch(
        r"(-?\d+)-(\d+)-(\d+)(?:[ T](\d+):(\d+)(?::(\d+)(\.\d+)?)?)?(Z|[+-][\d:]+)?( \(?BC\)?)?", text
    )
    if found is None:
        raise ValueError(text)
    year = 1 - int(found[1]) if found[9] else int(found[1])
    cycles, year = divmod(year, 400)  # of 146,097 days each
    days = date(year + 400, int(found[2]), int(found[3])).toordinal() + cycles * 146_097
    hours, minutes, seconds = (int(found[i] or 0) for i in (4, 5, 6))
    offset = _offset(found[8])
    return days * 86_400 + hours * 3600 + minutes * 60 + seconds - offset + Decimal(
        f"0{found[7] or ''}"
    ), found[8] is not None


def _offset(text: str | None) -> int:
    if text is None or text == "Z":
        return 0
    sign = -1 if text.startswith("-") else 1
    parts = re.findall(r"\d\d", text)
    return sum(sign * int(part) * (3600, 60, 1)[i] for i, part in enumerate(parts))


def _naive(text: str) -> Meaning:
    value = _moment(text)
    if value[1] is True and value[0] != "infinity" and not re.search(r"(Z|[+-]00(:?00)?)$", text):
        raise ValueError(text)  # it says a zone, and the type has no place for one
    return value[0] if value[0] != "infinity" else value


def _instant(text: str) -> Meaning:
    value = _moment(text)
    return value[0] if value[0] != "infinity" else value


def _day(text: str) -> Meaning:
    return _naive(text)


def _time_of_day(text: str) -> Meaning:
    found = re.fullmatch(r"(\d+):(\d+)(?::(\d+)(\.\d+)?)?(Z|[+-][\d:]+)?", text)
    if found is None:
        raise ValueError(text)
    seconds = int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3] or 0)
    return seconds + Decimal(f"0{found[4] or ''}"), _offset(found[5])


def _interval(text: str) -> Meaning:
    """Months, days, seconds: of Postgres's and DuckDB's text."""
    months, days, seconds = 0, 0, Decimal(0)
    if text.lower().lstrip("+-") in ("infinity", "inf"):
        return text.startswith("-")
    if re.fullmatch(r"[+-]?\d+(\.\d+)?", text):
        return 0, 0, Decimal(text)  # both take a bare number for seconds
    rest = text
    for number, unit in re.findall(r"([+-]?\d+) (year|mon|month|day)s?\b", rest):
        months += int(number) * {"year": 12, "mon": 1, "month": 1}.get(unit, 0)
        days += int(number) if unit == "day" else 0
    rest = re.sub(r"[+-]?\d+ (year|mon|month|day)s?\b", "", rest).strip()
    if rest:
        found = re.fullmatch(r"([+-]?)(\d+):(\d+)(?::(\d+(?:\.\d+)?))?", rest)
        if found is None:
            raise ValueError(text)
        seconds = int(found[2]) * 3600 + int(found[3]) * 60 + Decimal(found[4] or 0)
        seconds = -seconds if found[1] == "-" else seconds
    return months, days, seconds


def _bytes(text: str) -> Meaning:
    if text.startswith("\\x") and re.fullmatch(r"\\x([0-9a-fA-F]{2})*", text):
        return bytes.fromhex(text[2:])
    return re.sub(rb"\\x([0-9a-fA-F]{2})", lambda m: bytes.fromhex(m[1].decode()), text.encode())


def _json(text: str) -> Meaning:
    """Exact numbers; an object with a name that occurs twice is not the one without it."""

    def of_object(pairs: list[tuple[str, Any]]) -> Any:
        names = [name for name, _ in pairs]
        return {"twice": str(pairs)} if len(set(names)) < len(names) else dict(pairs)

    def refuse(word: str) -> Any:
        raise ValueError(word)

    return json.loads(
        text, parse_float=Decimal, parse_int=Decimal, parse_constant=refuse, object_pairs_hook=of_object
    )


def _list(text: str) -> Meaning:
    """The values of a list in braces or brackets, those that are numbers as numbers."""
    inner = re.fullmatch(r"[\[{](.*)[\]}]", text)
    if inner is None:
        raise ValueError(text)
    if not inner[1]:
        return []
    return [
        says(item.strip().strip('"'), "number") if item.strip().lower() != "null" else None
        for item in inner[1].split(",")
    ]


_READERS: dict[str, Callable[[str], Meaning]] = {
    "bool": _truth,
    "number": _number,
    "date": _day,
    "moment": _naive,
    "instant": _instant,
    "time": _time_of_day,
    "timetz": _time_of_day,
    "interval": _interval,
    "bytes": _bytes,
    "json": _json,
    "bits": lambda text: (re.fullmatch("[01]*", text) and text) or Unreadable(text),
    "uuid": lambda text: text.lower().replace("-", ""),
    "point": lambda text: [Decimal(part) for part in text.strip("()").split(",")],
    "list": _list,
    "text": str,
}
