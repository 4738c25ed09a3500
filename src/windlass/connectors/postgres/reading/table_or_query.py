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
from windlass.connectors.scratch import identifier
from windlass.connectors.source import Reading
from windlass.errors import Code, FatalError, did_you_mean

__all__ = ["TableOrQuery"]


class TableOrQuery:
    """A table, view or foreign table, or a query; each fact is looked up once."""

    def __init__(self, name: str, session: Session, options: TableSource) -> None:
        self.name, self.session, self.options = name, session, options

    @property
    def sql(self) -> str:
        """What to write after FROM for all of its rows, without a name for them."""
        if self._found is None:
            return f"({without_semicolon(str(self.options.query))}\n)"
        if self.table is not None:
            return self.table.sql
        return f"(SELECT {', '.join(identifier(c.name) for c in self.columns)} FROM {self._found.sql})"

    @property
    def table(self) -> Table | None:
        """None for a query, and for a table of which the role may read some columns: it is a query for those."""
        return None if self._withheld else self._found

    @cached_property
    def columns(self) -> tuple[PgColumn, ...]:
        if self._found is None:
            return columns_of_query(self.session, str(self.options.query))
        return tuple(column for column in self._found.columns if column.name not in self._withheld)

    def require_all(self, reading: Reading) -> None:
        """Raise FatalError when the role is not shown all that `reading` is about."""
        withheld = [name for name in self._withheld if reading.named is None or name in reading.named]
        if withheld:
            names = ", ".join(map(repr, withheld))
            message = (
                f"{self.name}: the role may not read {'column' if len(withheld) == 1 else 'columns'} {names}"
            )
            raise FatalError(message, hint="grant it SELECT on them, or name the other columns in `select`")
        if self._is_filtered():
            message = f"{self.name}: row-level security may hide some of its rows from the role"
            hint = "let the role read all (BYPASSRLS); `query: SELECT …` reads those that it is shown"
            raise FatalError(message, hint=hint)

    def _is_filtered(self) -> bool:
        """Whether row-level security applies. A view shows what its owner lets it, and a query is taken by its word."""
        if self._found is None or self._found.kind not in _WITH_POLICIES:
            return False
        return bool(self.session.value("SELECT row_security_active($1::int8::oid)", self._found.oid))

    @cached_property
    def _found(self) -> Table | None:
        return require_table(self.session, self.options.table, self.name) if self.options.table else None

    @cached_property
    def _withheld(self) -> tuple[str, ...]:
        """The columns of the table that the role may not read; none if it may read none, which the server says best."""
        if self._found is None:
            return ()
        rows = self.session.fetch(_WITHHELD, self._found.oid)
        return tuple(row[0] for row in rows) if len(rows) < len(self._found.columns) else ()

    def column(self, name: str) -> PgColumn:
        """The column of that name. Raises FatalError with near names."""
        for column in self.columns:
            if column.name == name:
                return column
        hint = did_you_mean(name, [column.name for column in self.columns])
        raise FatalError(f"{self.name} has no column {name!r}", hint=hint, code=Code.NO_COLUMN)


_WITH_POLICIES = "rp"  # ordinary and partitioned tables

_WITHHELD = """
SELECT attname FROM pg_attribute
WHERE attrelid = $1::int8::oid AND attnum > 0 AND NOT attisdropped
  AND NOT has_table_privilege(attrelid, 'SELECT') AND NOT has_column_privilege(attrelid, attnum, 'SELECT')
ORDER BY attnum
"""
