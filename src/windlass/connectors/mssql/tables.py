"""The tables of a database of SQL Server."""

from __future__ import annotations

from windlass.connectors.mssql.session import Session

__all__ = ["table_names"]


def table_names(session: Session) -> list[str]:
    """The tables and views that the user may see; those of other schemas than `dbo` with that."""
    rows = session.rows("SELECT TABLE_SCHEMA, TABLE_NAME FROM INFORMATION_SCHEMA.TABLES ORDER BY 1, 2")
    return [name if schema == "dbo" else f"{schema}.{name}" for schema, name in rows]
