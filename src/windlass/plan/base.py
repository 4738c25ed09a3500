"""What a task does: what every kind of action says of itself, so that nobody else has to work it out again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

from msgspec import Struct

from windlass.plan.roles import Role

__all__ = ["BaseAction", "JsonSchema", "Mention", "Param", "asset", "mention"]

Param: TypeAlias = str | int | float | bool | None
JsonSchema: TypeAlias = dict[str, Any]


class Mention(NamedTuple):
    """A connection that an action names: what for, and where below the kind's key of a pipeline file."""

    connection: str
    role: Role
    at: tuple[str | int, ...]


class BaseAction(Struct, frozen=True, tag_field="kind", tag=str.lower):
    """What a task does, and the facts about that which others go by: an action alone knows them.

    In JSON its `kind` is the name of the class in lower case.
    """

    @property
    def kind(self) -> str:
        return str(self.__struct_config__.tag)

    def mentions(self) -> Iterator[Mention]:
        """The connections that it names."""
        yield from ()

    def reads(self) -> tuple[str, ...]:
        """The assets that it reads: tables and files. A query has none."""
        return ()

    def writes(self) -> tuple[str, ...]:
        """The assets that it writes."""
        return ()

    def output(self) -> str | None:
        """The file that it writes: what `tasks.NAME.path` means in a template."""
        return None


def mention(connection: str | None, role: Role, *at: str | int) -> Iterator[Mention]:
    """A mention of the connection, if there is one."""
    if connection is not None:
        yield Mention(connection, role, (*at, "connection"))


def asset(path: str | None, connection: str | None, name: str | None) -> tuple[str, ...]:
    """The asset that a file is, or what has rows on a connection; none for a query."""
    if path is not None:
        return (path,)
    return (f"{connection}.{name}",) if name is not None else ()
