"""A DuckDB file in the place of BigQuery: what a laptop has without an emulator.

Tables are written and read there as in BigQuery. It has DuckDB's types and DuckDB's SQL, and is partitioned and clustered by
nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from windlass import logs, registry
from windlass.connections import STAND_IN, Address
from windlass.connectors.bigquery import options
from windlass.connectors.database import Database, SqlResult
from windlass.connectors.destination import Destination
from windlass.connectors.duckdb import opening as duckdb
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.options import TableDestination, TableSource
from windlass.connectors.source import Source
from windlass.devservices import DevService
from windlass.devservices.file import start_file
from windlass.errors import FatalError, naming
from windlass.options import Options

__all__ = ["FILE", "connected", "copied", "destination_in", "file_of", "source_in", "start"]

FILE = "file"
"""The option of an address that names the file."""

O = TypeVar("O", bound=Options)


def start(service: DevService) -> Address:
    """The address of the file; made and initialised as far as needed."""
    with _in_its_words():
        file = start_file(replace(service, type=registry.SCRATCH), ending=".duckdb").database
    logs.info("stands_in", connection=service.name, file=file, because="bqemulator is not on the PATH")
    return Address(
        "bigquery", "dev", database="main", options={FILE: file}, scheme="bigquery", origin=STAND_IN
    )


def file_of(address: Address) -> Address | None:
    """The DuckDB file that stands in; None where BigQuery or an emulator is meant."""
    file = address.options.get(FILE)
    return (
        None
        if file is None
        else Address(registry.SCRATCH, database=file, scheme=registry.SCRATCH, origin=address.origin)
    )


@contextmanager
def copied(file: Path, name: str) -> Iterator[Path]:
    """A copy of the file beside it, until the end of the block."""
    copy = file.with_name(f"{name}.duckdb")
    try:
        if file.exists():
            with naming(copy):
                shutil.copyfile(file, copy)
        yield copy
    finally:
        for left in (copy, copy.with_name(f"{copy.name}.wal")):
            left.unlink(missing_ok=True)


def source_in(file: Address, end: ConnectedEnd[TableSource]) -> Source:
    with _in_its_words():
        return duckdb.open_source(_end(file, end, end.options))


def destination_in(file: Address, end: ConnectedEnd[options.Destination]) -> Destination:
    wanted = end.options
    plain = TableDestination(table=wanted.table, mode=wanted.mode, key=wanted.key, interval=wanted.interval)
    return duckdb.open_destination(_end(file, end, plain))


def connected(file: Address) -> Database:
    return _Standing(duckdb.connect(file))


def _end(file: Address, end: ConnectedEnd[Options], wanted: O) -> ConnectedEnd[O]:
    return ConnectedEnd(
        options=wanted,
        workspace=end.workspace,
        scratch_folder=end.scratch_folder,
        shared=end.shared,
        interval=end.interval,
        alone=end.alone,
        connection=end.connection,
        address=file,
        others=end.others,
    )


class _Standing:
    """A connection that says of SQL which it does not understand who would. Implements `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def execute(self, script: str, *, transaction: bool = True) -> SqlResult:
        with _in_its_words():
            return self._database.execute(script, transaction=transaction)

    def query(self, sql: str, limit: int | None = None) -> SqlResult:
        with _in_its_words():
            return self._database.query(sql, limit)

    def tables(self) -> list[str]:
        return self._database.tables()

    def close(self) -> None:
        self._database.close()


@contextmanager
def _in_its_words() -> Iterator[None]:
    try:
        yield
    except FatalError as exc:
        hint = "a DuckDB file stands in for BigQuery, and takes only its own SQL; bqemulator on the PATH takes BigQuery's"
        raise FatalError(exc.message, hint=exc.hint or hint, code=exc.code) from exc
