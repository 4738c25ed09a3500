"""Datasets of their own on a dev service, each with what its init files have made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from windlass.connections import Address
from windlass.connectors.bigquery import stand_in
from windlass.connectors.bigquery.client import Connection
from windlass.connectors.bigquery.fields import fields_of
from windlass.connectors.bigquery.sql import names

__all__ = ["fresh"]


@contextmanager
def fresh(address: Address, name: str) -> Iterator[Address]:
    """A copy of the dataset at the address, with that name, until the end of the block. Views are not copied."""
    if (file := stand_in.file_of(address)) is not None:
        with stand_in.copied(Path(file.database), name) as copy:
            yield replace(address, options={**address.options, stand_in.FILE: str(copy)})
        return
    with closing(Connection(address)) as connection:
        _remove(connection, name)
        with connection.errors():
            connection.client.create_dataset(name, timeout=60)
        for table in connection.tables():
            _copy(connection, table, name)
    try:
        yield replace(address, database=name)
    finally:
        with closing(Connection(address)) as connection:
            _remove(connection, name)


def _copy(connection: Connection, table: str, dataset: str) -> None:
    here, there = connection.table_name(table), connection.table_name(f"{dataset}.{table}")
    found = connection.table(here)
    if found is None or found.table_type not in (None, "TABLE"):
        return
    connection.make(there, found.schema)
    columns = names(field.name for field in fields_of(found.schema))
    connection.run(f"INSERT INTO {there.sql} ({columns}) SELECT {columns} FROM {here.sql}")


def _remove(connection: Connection, dataset: str) -> None:
    with connection.errors():
        connection.client.delete_dataset(dataset, delete_contents=True, not_found_ok=True, timeout=60)
