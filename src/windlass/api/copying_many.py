"""Many tables of a database to another, or to files: each a copy of its own, some at the same time."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qsl, urlencode

from windlass import registry
from windlass.api.arguments import memory_text
from windlass.api.connections import NearConnections
from windlass.api.copy_ends import named_in, path_of
from windlass.api.copying import Format, Mode, copy
from windlass.api.results import CopyResult, TableCopyResult
from windlass.connections import Address, parse_address
from windlass.errors import Code, FatalError, UsageError, as_error
from windlass.plan.roles import misfit
from windlass.splitting_urls import split_url
from windlass.units import DEFAULT_MEMORY, parse_size

__all__ = ["copy_tables", "names_many"]

_AT_ONCE = 4
_LEAST_MEMORY = 128_000_000
_DEFAULT_SCHEMAS = ("public", "main")
"""The schemas whose tables are listed without them."""


class _Tables(NamedTuple):
    """What an end says of many tables, and how it names one of them."""

    pattern: str
    name_of: Callable[[str], str]
    kind: str
    """The type of its connection."""


def names_many(text: str, folder: Path) -> bool:
    """Whether an end is a pattern of tables."""
    with NearConnections(folder.resolve()) as near:
        found = _tables_in(text, near)
        return found is not None and "*" in found.pattern


def copy_tables(
    source: str,
    destination: str,
    *,
    exclude: str | Sequence[str] = (),
    mode: Mode = "replace",
    key: str | Sequence[str] = (),
    on_bad_row: Literal["fail", "quarantine"] = "fail",
    max_bad_rows: int | str | None = None,
    to_format: Format = "parquet",
    parallel: int | None = None,
    memory: str | int | None = None,
    folder: str | Path = ".",
    done: Callable[[TableCopyResult], None] = lambda _: None,
) -> list[TableCopyResult]:
    """Copy many tables, each in a transaction of its own. One that fails does not keep the others from being copied.

    :param source: a connection of the project and a pattern, `shop:public.*`, or an address with `?table=public.*`.
    :param destination: a connection, `warehouse:`, whose tables get the same names; `warehouse:staging.*`, where `*` is
        the name without its schema; or a folder, `out/`, which gets a file for each.
    :param exclude: patterns of tables that are left out.
    :param to_format: of files.
    :param parallel: how many at once. Default: 4, or 1 where an end is a database in a file.
    :param memory: what all of them together may use. Default: 512 MB.
    :param folder: where relative paths begin.
    :param done: called with each that has ended, from any thread.
    :returns: one for each table, in the order of their names. The other arguments are those of `copy`.
    :raises WindlassError: there was nothing to begin with: the arguments make no sense, or nothing matches.
    """
    home = Path(folder).resolve()
    with NearConnections(home) as near:  # which holds the dev services until all are done
        many = _tables_in(source, near)
        if many is None or "*" not in many.pattern:
            raise UsageError(f"{source}: expected a pattern of tables, such as shop:public.*")
        names = _matching(many, source, [exclude] if isinstance(exclude, str) else exclude, near)
        target = _target(destination, to_format, near)
        at_once = parallel or _at_once([many.kind, target.kind])
        options: dict[str, Any] = {
            "mode": mode,
            "key": key,
            "on_bad_row": on_bad_row,
            "max_bad_rows": max_bad_rows,
            "to_format": to_format if target.kind == registry.FILES else None,
            "memory": _share(memory, min(at_once, len(names))),
            "folder": home,
        }

        def copied(name: str) -> TableCopyResult:
            ended = _copied(name, many.name_of(name), target.name_of(name), options)
            done(ended)
            return ended

        pool = ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="copy")
        try:
            return list(pool.map(copied, names))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _copied(name: str, source: str, destination: str, options: dict[str, Any]) -> TableCopyResult:
    result: CopyResult | None = None
    error = None
    try:
        result = copy(source, destination, **options)
    except Exception as exc:  # noqa: BLE001 - whatever it is, the others go on, and the end tells
        error = as_error(exc)
    return TableCopyResult(table=name, destination=destination, result=result, error=error)


# --- which tables, and where to -------------------------------------------------------------------


def _tables_in(text: str, near: NearConnections) -> _Tables | None:
    """What an end says of tables; None for paths, and for queries."""
    if (named := named_in(text, near)) is not None:
        if "query" in named.rows:
            return None
        kind = near.require(named.connection).type
        return _Tables(named.rows.get("table", ""), lambda name: f"{named.connection}:{name}", kind)
    if path_of(text, "") is not None:
        return None
    parts = split_url(text)
    options = dict(parse_qsl(parts.query))
    connector = registry.by_scheme(parts.scheme)
    if "query" in options or connector is None:
        return None

    def name_of(name: str) -> str:
        return f"{text.partition('?')[0]}?{urlencode({**options, 'table': name})}"

    return _Tables(options.get("table", ""), name_of, connector.type)


def _matching(many: _Tables, text: str, exclude: Sequence[str], near: NearConnections) -> list[str]:
    """The tables of the source that are meant. Raises FatalError when there are none."""
    known = _known(text, many, near)
    found = [
        name
        for name in known
        if _matches(name, many.pattern) and not any(_matches(name, pattern) for pattern in exclude)
    ]
    if not found:
        hint = f"it has: {', '.join(known[:20])}" if known else "the database has no tables"
        raise FatalError(f"{text}: no table matches {many.pattern!r}", hint=hint, code=Code.NO_TABLE)
    return found


def _known(text: str, many: _Tables, near: NearConnections) -> list[str]:
    connector = registry.require(many.kind)
    has_tables = connector.sql is not None and connector.store is None
    if (wrong := misfit(many.kind, "source")) is not None or not has_tables:
        raise UsageError(
            f"{text}: a connection of type {many.kind} has no tables that can be listed",
            hint=wrong and wrong[1],
        )
    with closing(registry.load(str(connector.sql))(_address(text, near))) as database:
        return sorted(database.tables())


def _address(text: str, near: NearConnections) -> Address:
    named = named_in(text, near)
    return (
        near.address(named.connection) if named is not None else parse_address(text, "the arguments of copy")
    )


def _matches(name: str, pattern: str) -> bool:
    names = [name] if "." in name else [name, *(f"{schema}.{name}" for schema in _DEFAULT_SCHEMAS)]
    return any(fnmatchcase(each, pattern) for each in names)


def _target(text: str, to_format: Format, near: NearConnections) -> _Tables:
    """How the destination names each table. Raises UsageError for one that is not for many."""
    found = _tables_in(text, near)
    if found is None and text.endswith("/"):
        return _Tables("", lambda name: f"{text}{name}.{to_format}", registry.FILES)
    if found is None or (found.pattern and "*" not in found.pattern):
        hint = "expected a connection (warehouse:), a schema of one (warehouse:staging.*) or a folder (out/)"
        raise UsageError(f"many tables cannot be copied to {text}", hint=hint)
    pattern = found.pattern

    def name_of(name: str) -> str:
        return found.name_of(pattern.replace("*", name.rpartition(".")[2]) if pattern else name)

    return found._replace(name_of=name_of)


# --- how many at once -----------------------------------------------------------------------------


def _at_once(kinds: Sequence[str]) -> int:
    """A database in a file has one writer at a time."""
    in_files = any(registry.require(kind).form == "file" for kind in kinds)
    return 1 if in_files else min(_AT_ONCE, max(2, os.cpu_count() or 1))


def _share(memory: str | int | None, copies: int) -> int:
    text = memory_text(memory)
    return max(_LEAST_MEMORY, (parse_size(text) if text is not None else DEFAULT_MEMORY) // copies)
