"""The records in an answer, each as the text of a JSON object: no number is read and written again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping

import msgspec

from windlass.connectors.http.xml_records import records_of_xml
from windlass.file_kinds import LOOKED_AT, kind_of, why_not

__all__ = ["FormatError", "count_of_csv", "records_in", "require_csv"]


class FormatError(Exception):
    """An answer is not what its format says."""


def records_in(kind: str, path: str, body: bytes) -> list[bytes] | None:
    """The records where `path` leads; None where there is no list. Raises FormatError."""
    return _READERS[kind](path, body)


def require_csv(body: bytes) -> None:
    """Raise FormatError for what is evidently something else: a server that is in trouble may answer 200 and say so."""
    if not body.strip():
        return
    if why := why_not("csv", body[:LOOKED_AT]):
        raise FormatError(f"CSV: it {why.replace(', not a CSV file', '')}")
    if body.lstrip()[:1] in (b"{", b"["):
        try:
            msgspec.json.decode(body, type=msgspec.Raw)
        except msgspec.DecodeError:
            return
        raise FormatError("CSV: it is JSON")


def count_of_csv(body: bytes) -> int:
    """About how many records are in CSV with a header: none where there is no other line."""
    return max(0, sum(1 for line in body.splitlines() if line.strip()) - 1)


def _of_json(path: str, body: bytes) -> list[bytes] | None:
    try:
        body.decode()  # which msgspec does not look at in what it leaves as it is
        return _list_at(path, body)
    except RecursionError as exc:
        raise FormatError("JSON that can be read: it is nested too deep") from exc
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        kind = kind_of(body[:LOOKED_AT])
        raise FormatError(f"valid JSON: {f'it is {kind}' if kind else exc}") from exc


def _of_ndjson(path: str, body: bytes) -> list[bytes]:
    found = []
    for number, line in enumerate(body.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            line.decode()
            found.append(bytes(msgspec.json.decode(line, type=msgspec.Raw)))
        except RecursionError as exc:
            raise FormatError(f"JSON that can be read: line {number} is nested too deep") from exc
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            kind = kind_of(body[:LOOKED_AT]) if number == 1 else None
            raise FormatError(f"valid JSON in line {number}: {f'it is {kind}' if kind else exc}") from exc
    return found


def _of_xml(path: str, body: bytes) -> list[bytes] | None:
    try:
        return records_of_xml(body, tuple(path.removesuffix("[]").split(".")))
    except ValueError as exc:
        raise FormatError(f"valid XML: {exc}") from exc


def _list_at(path: str, body: bytes) -> list[bytes] | None:
    """The items of the list to which keys lead, each as it is written; with brackets around the keys, what is there is
    the only one; with `to_array(…)` either; with keys behind brackets, as in `list[].order`, what each item has there. None where there is no list.
    """
    whole = msgspec.json.decode(body, type=msgspec.Raw)
    if path.startswith(_EITHER):
        found = _value_at(path.removeprefix(_EITHER).removesuffix(")").removeprefix("@"), whole)
        if found is None or bytes(found) == b"null":
            return None
        several = _items_of(found)
        return [bytes(item) for item in (several if several is not None else [found])]
    if path.startswith("[") and not path.startswith("[]"):
        found = _value_at(path[1:-1].removeprefix("@"), whole)
        return None if found is None else [bytes(found)]
    keys, *within = path.removesuffix("[]").split("[]")
    items = _items_of(_value_at(keys, whole))
    for number, inner in enumerate(within, 1):
        if items is None:
            break
        values = _each_at(inner.lstrip("."), items, keys)
        items = values if number == len(within) and not path.endswith("[]") else _flat(values, inner)
    return None if items is None else [bytes(item) for item in items]


def _value_at(keys: str, found: msgspec.Raw) -> msgspec.Raw | None:
    """What is there; None where there is nothing. Raises FormatError for a name that occurs twice."""
    for key in filter(None, keys.split(".")):
        if bytes(found)[:1] != b"{":
            return None
        inner = msgspec.json.decode(found, type=dict[str, msgspec.Raw])
        if key not in inner:
            return None
        if list(_names(bytes(found), inner)).count(key) > 1:
            raise FormatError(f"JSON that can be read: the name {key!r} occurs twice")
        found = inner[key]
    return found


def _items_of(found: msgspec.Raw | None) -> list[msgspec.Raw] | None:
    if found is None or bytes(found)[:1] != b"[":
        return None
    return msgspec.json.decode(found, type=list[msgspec.Raw])


def _each_at(keys: str, items: list[msgspec.Raw], outer: str) -> list[msgspec.Raw]:
    """What each item has there. Raises FormatError for one that has nothing: it would be a record that is lost."""
    values = []
    for number, item in enumerate(items, 1):
        if (value := _value_at(keys, item)) is None:
            raise FormatError(f"as `records` says: item {number} of {outer or 'the answer'} has no {keys!r}")
        values.append(value)
    return values


def _flat(values: list[msgspec.Raw], keys: str) -> list[msgspec.Raw]:
    """The items of several lists. Raises FormatError for what is not a list."""
    found = []
    for number, value in enumerate(values, 1):
        if (items := _items_of(value)) is None:
            raise FormatError(f"as `records` says: {keys.lstrip('.')!r} of item {number} is not a list")
        found += items
    return found


_EITHER = "to_array("

_NAME = re.compile(rb'[\s,{]*("(?:[^"\\]|\\.)*")\s*:\s*')
_BEHIND = b" \t\r\n,}"


def _names(text: bytes, members: Mapping[str, msgspec.Raw]) -> Iterator[str]:
    """The names in an object, each as often as it occurs: decoded, it has the last value of one that occurs twice."""
    place = 0
    while (found := _NAME.match(text, place)) is not None:
        name = json.loads(found[1])
        yield name
        value, place = bytes(members[name]), found.end()
        end = place + len(value)
        if text.startswith(value, place) and text[end : end + 1] in _BEHIND:
            place = end
        else:
            rest = text[place:].decode()
            place += len(rest[: json.JSONDecoder().raw_decode(rest)[1]].encode())


_READERS: Mapping[str, Callable[[str, bytes], list[bytes] | None]] = {
    "json": _of_json,
    "ndjson": _of_ndjson,
    "xml": _of_xml,
}
