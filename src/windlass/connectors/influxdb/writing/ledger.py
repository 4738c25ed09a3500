"""The ledger in InfluxDB: the measurement `windlass_loads` beside those that are loaded, a point for each load.

There are no transactions, so it is written when all points of a load are there. What identifies a load is in fields: as
tags each run would be a series of its own.
"""

from __future__ import annotations

import time
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

from windlass.connectors.influxdb.client import Connection
from windlass.connectors.influxdb.influxql import name, text
from windlass.connectors.influxdb.lines import line
from windlass.ledger import LedgerEntry

__all__ = ["Ledger"]

_MEASUREMENT = "windlass_loads"
_NAMES = [each.name for each in fields(LedgerEntry)]
_OF_TASK = ("pipeline", "task")


class Ledger:
    """The ledger for one measurement."""

    def __init__(self, connection: Connection, measurement: str) -> None:
        self._connection, self._measurement = connection, measurement

    def find(self, entry: LedgerEntry) -> LedgerEntry | None:
        """The entry of the same load, if it was committed."""
        found = self._latest(entry, ("pipeline", "task", "run_key", "part"))
        return None if found is None else LedgerEntry(**{key: found[key] for key in _NAMES if key in found})

    def last_cursor(self, entry: LedgerEntry) -> str | None:
        """The cursor of the latest load of the same pipeline and task."""
        found = self._latest(entry, _OF_TASK, f"AND {name('cursor')} != ''")
        return None if found is None else str(found["cursor"])

    def commit(self, entry: LedgerEntry) -> None:
        """Keep the entry, behind the latest of its task: the clock may have been set back, or another one be ahead."""
        latest = self._latest(entry, _OF_TASK)
        at = max(time.time_ns(), 0 if latest is None else int(latest["time"]) + 1)
        kept = replace(entry, committed_at=entry.committed_at or datetime.now(UTC).isoformat())
        values = {key: getattr(kept, key) for key in _NAMES if key not in _OF_TASK}
        tags = {"measurement": self._measurement}
        said: dict[str, Any] = {key: value for key, value in values.items() if value is not None}
        said |= {key: getattr(kept, key) for key in _OF_TASK}
        self._connection.write(line(_MEASUREMENT, tags, said, at))

    def _latest(self, entry: LedgerEntry, keys: tuple[str, ...], more: str = "") -> dict[str, Any] | None:
        conditions = [f"{name('measurement')} = {text(self._measurement)}"]
        conditions += [f"{name(key)} = {text(getattr(entry, key))}" for key in keys]
        found = self._connection.query(
            f"SELECT * FROM {name(_MEASUREMENT)} WHERE {' AND '.join(conditions)} {more} ORDER BY time DESC LIMIT 1"
        )
        rows = [row for series in found for row in series.rows()]
        return rows[0] if rows else None
