"""Reads the file that is imported, and follows the references in it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from windlass.errors import FatalError
from windlass.spec.yaml import read

__all__ = ["Tree", "read_document"]

_DEEPEST = 50
_OLD = re.compile(r"\*ref\(([\w.]+)\)")


class Tree:
    """A document whose `$ref`s lead to other places of it."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self.root = root

    def at(self, value: Any, *keys: str) -> Any:
        """What is there, references followed; an empty mapping where there is nothing."""
        found = self.followed(value)
        for key in keys:
            found = self.followed(found.get(key)) if isinstance(found, Mapping) else None
        return {} if found is None else found

    def followed(self, value: Any) -> Any:
        """What a reference leads to, as often as it leads on; anything else as it is. Raises FatalError for one that leads nowhere."""
        for _ in range(_DEEPEST):
            pointer = _pointer_of(value)
            if pointer is None:
                return value
            beside = {key: inner for key, inner in value.items() if key != "$ref"} if _is_map(value) else {}
            found = self._pointed(pointer)
            value = {**found, **beside} if beside and _is_map(found) else found
        raise FatalError(f"the reference {pointer!r} leads to itself")

    def _pointed(self, pointer: str) -> Any:
        found: Any = self.root
        for step in pointer.removeprefix("#").strip("/").split("/"):
            key = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and key.isdecimal() and int(key) < len(found):
                found = found[int(key)]
            elif _is_map(found) and key in found:
                found = found[key]
            else:
                raise FatalError(
                    f"there is nothing at {pointer!r}", hint="only references within the file are followed"
                )
        return found


def read_document(file: Path) -> dict[str, Any]:
    """The mapping that a file of JSON or YAML has. Raises WindlassError."""
    if file.suffix == ".json":
        try:
            document = json.loads(file.read_bytes())
        except (OSError, ValueError) as exc:
            raise FatalError(f"{file} cannot be read as JSON: {exc}") from exc
    else:
        found = read(file, str(file))
        document = found.value
    if not isinstance(document, dict):
        raise FatalError(f"{file} is not a mapping, as such documents are")
    return document


def _is_map(value: object) -> bool:
    return isinstance(value, Mapping)


def _pointer_of(value: Any) -> str | None:
    """Where a reference leads: `{$ref: "#/a/b"}`, or the text `#/a/b` as Airbyte has it, too, and once had as `*ref(a.b)`."""
    if _is_map(value):
        value = value.get("$ref")
    if isinstance(value, str) and (old := _OLD.fullmatch(value.strip())):
        return "#/" + old[1].replace(".", "/")
    return value if isinstance(value, str) and value.startswith("#/") else None
