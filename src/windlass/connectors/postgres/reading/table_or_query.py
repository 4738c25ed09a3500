"""What a Postgres source reads, as the catalog knows it."""

from __future__ import annotations

from functools import cached_property

from windlass.connectors.options import TableSource
from windlass.connectors.postgres.catalog import (
    PgColumn,
    Table,
    columns_of_query,
    require_table,
    without_semicolon,
)
from windlass.connectors.postgres.session import Session
from windlass.errors import Code, FatalError, did_you_mean

__all__ = ["TableOrQuery"]


class TableOrQuery:
    """A table, view or foreign table, or a query; each fact is looked up once."""

    def __init__(self, name: str, session: Session, options: TableSource) -> None:
        self.name, self.session, self.options = name, session, options

    @property
    def sql(self) -> str:
        """What to write after FROM for all of its rows, without a name for them."""
        return self.table.sql if self.table else f"({without_semicolon(str(self.options.query))}\n)"

    @cached_property
    def table(self) -> Table | None:
        """None for a query."""
        return require_table(self.session, self.options.table, self.name) if self.options.table else None

    @cached_property
    def columns(self) -> tuple[PgColumn, ...]:
        return self.table.columns if self.table else columns_of_query(self.session, str(self.options.query))

    def column(self, name: str) -> PgColumn:
        """The column of that name. Raises FatalError with near names."""
        for column in self.columns:
            if column.name == name:
                return column
        hint = did_you_mean(name, [column.name for column in self.columns])
        raise FatalError(f"{self.name} has no column {name!r}", hint=hint, code=Code.NO_COLUMN)
