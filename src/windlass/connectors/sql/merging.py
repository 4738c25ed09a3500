"""New rows into a table of a database: merged by a key, or in the place of an interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from windlass.connectors.ends import Interval
from windlass.connectors.rows import BadRow, Counts, Reason
from windlass.connectors.scratch import identifier
from windlass.connectors.sql.engine import Engine, NewRows
from windlass.errors import FatalError

__all__ = ["bad_key", "delete_interval", "key_not_unique", "merge", "quarantine_bad_keys"]


def merge(engine: Engine, target: str, new: NewRows, key: Sequence[str], counts: Counts) -> None:
    """Change the rows whose key is there and whose values differ, and add the others."""
    on = " AND ".join(f"d.{identifier(name)} = s.{identifier(name)}" for name in key)
    _require_unique_key(engine, target, new, key, on)
    others = [name for name in new.names if name not in key]
    counts.written = int(engine.rows(f"SELECT count(*) FROM {new.sql} AS s")[0][0])
    counts.updated = engine.update(target, new, on, others) if others else 0
    counts.inserted = engine.changed(
        f"INSERT INTO {target} ({new.columns}) SELECT {new.columns} FROM {new.sql} AS s "
        f"WHERE NOT EXISTS (SELECT 1 FROM {target} AS d WHERE {on})"
    )
    counts.unchanged = counts.written - counts.updated - counts.inserted


def quarantine_bad_keys(
    engine: Engine, new: NewRows, key: Sequence[str], refuse: Callable[[BadRow, int], None]
) -> NewRows:
    """The rows without those whose key is NULL or occurs more than once: which of them should win?"""
    names = ", ".join(map(identifier, key))
    null = " OR ".join(f"{identifier(name)} IS NULL" for name in key)
    bad = engine.rows(
        f"SELECT {new.number}, ({null}), {engine.record(new.names)} FROM "
        f"(SELECT *, count(*) OVER (PARTITION BY {names}) AS windlass_count FROM {new.sql}) AS counted "
        f"WHERE {null} OR windlass_count > 1 ORDER BY 1"
    )
    for number, is_null, *values in bad:
        record = engine.read_record(new.names, values)
        refuse(bad_key(key, record, is_null=bool(is_null)), number - new.first)
    return engine.without(new, [row[0] for row in bad])


def bad_key(key: Sequence[str], record: Mapping[str, Any], *, is_null: bool) -> BadRow:
    """The row that a merge cannot take, because of its key."""
    shown = ", ".join(f"{name}={record[name]!r}" for name in key)
    if is_null:
        return BadRow(Reason.IS_NULL, f"the key is NULL ({shown})", key[0], record=record)
    return BadRow(Reason.DUPLICATE_KEY, f"the key occurs more than once ({shown})", key[0], record=record)


def delete_interval(engine: Engine, target: str, column: str, interval: Interval) -> None:
    """Delete the rows whose date or time is in a half-open interval."""
    moment = engine.moment(identifier(column))
    start, end = map(engine.bound, interval)
    engine.changed(f"DELETE FROM {target} WHERE {moment} >= {start} AND {moment} < {end}")


def _require_unique_key(engine: Engine, target: str, new: NewRows, key: Sequence[str], on: str) -> None:
    twice = engine.rows(
        f"SELECT 1 FROM {target} AS d JOIN {new.sql} AS s ON {on} GROUP BY s.{new.number} "
        "HAVING count(*) > 1 LIMIT 1"
    )
    if twice:
        raise key_not_unique(key)


def key_not_unique(key: Sequence[str]) -> FatalError:
    """The error for a destination in which a row that arrives would have to change several."""
    return FatalError(
        f"the destination has several rows with the same key ({', '.join(key)})",
        hint="name columns in `key` that identify a row there, or remove the rows that are there twice",
    )
