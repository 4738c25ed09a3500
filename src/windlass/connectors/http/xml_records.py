"""The records of an XML answer: the elements at the end of a path, each as a JSON object of texts.

Read by expat as it streams through. A document type is refused: with it come entities, by which a few lines grow to
gigabytes or reach for files, and no API of data needs one.
"""

from __future__ import annotations

import json
from typing import Any
from xml.parsers import expat

__all__ = ["records_of_xml"]

_TEXT = "#text"


def records_of_xml(body: bytes, path: tuple[str, ...]) -> list[bytes] | None:
    """The records; None where not even the element that they would be in is there. Raises ValueError.

    Names are as they are written, `media:content` say. An element has its attributes as `@name`, its children by their
    names, several of one name as a list, and its text: as `#text` beside those, else instead of an object.
    """
    reader = _Reader(path)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(body, True)
    except expat.ExpatError as exc:
        raise ValueError(str(exc)) from exc
    except UnicodeDecodeError as exc:
        raise ValueError(f"its text is not in the encoding that it says: {exc}") from exc
    return reader.records if reader.has_parent else None


def _refuse_doctype(*_: object) -> None:
    raise ValueError("it has a document type (<!DOCTYPE …>), which is not read")


class _Reader:
    """Collects the elements at the end of the path."""

    def __init__(self, path: tuple[str, ...]) -> None:
        self._path = path
        self._open: list[str] = []
        self._building: list[tuple[dict[str, Any], list[str]]] = []
        """The elements of a record that are open: what each has, and its texts."""

        self.records: list[bytes] = []
        self.has_parent = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._open.append(name)
        here = tuple(self._open)
        self.has_parent |= here == self._path[:-1] or here == self._path
        if self._building or here == self._path:
            self._building.append(({f"@{key}": value for key, value in attributes.items()}, []))

    def text(self, text: str) -> None:
        if self._building:
            self._building[-1][1].append(text)

    def end(self, name: str) -> None:
        self._open.pop()
        if not self._building:
            return
        found, texts = self._building.pop()
        text = "".join(texts).strip()
        if not self._building:
            self.records.append(json.dumps(found | ({_TEXT: text} if text else {})).encode())
        else:
            _put(self._building[-1][0], name, _value(found, text))


def _value(found: dict[str, Any], text: str) -> Any:
    """What an element within a record is: its text alone, nothing, or an object."""
    if not found:
        return text or None
    return found | ({_TEXT: text} if text else {})


def _put(parent: dict[str, Any], name: str, value: Any) -> None:
    if name not in parent:
        parent[name] = value
    elif isinstance(parent[name], list):
        parent[name].append(value)
    else:
        parent[name] = [parent[name], value]
