"""The entries of a `for_each`: a list in the pipeline file, or a CSV, JSON or YAML file of the project."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Self, TypeAlias

from msgspec.structs import replace
from pydantic import Discriminator, Field, ValidationError, model_validator
from pydantic import Tag as Option

from windlass.entries import Entry, keyed, named, rows
from windlass.errors import Code, Problem, SpecError, reason_of
from windlass.noticing import read_bytes, resolved
from windlass.spec.fields import Inside, Name
from windlass.spec.model import Model, refusal
from windlass.spec.validation import problem_of
from windlass.spec.yaml import Document, KeyPath, not_utf8, read
from windlass.templates import TemplateError

__all__ = ["Entries", "ForEach", "entries_of", "is_written_by_task"]

_MOST = 10_000


class Beside(Model):
    """What a JSON or YAML file of the project has, for every entry."""

    path: Inside
    """The file."""

    records: str | None = None
    """Where in the file it is: the keys that lead there. Default: all of it."""


class Entries(Model):
    """Entries that stand in a file of their own, or need a name."""

    of: Name | None = None
    """On a task: the task that writes the entries. One task an entry is made when that has ended, during the run."""

    path: Inside | None = None
    """A file of the project that has the entries: the rows of a CSV file, or the list or mapping of a JSON or YAML file. With
    `of` the file in the workspace that the task writes, which may also be the objects of an NDJSON file or the lines of a
    text file; default: the `tasks.NAME.path` of that task."""

    records: str | None = None
    """Where in a JSON or YAML file they are: the keys that lead there, such as `sources` or `feeds.daily`."""

    entries: list[Any] | dict[str, Any] | None = None
    """The entries themselves, instead of a `path`."""

    name: str | None = None
    """On a task: what an entry adds to the name of the task, such as `{{ each.table }}`. Default: an entry that is text or a
    number, the key of a mapping, or what an entry has under `name`."""

    limit: int | None = Field(default=None, ge=1, le=_MOST)
    """With `of`: the most entries; more are a mistake, and none of them is started. Default: 1,000."""

    with_: dict[str, Beside] = Field(default={}, alias="with")
    """What each entry, a mapping, has besides: `{dag: {path: dags.yaml, records: import}}` is known as `each.dag`."""

    @model_validator(mode="after")
    def _from_one_place(self) -> Self:
        if self.of is not None:
            return self._written_by_task()
        if (self.path is None) == (self.entries is None):
            raise refusal("the entries are in a file (`path`), or here (`entries`)")
        if self.records is not None and self.path is None:
            raise refusal("`records` is for a file, which `path` names")
        if self.limit is not None:
            raise refusal("`limit` is for entries that a task writes, which `of` names")
        return self

    def _written_by_task(self) -> Self:
        if self.entries is not None:
            raise refusal("the entries are written by a task (`of`), or stand here (`entries`)")
        if self.with_:
            raise refusal("`with` is for entries that are known beforehand, not for those of a task (`of`)")
        return self


def _form(value: object) -> str | None:
    if isinstance(value, list):
        return "[list]"
    return "[mapping]" if isinstance(value, dict | Entries) else None


ForEach: TypeAlias = Annotated[
    Annotated[list[Any], Option("[list]"), Field(min_length=1)] | Annotated[Entries, Option("[mapping]")],
    Discriminator(
        _form,
        custom_error_type="for_each",
        custom_error_message="expected a list of entries, or a mapping with `path` or `entries`",
    ),
]


def is_written_by_task(written: object) -> bool:
    """Whether the entries of this `for_each` are known when another task has written them, and not before."""
    return isinstance(written, dict) and "of" in written


def entries_of(root: Path, document: Document, at: KeyPath, written: object) -> list[Entry]:
    """The entries of the `for_each` that stands at `at`. Raises SpecError with what is wrong with it."""
    spec = _validated(document, at, written)
    if spec.of is not None:
        message = "`of` makes tasks, during a run; pipelines are made before"
        raise SpecError([document.problem((*at, "of"), Code.KEYS_DO_NOT_FIT, message, at_key=True)])
    if spec.path is None:
        where = at if isinstance(written, list) else (*at, "entries")
        found = list(_entries(spec.entries, document, where, "line "))
    elif Path(spec.path).suffix.lower() == ".csv":
        found = _rows(root, document, at, spec.path)
    else:
        found = _records(root, document, at, spec)
    if not found or len(found) > _MOST:
        message = f"there are {len(found):,} entries, expected 1 to {_MOST:,}"
        raise SpecError([document.problem(at, Code.OUT_OF_RANGE, message)])
    if spec.with_:
        found = list(_with_others(root, document, at, spec.with_, found))
    return [_named(entry, spec.name, document, (*at, "name")) for entry in found]


def _validated(document: Document, at: KeyPath, written: object) -> Entries:
    if not isinstance(written, list | dict):
        message = "for_each: expected a list of entries, or a mapping with `path` or `entries`"
        raise SpecError([document.problem(at, Code.WRONG_TYPE, message)])
    try:
        return Entries.model_validate({"entries": written} if isinstance(written, list) else written)
    except ValidationError as exc:
        marks = {path[len(at) :]: mark for path, mark in document.marks.items() if path[: len(at)] == at}
        inside: dict[KeyPath, str] = {(): document.entries[()]} if () in document.entries else {}
        part = Document(document.file, document.text, written, marks, entries=inside)
        raise SpecError([problem_of(Entries, part, error) for error in exc.errors()]) from None


def _entries(found: object, document: Document, at: KeyPath, shown: str) -> Iterator[Entry]:
    """Those of a list, or of a mapping, whose keys are their names."""
    if isinstance(found, dict):
        for key, value in found.items():
            yield Entry(keyed(key, value), str(key), _place(document, (*at, key), shown))
    elif isinstance(found, list):
        for i, value in enumerate(found):
            yield Entry(value, None, _place(document, (*at, i), shown))


def _place(document: Document, path: KeyPath, shown: str) -> str:
    mark = document.marks.get(path)
    return f"{shown}{mark.line}" if mark is not None else f"entry {path[-1]!r}"


def _rows(root: Path, document: Document, at: KeyPath, path: str) -> list[Entry]:
    """Each row by the names of the header; everything is text."""
    data = b""
    try:
        data = read_bytes(_inside(root, document, at, path))
        return list(rows(io.StringIO(data.decode("utf-8-sig"), newline=""), path))
    except OSError as exc:
        raise SpecError([_unreadable(document, at, path, reason_of(exc))]) from exc
    except UnicodeDecodeError as exc:
        what, hint = not_utf8(data, exc)
        raise SpecError([_unreadable(document, at, path, f"it {what}", hint)]) from exc
    except (ValueError, csv.Error) as exc:
        raise SpecError([_unreadable(document, at, path, str(exc))]) from exc


def _records(root: Path, document: Document, at: KeyPath, spec: Entries) -> list[Entry]:
    path = str(spec.path)
    if Path(path).suffix.lower() not in (".json", ".yaml", ".yml"):
        raise SpecError([_unreadable(document, at, path, "expected a .csv, .json, .yaml or .yml file")])
    file, keys, found = _part(root, document, at, path, spec.records)
    return list(_entries(found, file, keys, f"{path}:"))


def _part(
    root: Path, document: Document, at: KeyPath, path: str, records: str | None
) -> tuple[Document, KeyPath, object]:
    """A JSON or YAML file, and the list or mapping to which the keys lead. Raises SpecError where there is none."""
    file = read(_inside(root, document, at, path), path)
    keys = tuple(records.split(".")) if records else ()
    found: object = file.value
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    if not isinstance(found, list | dict):
        where = f"a list or mapping at {records!r}" if keys else "a list or mapping"
        raise SpecError([*file.problems, _unreadable(document, at, path, f"expected {where}")])
    if file.problems:
        raise SpecError(file.problems)
    return file, keys, found


def _with_others(
    root: Path, document: Document, at: KeyPath, others: Mapping[str, Beside], entries: list[Entry]
) -> Iterator[Entry]:
    """The entries, each with what is said `with` them."""
    besides = {
        name: _part(root, document, (*at, "with", name), other.path, other.records)[2]
        for name, other in others.items()
    }
    for entry in entries:
        if not isinstance(entry.value, dict) or (taken := sorted(besides.keys() & entry.value.keys())):
            why = f"has {', '.join(taken)} already" if isinstance(entry.value, dict) else "is not a mapping"
            message = f"`with` adds {', '.join(besides)} to each entry, and {entry} {why}"
            raise SpecError([document.problem((*at, "with"), Code.WRONG_FORM, message, at_key=True)])
        yield replace(entry, value={**entry.value, **besides})


def _inside(root: Path, document: Document, at: KeyPath, path: str) -> Path:
    file = resolved(root / path)
    if not file.is_relative_to(root.resolve()):
        raise SpecError([_unreadable(document, at, path, "it is outside the project")])
    return file


def _unreadable(document: Document, at: KeyPath, path: str, why: str, hint: str | None = None) -> Problem:
    message = f"cannot take the entries of {path!r}: {why}"
    return document.problem((*at, "path"), Code.NAMED_FILE, message, hint=hint)


def _named(entry: Entry, template: str | None, document: Document, at: KeyPath) -> Entry:
    """The entry with its name."""
    try:
        return named(entry, template)
    except TemplateError as exc:
        raise SpecError([document.problem(at, exc.code, f"{exc} ({entry.place})", hint=exc.hint)]) from exc
