"""What a task of each kind does, besides a `copy`: see `windlass.spec.kinds` for what each field means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

from msgspec import Struct, field

from windlass.plan.base import BaseAction, JsonSchema, Mention, Param, asset, mention
from windlass.plan.copy import Copy, Source

__all__ = [
    "Action",
    "Check",
    "Download",
    "Freshness",
    "Notify",
    "Part",
    "Reference",
    "RowCount",
    "RunCommand",
    "Service",
    "Sql",
    "Subject",
    "Tell",
    "Trigger",
]

Part: TypeAlias = Literal["host", "port", "user", "password", "database"]


class Sql(BaseAction, frozen=True, kw_only=True):
    connection: str | None = None
    statement: str
    transaction: bool = True

    def mentions(self) -> Iterator[Mention]:
        return mention(self.connection, "sql")


class Reference(Struct, frozen=True, kw_only=True):
    """A value that only a run knows: the address of a connection, a part of it, or a secret."""

    connection: str | None = None
    part: Part | None = None
    secret: str | None = None
    key: str | None = None


class _Command(BaseAction, frozen=True, kw_only=True):
    """A command of the user's: it is in the task's unit, which has no secret; what its environment refers to is here."""

    connections: tuple[str, ...] = ()
    references: dict[str, Reference] = field(default_factory=dict)
    """By the variable whose value it is."""

    def mentions(self) -> Iterator[Mention]:
        for i, name in enumerate(self.connections):
            yield Mention(name, "command", ("connections", i))
        for variable, reference in self.references.items():
            yield from mention(reference.connection, "command", "env", variable)


class RunCommand(_Command, frozen=True, kw_only=True, tag="run"):
    pass


class Service(_Command, frozen=True, kw_only=True):
    pass


class Download(BaseAction, frozen=True, kw_only=True):
    url: str | None = None
    connection: str | None = None
    path: str | None = None
    to: str
    into: str | None = None
    """The connection whose bucket `to` is in."""

    sha256: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def mentions(self) -> Iterator[Mention]:
        yield from mention(self.connection, "download")
        yield from mention(self.into, "store", "to")

    def writes(self) -> tuple[str, ...]:
        return (self.to if self.into is None else f"{self.into}.{self.to}",)

    def output(self) -> str | None:
        return self.to if self.into is None else None


class RowCount(Struct, frozen=True, kw_only=True):
    exactly: int | None = None
    min: int | None = None
    max: int | None = None


class Freshness(Struct, frozen=True, kw_only=True):
    column: str
    within: float


class Subject(BaseAction, frozen=True, kw_only=True):
    """What some rows are looked at of."""

    connection: str | None = None
    table: str | None = None
    query: str | None = None
    path: str | None = None
    source: Source | None = None

    def mentions(self) -> Iterator[Mention]:
        if self.source is not None:
            return self.source.mentions()
        return mention(self.connection, "sql")

    def reads(self) -> tuple[str, ...]:
        if self.source is not None:
            return self.source.assets()
        return asset(self.path, self.connection, self.table)


class Check(Subject, frozen=True, kw_only=True):
    rows: RowCount | None = None
    unique: tuple[tuple[str, ...], ...] = ()
    not_null: tuple[str, ...] = ()
    accepted: dict[str, tuple[str | int | float | bool, ...]] = field(default_factory=dict)
    freshness: Freshness | None = None
    expressions: tuple[str, ...] = ()
    json_schema: JsonSchema | None = None


class Notify(Subject, frozen=True, kw_only=True):
    to: tuple[str, ...]
    message: str
    when: str = "count(*) > 0"
    each: Literal["run", "row"] = "run"
    limit: int = 100

    @property
    def has_rows(self) -> bool:
        return any(part is not None for part in (self.table, self.query, self.path, self.source))

    def mentions(self) -> Iterator[Mention]:
        yield from super().mentions()
        for i, name in enumerate(self.to):
            yield Mention(name, "alert", ("to", i))

    def reads(self) -> tuple[str, ...]:
        return super().reads() if self.has_rows else ()


class Trigger(BaseAction, frozen=True, kw_only=True):
    pipeline: str
    params: dict[str, Param] = field(default_factory=dict)
    wait: bool = True


class Tell(BaseAction, frozen=True, kw_only=True):
    """Tells what became of a run, where a scheduler runs the tasks: an export adds it. Who is told what, the scheduler knows."""

    connections: tuple[str, ...]
    open: tuple[str, ...] = ()
    """Those of them where what is told of a failure stays open until they are told of the recovery."""

    def mentions(self) -> Iterator[Mention]:
        for i, name in enumerate(self.connections):
            yield Mention(name, "alert", ("connections", i))


Action: TypeAlias = Copy | Sql | RunCommand | Service | Download | Check | Notify | Trigger | Tell
