"""What the tests of connectors share: a copy without a project, and SQL that owes nothing to the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from windlass.connections import Address
from windlass.engine import Identity, Job, Outcome, Workspace
from windlass.engine.copying import copy
from windlass.engine.quarantine import read_quarantine
from windlass.plan.model import Copy, Destination, Source


@dataclass(frozen=True)
class Database:
    """SQL on one Postgres database, over asyncpg alone."""

    address: Address

    def run(self, script: str) -> None:
        """Any number of statements."""
        asyncio.run(self._with(lambda connection: connection.execute(script)))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of one SELECT."""
        return [tuple(row) for row in asyncio.run(self._with(lambda connection: connection.fetch(query)))]

    def value(self, query: str) -> Any:
        """The one value of one SELECT."""
        return self.rows(query)[0][0]

    async def _with(self, use: Callable[[Any], Any]) -> Any:
        where = self.address
        connection = await asyncpg.connect(
            host=where.host,
            port=where.port,
            user=where.user,
            password=where.password,
            database=where.database,
        )
        try:
            return await use(connection)
        finally:
            await connection.close()


@pytest.fixture
def make_postgres(make_database: Callable[[], Address]) -> Callable[[str], Database]:
    """Makes databases in which a script has run."""

    def make(script: str = "") -> Database:
        made = Database(make_database())
        if script:
            made.run(script)
        return made

    return make


@pytest.fixture
def postgres(make_postgres: Callable[[], Database]) -> Database:
    """An empty database."""
    return make_postgres()


@dataclass
class Copier:
    """Copies without a project, each as a run of its own unless `run_key` says otherwise."""

    folder: Path
    addresses: dict[str, Address] = field(default_factory=dict)
    quarantined: list[dict[str, Any]] = field(default_factory=list)
    """The rows that the last copy quarantined, as its quarantine file has them."""

    def job(self, source: Source, destination: Destination, run_key: str, **options: Any) -> Job:
        return Job(
            copy=Copy(source=source, destination=destination, **options),
            identity=Identity("test", "copy", run_key, run_key),
            workspace=Workspace(self.folder, self.folder),
            addresses=self.addresses,
        )

    def __call__(
        self,
        source: Source,
        destination: Destination,
        *,
        run_key: str = "",
        force: bool = False,
        interval: Any = None,
        memory: int = 512_000_000,
        **options: Any,
    ) -> Outcome:
        key = run_key or uuid4().hex
        file = self.folder / f"{uuid4().hex}.quarantine.ndjson"
        job = replace(
            self.job(source, destination, key, **options),
            quarantine_file=file,
            interval=interval,
            force=force,
            memory=memory,
        )
        result = copy(job)
        self.quarantined = list(read_quarantine(file)) if file.exists() else []
        counts = result.counts
        assert counts.read == counts.written + counts.quarantined
        assert counts.quarantined == len(self.quarantined) or result.skipped
        return result


@pytest.fixture
def copier(tmp_path: Path) -> Copier:
    """Copies between files of the test's own folder and the databases that it puts into `addresses`."""
    return Copier(
        tmp_path,
        {
            "sqlite": Address("sqlite", database=str(tmp_path / "file.db")),
            "duckdb": Address("duckdb", database=str(tmp_path / "file.duckdb")),
        },
    )
