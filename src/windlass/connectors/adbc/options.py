"""The keys of databases with a driver of ADBC in `from:`, and of their connections."""

from __future__ import annotations

from windlass.connectors.options import ConnectionOptions, TableSource

__all__ = ["Connection", "Source"]


class Source(TableSource):
    """A table or a query, in the SQL of the database. The name of a table stands in it as it is written, quotes included."""


class Connection(ConnectionOptions):
    """How the database writes its SQL."""

    quote: str = '"'
    """What stands around the name of a column: `"`, or a backtick where the database has those."""

    def refusal(self) -> str | None:
        return None if self.quote in ('"', "`") else f"`quote` is {self.quote!r}: expected '\"' or '`'"
