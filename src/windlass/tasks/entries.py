"""The entries that a task has written, for which there is to be a task each."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TypeAlias

from windlass.entries import Entry, keyed, named, rows
from windlass.errors import Code, FatalError, SpecError, reason_of
from windlass.plan.instances import ENTRY_FILES, instances, to_text
from windlass.plan.model import Each, Plan, Task
from windlass.templates import TemplateError, render
from windlass.workspace import Workspace

__all__ = ["MOST_TEXT", "entries_of"]

MOST_TEXT = 256_000
"""Characters of all entries, as schedulers hand them on: Argo takes no longer output of a task."""

_LARGEST = 1 << 24  # bytes of a JSON file, which is read whole

_Reader: TypeAlias = Callable[[Path, str, Each], Iterator[Entry]]


def entries_of(plan: Plan, task: Task, workspace: Workspace, variables: Mapping[str, object]) -> list[Entry]:
    """The entries of a task, each with its name. Raises FatalError for what is wrong with any of them."""
    assert task.each is not None
    path = render(task.each.path, variables)
    found = list(_read(path, task.each, workspace))
    instances(plan, task, found)
    if (size := sum(len(to_text(entry)) for entry in found)) > MOST_TEXT:
        message = (
            f"the entries of {task.name!r} have {size:,} characters, at most {MOST_TEXT:,} are handed on"
        )
        hint = f"write only what tells them apart into {path}; a task may look up the rest"
        raise FatalError(message, hint=hint, code=Code.OUT_OF_RANGE)
    return found


def _read(path: str, each: Each, workspace: Workspace) -> Iterator[Entry]:
    file = workspace.to_read(path)
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise _unreadable(path, f"expected a {', '.join(ENTRY_FILES)} file")
    try:
        found = list(islice(reader(file, path, each), each.limit + 1))
    except FileNotFoundError as exc:
        hint = f"it is what task {each.of!r} writes into the workspace"
        raise FatalError(f"there is no file {path!r} with entries", hint=hint, code=Code.NO_FILE) from exc
    except UnicodeDecodeError as exc:
        raise _unreadable(path, f"it is not UTF-8 (byte 0x{exc.object[exc.start]:02x})") from exc
    except SpecError as exc:  # of a YAML file
        raise _unreadable(path, exc.message) from exc
    except (OSError, ValueError, RecursionError, csv.Error) as exc:
        raise _unreadable(path, reason_of(exc)) from exc
    if len(found) > each.limit:
        hint = "raise `limit`, or have a task take several of them"
        message = f"{path} has more than {each.limit:,} entries"
        raise FatalError(message, hint=hint, code=Code.OUT_OF_RANGE)
    for entry in found:
        try:
            yield named(entry, each.name)
        except TemplateError as exc:
            raise FatalError(f"`name`: {exc} ({entry.place})", hint=exc.hint, code=exc.code) from exc


def _unreadable(path: str, why: str) -> FatalError:
    return FatalError(f"cannot take the entries of {path!r}: {why}", code=Code.NAMED_FILE)


# --- files ------------------------------------------------------------------------------------------


def _csv(file: Path, shown: str, _: Each) -> Iterator[Entry]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        yield from rows(lines, shown)


def _lines(file: Path, shown: str, _: Each) -> Iterator[Entry]:
    with file.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if text := line.strip():
                yield Entry(text, None, f"{shown}:{number}")


def _ndjson(file: Path, shown: str, each: Each) -> Iterator[Entry]:
    for line in _lines(file, shown, each):
        try:
            yield Entry(json.loads(str(line.value)), None, line.place)
        except ValueError as exc:
            raise ValueError(f"{line.place} is not valid JSON: {exc}") from exc


def _json(file: Path, shown: str, each: Each) -> Iterator[Entry]:
    if (size := file.stat().st_size) > _LARGEST:
        raise ValueError(f"it has {size:,} bytes; write that many as .ndjson")
    text = file.read_text(encoding="utf-8-sig")
    try:
        found = json.loads(text)
    except ValueError as exc:
        raise ValueError(f"it is not valid JSON: {exc}") from exc
    return _members(found, shown, each)


def _yaml(file: Path, shown: str, each: Each) -> Iterator[Entry]:
    from windlass.spec.yaml import read

    document = read(file, shown)
    if document.problems:
        raise SpecError(document.problems)
    return _members(document.value, shown, each)


def _members(found: object, shown: str, each: Each) -> Iterator[Entry]:
    """Those of a list, or of a mapping, whose keys are their names."""
    for key in each.records.split(".") if each.records else ():
        found = found.get(key) if isinstance(found, dict) else None
    if isinstance(found, dict):
        return (Entry(keyed(key, value), str(key), f"{shown}: {key!r}") for key, value in found.items())
    if isinstance(found, list):
        return (Entry(value, None, f"{shown}: entry {n}") for n, value in enumerate(found, 1))
    where = f" at {each.records!r}" if each.records else ""
    raise ValueError(f"expected a list or mapping{where}")


_READERS: dict[str, _Reader] = {
    ".csv": _csv,
    ".json": _json,
    ".ndjson": _ndjson,
    ".jsonl": _ndjson,
    ".yaml": _yaml,
    ".yml": _yaml,
    ".txt": _lines,
}
