"""A request for each of other rows, its parents: `/issues/{issue.number}/comments` is asked for once an issue.

Parents are values in the file, the rows of a file, or what any connection gives. Their values go into path, query,
body, form and headers, where `{…}` names them, and into the records that come where `fields` says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import structs

from windlass import registry
from windlass.connectors.ends import ConnectedEnd, End
from windlass.connectors.http import keys
from windlass.connectors.http.addresses import texts
from windlass.connectors.http.options import Parent, Source
from windlass.connectors.http.since import Span
from windlass.connectors.rows import Column
from windlass.connectors.scratch import Scratch, identifier
from windlass.connectors.source import Reading
from windlass.connectors.source import Source as OpenSource
from windlass.errors import Code, FatalError
from windlass.options import read_options

__all__ = ["Child", "children", "side_by_side"]

_EXACT = r"-?(0|[1-9]\d*)(\.\d*[1-9])?(e[+-]?\d+)?"
"""How numbers are written that a double has as they are, if they are short."""

T = TypeVar("T")
S = TypeVar("S")


@dataclass(frozen=True)
class Child:
    """What is asked for one parent; or at all, where there are none."""

    said: Source
    name: str = ""
    """What tells it from the others, such as `issue.number=7`."""

    fields: Mapping[str, object] = field(default_factory=dict)
    """What its records get."""

    span: Span = Span()  # noqa: RUF009 - immutable
    """The time that is asked for."""


def children(end: ConnectedEnd[Source], scratch: Scratch) -> Iterator[Child]:
    """One for each parent, in their order. Raises FatalError for a parent that has not what is named."""
    parent = end.options.parent
    if parent is None:
        yield Child(end.options)
        return
    values = (_Row(value, value) for value in parent.values)
    for number, row in enumerate(values if parent.values else _rows(parent, end, scratch), 1):
        yield _child(end.options, parent, row, f"{end.connection}: {parent.as_} {number}")


def side_by_side(work: Callable[[S], T], items: Iterable[S], at_once: int) -> Iterator[T]:
    """What comes of each item, in their order; so many are worked on at once, and no more are begun than that."""
    waiting = iter(items)
    with ThreadPoolExecutor(at_once) as pool:
        begun: list[Future[T]] = []
        try:
            begun += [pool.submit(copy_context().run, work, item) for item in islice(waiting, at_once)]
            while begun:
                done = begun.pop(0).result()
                begun += [pool.submit(copy_context().run, work, item) for item in islice(waiting, 1)]
                yield done
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


class _Row(NamedTuple):
    """A parent."""

    written: Any
    """As it goes into texts: of a file, that of each value."""

    value: Any
    """As it goes into records and bodies: with numbers and truth values as such."""


def _rows(parent: Parent, end: ConnectedEnd[Source], scratch: Scratch) -> Iterator[_Row]:
    """The parents that another source has, each as an object. Raises FatalError for rows that it cannot read."""
    source = _opened(parent, end)
    try:
        relation = source.open(Reading(), scratch)
        found = relation.columns()
        columns = ", ".join(identifier(column.name) for column in found)
        kept = scratch.new_name()
        scratch.rows(f"CREATE TABLE {kept} AS SELECT * FROM {relation.sql()}")
        wrong = " OR ".join(f"({fault.test})" for fault in relation.faults())
        if relation.rejected() or (wrong and scratch.rows(f"SELECT 1 FROM {kept} WHERE {wrong} LIMIT 1")):
            raise _unreadable(source.name)
    finally:
        source.close()
    values = ", ".join(
        f"{identifier(name)} := CAST({identifier(name)} AS {kind})"
        for name, kind in _said_in_text(found, kept, scratch).items()
    )
    rows = f"(SELECT {columns} FROM {kept} ORDER BY rowid) AS parents"
    typed = f"to_json(struct_pack({values}))" if values else "'{}'"
    for written, said in scratch.rows(f"SELECT to_json(parents)::VARCHAR, {typed}::VARCHAR FROM {rows}"):
        row = msgspec.json.decode(written)
        yield _Row(row, row | msgspec.json.decode(said))


def _said_in_text(columns: Sequence[Column], rows: str, scratch: Scratch) -> dict[str, str]:
    """The columns of a file whose texts are all numbers or truth values, with their types. One with a text such as `1.50`
    is none: it may be a version.
    """
    found = {}
    for column in columns:
        name, guess = identifier(column.name), column.guess or ""
        kind = "UBIGINT" if guess.endswith(",0)") else guess
        if column.type != "VARCHAR" or kind not in ("BIGINT", "UBIGINT", "DOUBLE", "BOOLEAN"):
            continue
        value = f"TRY_CAST({name} AS {kind})"
        is_other = f"{value}::VARCHAR IS DISTINCT FROM {name}"
        if kind == "DOUBLE":
            is_exact = f"length({name}) <= 15 AND regexp_full_match({name}, '{_EXACT}')"
            is_other = f"NOT coalesce(isfinite({value}), false) OR ({is_other} AND NOT ({is_exact}))"
        if not scratch.rows(f"SELECT 1 FROM {rows} WHERE {name} IS NOT NULL AND ({is_other}) LIMIT 1"):
            found[column.name] = kind
    return found


def _opened(parent: Parent, end: ConnectedEnd[Source]) -> OpenSource:
    """The source of the parents, of whatever connector."""
    if parent.connection is None:
        connector, written = registry.require(registry.FILES), {"path": parent.path}
    else:
        connector = registry.require(end.others[parent.connection].type)
        said = {key: getattr(parent, key) for key in ("table", "query", "path", "records", "auth")}
        written = {key: value for key, value in said.items() if value is not None}
    inner: dict[str, Any] = {
        "options": read_options(registry.load(str(connector.options)).Source, written),
        "workspace": end.workspace,
        "scratch_folder": end.scratch_folder,
        "shared": end.shared,
        "interval": end.interval,
    }
    if parent.connection is not None:
        address = end.others[parent.connection]
        inner |= {"connection": parent.connection, "address": address}
    source: OpenSource = registry.load(str(connector.source))(
        ConnectedEnd(**inner) if parent.connection else End(**inner)
    )
    return source


def _unreadable(name: str) -> FatalError:
    hint = "load them into a table first, with `on_bad_row: quarantine`, and name that in `parent`"
    return FatalError(f"{name}: some of its rows cannot be read, and would be missing parents", hint=hint)


def _child(said: Source, parent: Parent, row: _Row, name: str) -> Child:
    """The request for one parent."""
    filling = _Filling(parent.as_, row, name)
    filled = structs.replace(
        said,
        path=filling.text(said.path, quoted=True),
        query=filling.values(said.query),
        headers={key: filling.text(value) for key, value in said.headers.items()},
        body=filling.value(said.body),
        form=filling.values(said.form),
        auth=said.auth and filling.text(said.auth),
    )
    fields = {key: filling.at(path) for key, path in parent.fields.items()}
    return Child(filled, ", ".join(filling.used), fields)


class _Filling:
    """Puts the values of one parent where they are named."""

    def __init__(self, name: str, row: _Row, place: str) -> None:
        self._row, self._place = row, place
        self._named = re.compile(rf"\{{{re.escape(name)}((?:\.[A-Za-z_]\w*)*)\}}")
        self._name = name
        self.used: dict[str, None] = {}

    def text(self, text: str, *, quoted: bool = False) -> str:
        """A text with the values in it. In a path they are `quoted`: one has no `/` that means anything."""

        def filled(match: re.Match[str]) -> str:
            value = self._said(match[1])
            return quote(value, safe="") if quoted else value

        return self._named.sub(filled, text)

    def value(self, value: Any) -> Any:
        """A value of JSON; a text that is nothing but a name becomes the very value."""
        if isinstance(value, dict):
            return {key: self.value(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.value(inner) for inner in value]
        if not isinstance(value, str):
            return value
        whole = self._named.fullmatch(value)
        if whole is None:
            return self.text(value)
        self._said(whole[1])
        return self.at(whole[1].lstrip("."))

    def values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {key: self.text(value) if isinstance(value, str) else value for key, value in values.items()}

    def at(self, path: str) -> object:
        """What the parent has there, as it is."""
        return _at(path, self._row.value)

    def _said(self, dotted: str) -> str:
        """A value as text. Raises FatalError where there is none."""
        value = _at(dotted.lstrip("."), self._row.written)
        if value is None or isinstance(value, dict | list):
            what = f"{self._name}{dotted}"
            hint = "name a column that each row has; leave rows without one out by a `query`"
            raise FatalError(f"{self._place} has no {what}", hint=hint, code=Code.NO_COLUMN)
        text = texts({"": value})[""]
        self.used[f"{self._name}{dotted}={text}"] = None
        return text


def _at(path: str, row: Any) -> object:
    return keys.find(keys.parse(path), row) if path else row
