"""What the server knows of a measurement: its fields and their types, and its tags."""

from __future__ import annotations

from windlass.connectors.influxdb import influxql
from windlass.connectors.influxdb.client import Connection

__all__ = ["field_types", "quoted", "tag_names"]


def quoted(connection: Connection, measurement: str) -> str:
    """The measurement in InfluxQL, with the retention policy if the address names one."""
    policy = connection.retention_policy
    return f"{influxql.name(policy)}.{influxql.name(measurement)}" if policy else influxql.name(measurement)


def field_types(connection: Connection, measurement: str) -> dict[str, list[str]]:
    """The types of each field: several, where it has another one at other times."""
    types: dict[str, list[str]] = {}
    for row in _shown(connection, "FIELD KEYS", measurement):
        types.setdefault(row["fieldKey"], []).append(row["fieldType"])
    return types


def tag_names(connection: Connection, measurement: str) -> list[str]:
    return [row["tagKey"] for row in _shown(connection, "TAG KEYS", measurement)]


def _shown(connection: Connection, what: str, measurement: str) -> list[dict[str, str]]:
    found = connection.query(f"SHOW {what} FROM {quoted(connection, measurement)}")
    return [row for series in found for row in series.rows()]
