"""What the tests of connectors share: databases, and a copy without a project."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.connectors.apis import make_api, read
from tests.connectors.database import Database
from tests.connectors.kits import KITS
from windlass.connections import Address
from windlass.testing import Copier, Kit

__all__ = ["make_api", "read"]


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


@pytest.fixture
def make_kit(copier: Copier, request: pytest.FixtureRequest) -> Iterator[Callable[[str], Kit]]:
    """Makes a kit of that name."""
    with ExitStack() as opened:

        def make(name: str) -> Kit:
            kit = KITS[name]
            given = [request.getfixturevalue(fixture) for fixture in getattr(kit, "fixtures", ())]
            made = kit(copier, *given)
            opened.callback(made.close)
            return made

        yield make
