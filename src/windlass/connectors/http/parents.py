"""A request for each of other rows, its parents: `/issues/{issue.number}/comments` is asked for once an issue.

Parents are values in the file, the rows of a file, or what any connection gives. Their values go into path, query,
body, form and headers, where `{…}` names them, and into the records that come where `fields` says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import structs

from windlass import registry
from windlass.connectors.ends import ConnectedEnd, End
from windlass.connectors.http import keys
from windlass.connectors.http.addresses import texts
from windlass.connectors.http.options import Parent, Source
from windlass.connectors.scratch import Scratch, identifier
from windlass.connectors.source import Reading
from windlass.connectors.source import Source as OpenSource
from windlass.errors import Code, FatalError
from windlass.options import read_options

__all__ = ["Child", "children", "side_by_side"]

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


def children(end: ConnectedEnd[Source], scratch: Scratch) -> Iterator[Child]:
    """One for each parent, in their order. Raises FatalError for a parent that has not what is named."""
    parent = end.options.parent
    if parent is None:
        yield Child(end.options)
        return
    rows = enumerate(parent.values, 1) if parent.values else enumerate(_rows(parent, end, scratch), 1)
    for number, row in rows:
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


def _rows(parent: Parent, end: ConnectedEnd[Source], scratch: Scratch) -> Iterator[Any]:
    """The parents that another source has, each as an object. Raises FatalError for rows that it cannot read."""
    source = _opened(parent, end)
    try:
        relation = source.open(Reading(), scratch)
        columns = ", ".join(identifier(column.name) for column in relation.columns())
        kept = scratch.new_name()
        scratch.rows(f"CREATE TABLE {kept} AS SELECT * FROM {relation.sql()}")
        wrong = " OR ".join(f"({fault.test})" for fault in relation.faults())
        if relation.rejected() or (wrong and scratch.rows(f"SELECT 1 FROM {kept} WHERE {wrong} LIMIT 1")):
            raise _unreadable(source.name)
    finally:
        source.close()
    rows = f"(SELECT {columns} FROM {kept} ORDER BY rowid) AS parents"
    for (text,) in scratch.rows(f"SELECT to_json(parents)::VARCHAR FROM {rows}"):
        yield msgspec.json.decode(text)


def _opened(parent: Parent, end: ConnectedEnd[Source]) -> OpenSource:
    """The source of the parents, of whatever connector."""
    if parent.connection is None:
        connector, written = registry.require(registry.FILES), {"path": parent.path}
    else:
        connector = registry.require(end.others[parent.connection].type)
        said = {"table": parent.table, "query": parent.query, "path": parent.path, "records": parent.records}
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


def _child(said: Source, parent: Parent, row: object, name: str) -> Child:
    """The request for one parent."""
    filling = _Filling(parent.as_, row, name)
    filled = structs.replace(
        said,
        path=filling.text(said.path, quoted=True),
        query=filling.values(said.query),
        headers={key: filling.text(value) for key, value in said.headers.items()},
        body=filling.value(said.body),
        form=filling.values(said.form),
    )
    fields = {key: filling.at(path) for key, path in parent.fields.items()}
    return Child(filled, ", ".join(filling.used), fields)


class _Filling:
    """Puts the values of one parent where they are named."""

    def __init__(self, name: str, row: object, place: str) -> None:
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
        return keys.find(keys.parse(path), self._row) if path else self._row

    def _said(self, dotted: str) -> str:
        """A value as text. Raises FatalError where there is none."""
        value = self.at(dotted.lstrip("."))
        if value is None or isinstance(value, dict | list):
            what = f"{self._name}{dotted}"
            hint = "name a column that each row has; leave rows without one out by a `query`"
            raise FatalError(f"{self._place} has no {what}", hint=hint, code=Code.NO_COLUMN)
        text = texts({"": value})[""]
        self.used[f"{self._name}{dotted}={text}"] = None
        return text
