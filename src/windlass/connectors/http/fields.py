"""Flat records of nested ones: what lies at the end of each path, as it is written. No number is read and written again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from windlass.connectors.http import keys

__all__ = ["EVERYTHING", "Fields"]

EVERYTHING = "*"
"""The name that stands for all fields of a record, in `{"*": "@", city: address.city}`."""


@dataclass
class _Place:
    """A place in a record: the fields whose paths end here, and the places below."""

    names: list[str] = field(default_factory=list)
    below: dict[str | int, _Place] = field(default_factory=dict)

    def take(self, raw: msgspec.Raw, found: dict[str, msgspec.Raw | None]) -> None:
        """Note what is here and below; each object and list on the way is decoded once."""
        for name in self.names:
            found[name] = raw
        first = bytes(memoryview(raw)[:1]) if self.below else b""
        if first == b"{":
            inner = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
            for step, place in self.below.items():
                if isinstance(step, str) and step in inner:
                    place.take(inner[step], found)
        elif first == b"[":
            items = msgspec.json.decode(raw, type=list[msgspec.Raw])
            for step, place in self.below.items():
                if isinstance(step, int) and -len(items) <= step < len(items):
                    place.take(items[step], found)


class Fields:
    """The fields that `fields` of a source names, by their paths."""

    def __init__(self, paths: Mapping[str, str]) -> None:
        self._keeps = EVERYTHING in paths
        self._names, self._top = tuple(name for name in paths if name != EVERYTHING), _Place()
        for name in self._names:
            path = paths[name]
            place = self._top
            for step in keys.parse(path):
                place = place.below.setdefault(step, _Place())
            place.names.append(name)

    def of(self, record: bytes) -> bytes:
        """The record with these fields, null where it has nothing; and no others, unless `"*"` is among them. One that is not an object stays as it is, a bad row."""
        if record[:1] != b"{":
            return record
        found: dict[str, msgspec.Raw | None] = dict.fromkeys(self._names)
        self._top.take(msgspec.Raw(record), found)
        if self._keeps:
            found = {**msgspec.json.decode(record, type=dict[str, msgspec.Raw]), **found}
        return msgspec.json.encode(found)
