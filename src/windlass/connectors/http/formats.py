"""The records in an answer, each as the text of a JSON object: no number is read and written again."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from windlass.connectors.http.xml_records import records_of_xml

__all__ = ["FormatError", "count_of_csv", "records_in"]


class FormatError(Exception):
    """An answer is not what its format says."""


def records_in(kind: str, path: str, body: bytes) -> list[bytes] | None:
    """The records where `path` leads; None where there is no list. Raises FormatError."""
    return _READERS[kind](path, body)


def count_of_csv(body: bytes) -> int:
    """About how many records are in CSV with a header: none where there is no other line."""
    return max(0, sum(1 for line in body.splitlines() if line.strip()) - 1)


def _of_json(path: str, body: bytes) -> list[bytes] | None:
    try:
        body.decode()  # which msgspec does not look at in what it leaves as it is
        return _list_at(path, body)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise FormatError(f"valid JSON: {exc}") from exc


def _of_ndjson(path: str, body: bytes) -> list[bytes]:
    found = []
    for number, line in enumerate(body.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            line.decode()
            found.append(bytes(msgspec.json.decode(line, type=msgspec.Raw)))
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise FormatError(f"valid JSON in line {number}: {exc}") from exc
    return found


def _of_xml(path: str, body: bytes) -> list[bytes] | None:
    try:
        return records_of_xml(body, tuple(path.removesuffix("[]").split(".")))
    except ValueError as exc:
        raise FormatError(f"valid XML: {exc}") from exc


def _list_at(path: str, body: bytes) -> list[bytes] | None:
    """The items of the list to which keys lead, each as it is written; with brackets around the keys, what is there is
    the only one. None where there is none.
    """
    single = path.startswith("[") and path != "[]"
    keys = path[1:-1].removeprefix("@") if single else path.removesuffix("[]")
    found = msgspec.json.decode(body, type=msgspec.Raw)
    for key in filter(None, keys.split(".")):
        if bytes(found)[:1] != b"{":
            return None
        inner = msgspec.json.decode(found, type=dict[str, msgspec.Raw])
        if key not in inner:
            return None
        found = inner[key]
    if single:
        return [bytes(found)]
    if bytes(found)[:1] != b"[":
        return None
    return [bytes(item) for item in msgspec.json.decode(found, type=list[msgspec.Raw])]


_READERS: Mapping[str, Callable[[str, bytes], list[bytes] | None]] = {
    "json": _of_json,
    "ndjson": _of_ndjson,
    "xml": _of_xml,
}
