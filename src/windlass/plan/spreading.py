"""Which copies can be spread over the machines of an engine.

A piece is copied like any other copy, by the same code, into files of its own. So a copy can be spread if its pieces do
not need each other: where rows go to files of a folder or objects below a prefix, and every piece has the same columns without a look at the others.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import NamedTuple

from windlass import registry
from windlass.plan.model import Copy, Destination, Source
from windlass.workspace import is_stored, scheme_of

__all__ = ["Refusal", "why_not_spread"]

_UNTYPED = ("csv", "json", "ndjson")
_ENDINGS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
} | {
    ".xlsx": "excel",
    ".xlsm": "excel",
}


class Refusal(NamedTuple):
    """Why not; `at` is the key below `copy` that it is about."""

    at: tuple[str, ...]
    message: str
    hint: str


def why_not_spread(copy: Copy, kind: str | None = None) -> Refusal | None:
    """Why an engine cannot do it; None if it can, or is not asked to. `kind`: the format of the files, once that is known."""
    if copy.engine is None:
        return None
    return _of_source(copy) or _of_destination(copy) or _of_keys(copy) or _of_types(copy, kind)


def _of_source(copy: Copy) -> Refusal | None:
    path = _files_of(copy.source)
    if path is None:
        message = "`engine` spreads files over machines, and these rows come from a connection"
        return Refusal(("from", "connection"), message, "leave `engine` out, or copy them to files first")
    if not is_stored(path) and scheme_of(path) not in (None, "file"):
        message = f"`engine` reads files that all its machines reach, and {path!r} can be read only once"
        return Refusal(("from", "path"), message, "download it first, or leave `engine` out")
    return None


def _of_destination(copy: Copy) -> Refusal | None:
    path, mode = _files_of(copy.destination), copy.destination.mode
    if path is None:
        message = "`engine` writes files, and these rows go to a connection"
        return Refusal(("to", "connection"), message, "copy to files, and from there in a task of its own")
    if not path.endswith("/"):
        message = (
            f"`engine` writes files into a folder, or below a prefix of a store, and {path!r} is one file"
        )
        return Refusal(("to", "path"), message, "end the path of a folder with /, or leave `engine` out")
    if mode not in ("append", "replace"):
        return Refusal(
            ("to", "mode"), f"`engine` knows `append` and `replace`, not `{mode}`", "use one of them"
        )
    return None


def _files_of(end: Source | Destination) -> str | None:
    """The path of an end that is files, or objects of a store."""
    connector = registry.find(end.type) if end.connection is not None else None
    is_table = end.connection is not None and (connector is None or connector.store is None)
    return None if is_table else str(end.options["path"])


def _of_keys(copy: Copy) -> Refusal | None:
    for key in ("incremental", "partition"):
        if getattr(copy, key) is not None:
            hint = "leave one of them out; an engine finds the pieces itself, by the sizes of files"
            return Refusal((key,), f"`{key}` does not go with `engine`", hint)
    return None


def _of_types(copy: Copy, kind: str | None) -> Refusal | None:
    """Types of text are guessed from the values of all pieces, so they have to be said."""
    path = str(copy.source.options["path"])
    kind = kind or copy.source.options.get("format") or _kind_of(path)
    if kind == "excel":
        message = "`engine` reads CSV, JSON, NDJSON and Parquet, and an Excel file is read whole"
        return Refusal(("from",), message, "leave `engine` out")
    if kind not in _UNTYPED:
        return None
    declared = copy.source.options.get("columns", {})
    untyped = [column.name for column in copy.select if not column.type and column.source not in declared]
    if copy.select and not untyped:
        return None
    which = ", ".join(map(repr, untyped)) if untyped else "all of them"
    message = f"with `engine`, each column of a {kind} file needs a type in `select`: {which}"
    hint = "such as {id: {type: bigint}}; no machine sees all values, from which it would be found out"
    return Refusal(("select",) if copy.select else ("engine",), message, hint)


def _kind_of(path: str) -> str | None:
    """The format that the name tells, whatever it is packed with."""
    endings = reversed(PurePosixPath(path.lower()).suffixes)
    return next((_ENDINGS[ending] for ending in endings if ending in _ENDINGS), None)
