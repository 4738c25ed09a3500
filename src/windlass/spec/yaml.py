"""YAML text to plain values, with the position of everything in it.

Reads the YAML 1.2 core schema (https://yaml.org/spec/1.2.2/#103-core-schema): `no` is text, `010`
is ten, there are no timestamps and no merge keys. The tokens come from PyYAML's libyaml parser; the
values are built here, from its events, because only so can size, depth and alias expansion be
capped before anything is allocated.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TypeAlias

import yaml as pyyaml
from yaml import events as ev

from windlass.errors import Code, Problem, SpecError, reason_of
from windlass.noticing import read_bytes

__all__ = ["Document", "KeyPath", "Mark", "Tags", "not_utf8", "parse", "read", "scalar"]

MAX_BYTES = 1 << 20
MAX_DEPTH = 50
MAX_DIGITS = 4_000  # Python itself refuses to convert integers much longer than this
MAX_VALUES = 100_000  # counted after aliases are expanded, so a "billion laughs" stops here

KeyPath: TypeAlias = tuple[str | int, ...]

_CORE_TAG = "tag:yaml.org,2002:"
_NULL = re.compile(r"null|Null|NULL|~|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INF = re.compile(r"[-+]?\.(inf|Inf|INF)")
_NAN = re.compile(r"\.(nan|NaN|NAN)")

_SYNTAX_HINTS = {
    "found character that cannot start any token": "text that begins so must be in quotes",
    "mapping values are not allowed in this context": "text with ': ' in it must be in quotes; or is it indented too far?",
}

_Loader = getattr(pyyaml, "CSafeLoader", pyyaml.SafeLoader)


class Mark(NamedTuple):
    """Where a value, and the key in front of it, begin, counted from 1, and how wide they are in that line."""

    line: int
    column: int
    width: int
    key_line: int
    key_column: int
    key_width: int


@dataclass(frozen=True)
class Document:
    """One parsed file: its plain value, and a Mark for every key path in it."""

    file: str
    text: str
    value: object
    marks: dict[KeyPath, Mark] = field(repr=False)
    problems: tuple[Problem, ...] = ()
    """What is wrong with it all the same, such as a key that is there twice."""

    entries: Mapping[KeyPath, str] = field(default_factory=dict)
    """What was made of a `for_each`: the path of each, and its entry in words."""

    def problem(
        self, path: KeyPath, code: Code, message: str, *, hint: str | None = None, at_key: bool = False
    ) -> Problem:
        """Describe what is wrong at `path`; an unknown path falls back to its nearest parent."""
        entries = tuple(self.entries[outer] for outer in _with_outer(path) if outer in self.entries)[-1:]
        while path and path not in self.marks:
            path, at_key = path[:-1], False
        mark = self.marks.get(path)
        if mark is None:
            return Problem(self.file, 0, 0, message, hint=hint, code=code, entries=entries)
        line, column, width = mark[3:] if at_key else mark[:3]
        problem = _problem_at(self.file, self.text, line, column, code, message, hint)
        return replace(problem, width=width, entries=entries)

    def is_template(self, path: KeyPath) -> bool:
        """Whether the value at `path` was made of a template with an entry of a `for_each`."""
        mark = self.marks.get(path)
        if mark is None or not any(outer in self.entries for outer in _with_outer(path)):
            return False
        line = _lines(self.text)[mark.line - 1]
        return "{{" in line[mark.column - 1 : mark.column - 1 + mark.width]

    def part(self, i: int) -> Document:
        """A part of the list that the file is, with its places in the file."""
        marks = {path[1:]: mark for path, mark in self.marks.items() if path[:1] == (i,)}
        return Document(self.file, self.text, self.value[i], marks)  # type: ignore[index]


def _with_outer(path: KeyPath) -> Iterator[KeyPath]:
    return (path[:length] for length in range(len(path) + 1))


Tags: TypeAlias = Mapping[str, Callable[[str], object]]
"""What scalars with tags of our own mean, such as `!re` in files of cases. A ValueError says what is wrong with one."""


def read(file: Path, shown_as: str, tags: Tags | None = None) -> Document:
    """Read and parse one file. Raises SpecError, with the position, for whatever is not YAML."""
    try:
        data = read_bytes(file)
    except IsADirectoryError as exc:
        raise _unreadable(shown_as, "is a folder, expected a file") from exc
    except FileNotFoundError as exc:
        raise _unreadable(shown_as, "does not exist") from exc
    except OSError as exc:
        raise _unreadable(shown_as, f"cannot be read: {reason_of(exc)}") from exc
    if len(data) > MAX_BYTES:
        raise _unreadable(shown_as, f"is {len(data):,} bytes long, more than the {MAX_BYTES:,} allowed")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise _unreadable(shown_as, *not_utf8(data, exc)) from exc
    return parse(text, shown_as, tags)


def _unreadable(file: str, message: str, hint: str | None = None) -> SpecError:
    return SpecError([Problem(file, 0, 0, message, hint=hint, code=Code.UNREADABLE_FILE)])


def not_utf8(data: bytes, exc: UnicodeDecodeError) -> tuple[str, str]:
    """What is wrong with bytes that are not UTF-8 text, and what to do about it."""
    line = data.count(b"\n", 0, exc.start) + 1
    utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff") or data[:200].count(0) > len(data[:200]) // 4
    likely = "UTF-16" if utf16 else "Windows-1252 or Latin-1 (ISO-8859-1)"
    message = f"is not UTF-8: byte 0x{data[exc.start]:02x} at offset {exc.start}, in line {line}"
    return message, f"it may be {likely}: save it as UTF-8"


def parse(text: str, file: str, tags: Tags | None = None) -> Document:
    """Parse YAML text into one Document. `file` is only what errors call it. Raises SpecError for what is not YAML."""
    try:
        builder = _Builder(file, text, tags or {})
        value = builder.document()
        return Document(file, text, value, builder.marks, tuple(builder.problems))
    except pyyaml.MarkedYAMLError as exc:
        raise SpecError([_syntax_problem(file, text, exc)]) from exc
    except pyyaml.YAMLError as exc:  # an unprintable character: PyYAML's ReaderError has no mark
        position = len(text.encode()[: getattr(exc, "position", 0)].decode(errors="ignore"))
        line, begin = text.count("\n", 0, position) + 1, text.rfind("\n", 0, position) + 1
        message = f"not valid YAML: the control character {text[position : position + 1]!r}"
        problem = _problem_at(file, text, line, position - begin + 1, Code.NOT_YAML, message)
        raise SpecError([problem]) from exc


def scalar(text: str) -> object:
    """What a plain (unquoted) scalar means in the YAML 1.2 core schema.

    >>> scalar("no"), scalar("010"), scalar("0x1F"), scalar("~"), scalar("true")
    ('no', 10, 31, None, True)
    """
    if len(text) > MAX_DIGITS:
        return text
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text.lower() == "true"
    if _INT.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INF.fullmatch(text):
        return float("-inf") if text[0] == "-" else float("inf")
    if _NAN.fullmatch(text):
        return float("nan")
    return text


def _syntax_problem(file: str, text: str, exc: pyyaml.MarkedYAMLError) -> Problem:
    mark = exc.problem_mark or exc.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    message = f"not valid YAML: {exc.problem or exc.context}"
    problem = _problem_at(file, text, line, column, Code.NOT_YAML, message)
    if problem.source_line[column - 1 : column] == "\t":
        return replace(problem, hint="indent with spaces; YAML takes no tabs there")
    if exc.context and exc.context_mark and exc.context_mark.line != line - 1:
        return replace(problem, hint=f"{exc.context} that begins in line {exc.context_mark.line + 1}")
    return replace(problem, hint=_SYNTAX_HINTS.get(str(exc.problem)))


def _problem_at(
    file: str, text: str, line: int, column: int, code: Code, message: str, hint: str | None = None
) -> Problem:
    lines = _lines(text)
    source = lines[line - 1] if 0 < line <= len(lines) else ""
    return Problem(file, line, column, message, source, hint, code=code)


@lru_cache(1)
def _lines(text: str) -> list[str]:
    return text.splitlines()


class _Builder:
    """Builds one document's value from parser events, recording marks and enforcing the caps."""

    def __init__(self, file: str, text: str, tags: Tags) -> None:
        self.file, self.text, self._tags = file, text, tags
        self.marks: dict[KeyPath, Mark] = {}
        self._events: Iterator[Any] = pyyaml.parse(text, Loader=_Loader)
        self._anchors: dict[str, tuple[object, int]] = {}
        self._values = 0
        self.problems: list[Problem] = []

    def document(self) -> object:
        next(self._events)  # StreamStart
        start = next(self._events)
        if isinstance(start, ev.StreamEndEvent):
            raise _unreadable(self.file, "is empty")
        value = self._value(next(self._events), (), 0)
        next(self._events)  # DocumentEnd
        after = next(self._events)
        if not isinstance(after, ev.StreamEndEvent):
            self._fail(after, "a second document starts here, expected one document a file")
        return value

    def _value(self, event: Any, path: KeyPath, depth: int) -> object:
        if path not in self.marks:  # the value of a mapping was already marked, with its key
            self._mark(path, event, event)
        if depth > MAX_DEPTH:
            self._fail(event, f"nested more than {MAX_DEPTH} levels deep")
        self._count(event, 1)
        if isinstance(event, ev.AliasEvent):
            return self._alias(event)
        before = self._values
        value = self._node(event, path, depth)
        if event.anchor:
            self._anchors[event.anchor] = (value, self._values - before + 1)
        return value

    def _node(self, event: Any, path: KeyPath, depth: int) -> object:
        if isinstance(event, ev.ScalarEvent):
            return self._scalar(event)
        self._check_tag(event, "map" if isinstance(event, ev.MappingStartEvent) else "seq")
        if isinstance(event, ev.MappingStartEvent):
            return self._mapping(path, depth)
        return self._sequence(path, depth)

    def _mapping(self, path: KeyPath, depth: int) -> dict[str, object]:
        result: dict[str, object] = {}
        while not isinstance(event := next(self._events), ev.MappingEndEvent):
            key = self._key(event)
            if key in result:
                message = f"the key {key!r} is here a second time"
                self.problems.append(self._problem(event, Code.KEY_TWICE, message))
            value_event = next(self._events)
            self._mark((*path, key), value_event, event)
            result[key] = self._value(value_event, (*path, key), depth + 1)
        return result

    def _sequence(self, path: KeyPath, depth: int) -> list[object]:
        result: list[object] = []
        while not isinstance(event := next(self._events), ev.SequenceEndEvent):
            result.append(self._value(event, (*path, len(result)), depth + 1))
        return result

    def _key(self, event: Any) -> str:
        if isinstance(event, ev.MappingStartEvent) and event.flow_style:
            self._fail(event, 'a key must be text; a template must be in quotes: "{{ … }}"')
        if not isinstance(event, ev.ScalarEvent):
            self._fail(event, "a key must be text")
        if event.implicit[0] and event.value == "<<":
            self._fail(event, "merge keys ('<<') left YAML with version 1.2; use `defaults:`")
        key = self._scalar(event)
        if not isinstance(key, str):
            self._fail(event, f"a key must be text, and {event.value!r} is not: put it in quotes")
        return key

    def _scalar(self, event: ev.ScalarEvent) -> object:
        if "\0" in event.value:
            self._fail(event, "text must not contain the character NUL")
        if event.tag in self._tags:
            return self._of_our_own(event)
        self._check_tag(event, "str", "int", "float", "bool", "null")
        is_text = event.tag == f"{_CORE_TAG}str" or (event.tag in (None, "!") and not event.implicit[0])
        value = event.value if is_text else scalar(event.value)
        if event.tag and event.tag != "!":
            value = self._as_tagged(event, value, event.tag.removeprefix(_CORE_TAG))
        if isinstance(value, float) and not math.isfinite(value):
            message = f"expected a finite number, got {event.value}"
            self.problems.append(self._problem(event, Code.WRONG_TYPE, message))
        return value

    def _of_our_own(self, event: ev.ScalarEvent) -> object:
        try:
            return self._tags[str(event.tag)](event.value)
        except ValueError as exc:
            self._fail(event, f"{event.tag} {event.value!r}: {exc}")

    def _as_tagged(self, event: ev.ScalarEvent, value: object, name: str) -> object:
        """The value of a scalar that says its type, such as `!!int "5"`."""
        if name == "float" and type(value) is int:
            return float(value)
        if type(value).__name__ != {"null": "NoneType"}.get(name, name):
            message = f"{event.value!r} is not a valid !!{name}"
            self.problems.append(self._problem(event, Code.WRONG_TYPE, message))
        return value

    def _alias(self, event: ev.AliasEvent) -> object:
        if event.anchor not in self._anchors:
            self._fail(event, f"the alias *{event.anchor} has no anchor (or contains itself)")
        value, size = self._anchors[event.anchor]
        self._count(event, size)
        return value

    def _check_tag(self, event: Any, *allowed: str) -> None:
        if event.tag and event.tag not in {"!", *(_CORE_TAG + name for name in allowed)}:
            self._fail(event, f"the tag {event.tag!r} is not allowed here")

    def _count(self, event: Any, values: int) -> None:
        self._values += values
        if self._values > MAX_VALUES:
            self._fail(event, f"more than {MAX_VALUES:,} values, aliases expanded")

    def _mark(self, path: KeyPath, value: Any, key: Any) -> None:
        self.marks[path] = Mark(*_place(value), *_place(key))

    def _problem(self, event: Any, code: Code, message: str) -> Problem:
        line, column, width = _place(event)
        return replace(_problem_at(self.file, self.text, line, column, code, message), width=width)

    def _fail(self, event: Any, message: str) -> NoReturn:
        raise SpecError([*self.problems, self._problem(event, Code.NOT_ALLOWED_IN_YAML, message)])


def _place(event: Any) -> tuple[int, int, int]:
    """Line, column and width of an event in its line; of a mapping or list, where it begins."""
    begin, end = event.start_mark, event.end_mark
    whole = isinstance(event, ev.ScalarEvent) and end.line == begin.line
    return begin.line + 1, begin.column + 1, max(end.column - begin.column, 1) if whole else 1
