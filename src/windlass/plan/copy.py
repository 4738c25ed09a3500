"""A `copy` of a plan: see `windlass.spec.copy` for what each field means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, TypeAlias, cast

from msgspec import Struct

from windlass import registry
from windlass.plan.base import BaseAction, JsonSchema, Mention, asset, mention
from windlass.plan.roles import Role
from windlass.registry import FILES

__all__ = [
    "ColumnRules",
    "Copy",
    "Destination",
    "Incremental",
    "Mode",
    "Partition",
    "QuarantineTo",
    "SelectColumn",
    "Source",
    "Validate",
]

Mode: TypeAlias = Literal["append", "replace", "merge", "delete_insert"]


class _End(Struct, frozen=True, kw_only=True):
    """A connection, or files, and what the connector of that type takes."""

    connection: str | None = None
    type: str = FILES
    options: dict[str, Any] = {}

    @property
    def path(self) -> str | None:
        """Of files."""
        return self.options["path"] if self.connection is None else None

    @property
    def table(self) -> str | None:
        return self.options.get("table")

    @property
    def rows_in(self) -> str | None:
        """The table, collection or whatever else the connection has its rows in; None for a query, and for files."""
        connector = registry.find(self.type)  # None where the file is wrong
        return self.options.get(connector.rows_in) if connector is not None else None

    def assets(self) -> tuple[str, ...]:
        """The tables and files that it is, and that are in it."""
        ends = (self, *(inner for _, inner in self.inner()))
        return tuple(each for end in ends for each in asset(end.path, end.connection, end.rows_in))

    def inner(self) -> Iterator[tuple[str, Source]]:
        """The sources that its options name, each with their key: the `parent` of requests."""
        for key in ("parent",):
            if isinstance(said := self.options.get(key), dict):
                name, rest = said.get("connection"), {k: v for k, v in said.items() if k != "connection"}
                if name is not None or "path" in rest:
                    yield key, Source(connection=name, options=rest)


class Source(_End, frozen=True, kw_only=True):
    """Where rows come from."""

    def with_inner(self) -> Iterator[tuple[tuple[str, ...], Source]]:
        """It, and the sources in it, each with where it stands."""
        yield (), self
        yield from (((key,), source) for key, source in self.inner())

    def mentions(self) -> Iterator[Mention]:
        """The connections of a `from`, and of what is in it."""
        for at, source in self.with_inner():
            yield from mention(source.connection, "source", "from", *at)


class Destination(_End, frozen=True, kw_only=True):
    """Where rows go."""

    @property
    def mode(self) -> Mode:
        """What happens to the rows already there."""
        return cast("Mode", self.options.get("mode", "replace"))

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that identify a row in a merge."""
        return tuple(self.options.get("key", ()))

    @property
    def interval(self) -> str | None:
        """The column whose rows in the data interval are replaced."""
        return self.options.get("interval")


class SelectColumn(Struct, frozen=True, kw_only=True):
    name: str
    source: str
    type: str | None = None


class ColumnRules(Struct, frozen=True, kw_only=True):
    not_null: bool = False
    min: int | float | str | None = None
    max: int | float | str | None = None
    accepted: tuple[str | int | float | bool, ...] | None = None
    pattern: str | None = None
    max_length: int | None = None


class Validate(Struct, frozen=True, kw_only=True):
    columns: dict[str, ColumnRules] = {}
    json_schema: JsonSchema | None = None


class QuarantineTo(Struct, frozen=True, kw_only=True):
    path: str | None = None
    connection: str | None = None
    table: str | None = None


class Incremental(Struct, frozen=True, kw_only=True):
    cursor: str | None = None
    lookback: int | float | str | None = None
    """A distance of the cursor, or a duration such as `1h`."""

    nulls: Literal["fail", "skip", "read"] = "fail"


class Partition(Struct, frozen=True, kw_only=True):
    by: str = "ctid"
    parts: int = 2
    mapped: bool = False
    """Each part can be a load of its own, so that a scheduler makes a task of it (`plan/mapping.py`)."""


class Copy(BaseAction, frozen=True, kw_only=True):
    source: Source
    destination: Destination
    select: tuple[SelectColumn, ...] = ()
    validate: Validate = Validate()
    on_bad_row: Literal["fail", "quarantine"] = "fail"
    max_bad_rows: int | str | None = None
    quarantine: QuarantineTo | None = None
    incremental: Incremental | None = None
    partition: Partition | None = None
    on_new_column: Literal["fail", "add", "ignore"] = "fail"
    on_missing_column: Literal["null", "fail"] = "null"
    on_type_change: Literal["keep", "widen"] = "keep"
    engine: str | None = None
    """The connection whose machines do it; None for the process of the task."""

    def mentions(self) -> Iterator[Mention]:
        yield from self.source.mentions()
        if self.engine is not None:
            yield Mention(self.engine, "engine", ("engine",))
        yield from mention(self.destination.connection, "destination", "to")
        if self.quarantine is not None:
            role: Role = "destination" if self.quarantine.path is None else "store"
            yield from mention(self.quarantine.connection, role, "quarantine")

    def reads(self) -> tuple[str, ...]:
        return self.source.assets()

    def writes(self) -> tuple[str, ...]:
        return self.destination.assets()

    def output(self) -> str | None:
        return self.destination.path
