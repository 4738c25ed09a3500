"""The keys that ends of a copy, and dev services, have in common. A connector's own models are made of these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from windlass.options import Misfit, OneOrMany, Options

if TYPE_CHECKING:
    from windlass.connectors.ends import ConnectedEnd

__all__ = [
    "ConnectionOptions",
    "DestinationOptions",
    "DevServiceOptions",
    "InitOptions",
    "Mode",
    "SourceOptions",
    "TableDestination",
    "TableSource",
    "name_of",
]

Mode: TypeAlias = Literal["append", "replace", "merge", "delete_insert"]


class SourceOptions(Options):
    """Where rows come from."""


class DestinationOptions(Options):
    """Where rows go."""

    mode: Mode = "replace"
    """What happens to the rows already there."""

    key: OneOrMany[str] = ()
    """For `merge`: the columns that identify a row."""

    interval: str | None = None
    """For `delete_insert`: the column whose rows in the run's data interval are replaced."""

    def refusal(self) -> str | None:
        if self.mode == "merge" and not self.key:
            return "`mode: merge` needs `key`, the columns that identify a row"
        if self.mode == "delete_insert" and self.interval is None:
            return "`mode: delete_insert` needs `interval`, a date or time column"
        if self.key and self.mode != "merge":
            return f"`key` is for `mode: merge`, and the mode is {self.mode}"
        if self.interval is not None and self.mode != "delete_insert":
            return f"`interval` is for `mode: delete_insert`, and the mode is {self.mode}"
        return None


class TableSource(SourceOptions):
    """A table or a query of a database."""

    table: str | None = None
    """The table, as `name` or `schema.name`."""

    query: str | None = None
    """A SELECT instead of a table."""

    def refusal(self) -> str | None:
        if (self.table is None) == (self.query is None):
            return "a connection needs exactly one of `table` and `query`"
        return None


class TableDestination(DestinationOptions):
    """A table of a database."""

    table: str
    """The table, as `name` or `schema.name`; it is created when it is missing."""


def name_of(end: ConnectedEnd[TableSource]) -> str:
    """What errors and the quarantine call a table or query."""
    table = end.options.table
    return f"{end.connection}.{table}" if table is not None else f"{end.connection}: query"


class ConnectionOptions(Options):
    """What stands with a connection in `windlass.yaml` beside its type, and holds for all that is done on it."""

    def misfit(self, end: Mapping[str, Any]) -> Misfit | None:
        """Why an end with these keys does not go with what stands here; None if it does."""
        return None


class DevServiceOptions(Options):
    """How to set up the dev service that stands in for a connection."""

    def lacks(self) -> str | None:
        """What is missing for the dev service to stand in."""
        return None

    def files(self) -> tuple[str, ...]:
        """The files of the project that it is made from."""
        return ()


class InitOptions(DevServiceOptions):
    """The dev service of a database."""

    init: OneOrMany[str] = ()
    """SQL files, relative to the project, run once in this order when the dev service is new."""

    def files(self) -> tuple[str, ...]:
        return self.init
