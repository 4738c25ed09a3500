"""What a committed load does to its table, as statements of one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from windlass.connectors.bigquery.fields import Field
from windlass.connectors.bigquery.sql import TableName, literal, name, names
from windlass.connectors.bigquery.writing.columns import comparable, from_stage
from windlass.connectors.bigquery.writing.stage import NUMBER
from windlass.connectors.ends import Interval

__all__ = ["delete_interval", "insert", "merge", "merge_counts", "transaction"]


def insert(target: TableName, stage: TableName, fields: Sequence[Field]) -> str:
    """Add the rows."""
    values = ", ".join(from_stage(field) for field in fields)
    columns = names(field.name for field in fields)
    return f"INSERT INTO {target.sql} ({columns}) SELECT {values} FROM {stage.sql}"


def delete_interval(target: TableName, field: Field, interval: Interval) -> str:
    """Delete the rows whose date or time is in a half-open interval."""
    value, (start, end) = name(field.name), interval
    if field.type == "STRING":
        value = f"SAFE_CAST({value} AS TIMESTAMP)"
    low, high = (_moment(moment, field.type) for moment in (start, end))
    return f"DELETE FROM {target.sql} WHERE {value} >= {low} AND {value} < {high}"


def merge(target: TableName, stage: TableName, fields: Sequence[Field], key: Sequence[str]) -> str:
    """Change the rows whose key is there and whose values differ, and add the others."""
    columns = names(field.name for field in fields)
    others = [field for field in fields if field.name not in key]
    changes = ", ".join(f"{name(field.name)} = s.{name(field.name)}" for field in others)
    update = f"WHEN MATCHED AND ({_differs(others)}) THEN UPDATE SET {changes} " if others else ""
    values = ", ".join(f"s.{name(field.name)}" for field in fields)
    return (
        f"MERGE {target.sql} AS d USING ({_values(stage, fields)}) AS s ON {_same(key)} "
        f"{update}WHEN NOT MATCHED THEN INSERT ({columns}) VALUES ({values})"
    )


def merge_counts(target: TableName, stage: TableName, fields: Sequence[Field], key: Sequence[str]) -> str:
    """SQL for what a merge does: keys that several rows of the table have, rows that it adds, and that it changes."""
    others = [field for field in fields if field.name not in key]
    return (
        "SELECT COUNTIF(found > 1), COUNTIF(found = 0), COUNTIF(found = 1 AND changes) FROM ("
        f"SELECT s.{NUMBER}, COUNTIF(d.{name(key[0])} IS NOT NULL) AS found, "
        f"LOGICAL_OR({_differs(others) if others else 'FALSE'}) AS changes "
        f"FROM ({_values(stage, fields, numbered=True)}) AS s LEFT JOIN {target.sql} AS d ON {_same(key)} "
        f"GROUP BY s.{NUMBER})"
    )


def _values(stage: TableName, fields: Sequence[Field], *, numbered: bool = False) -> str:
    values = [f"{from_stage(field)} AS {name(field.name)}" for field in fields]
    return f"SELECT {', '.join([NUMBER, *values] if numbered else values)} FROM {stage.sql}"


def _same(key: Sequence[str]) -> str:
    return " AND ".join(f"d.{name(each)} = s.{name(each)}" for each in key)


def _differs(fields: Sequence[Field]) -> str:
    pairs = ((comparable(f, f"d.{name(f.name)}"), comparable(f, f"s.{name(f.name)}")) for f in fields)
    return " OR ".join(f"{there} IS DISTINCT FROM {new}" for there, new in pairs)


def _moment(moment: datetime, kind: str) -> str:
    """The moment as a value of the column; for a date the first day that does not begin before it."""
    moment = moment.astimezone(UTC)
    if kind == "DATE":
        midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        return f"DATE {literal((midnight if midnight == moment else midnight + timedelta(1)).date().isoformat())}"
    text = moment.replace(tzinfo=None).isoformat(" ")
    return f"DATETIME {literal(text)}" if kind == "DATETIME" else f"TIMESTAMP {literal(text + '+00')}"


def transaction(statements: Iterable[str]) -> str:
    """The statements as one transaction."""
    return ";\n".join(("BEGIN TRANSACTION", *statements, "COMMIT TRANSACTION")) + ";"
