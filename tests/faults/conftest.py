"""Two Postgres servers for all fault tests, with a database for every case."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.checker import query
from tests.faults.scene import NEW, Mode, Pair, Scene, Servers, asyncpg_copy
from windlass.devservices import DevServices
from windlass.plan.model import Connection


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """A source that has the rows, and a target."""
    folder = tmp_path_factory.mktemp("servers")
    services = DevServices(folder, folder)
    urls = []
    for name in ("source", "target"):
        url = services.start(name, Connection(type="postgres")).uri()
        query(url, "ALTER ROLE postgres SET synchronous_commit = on", "SELECT 1")  # a commit is one
        urls.append(url)
    asyncpg_copy(urls[0], "src", NEW)
    yield Servers(*urls)
    services.close()


@pytest.fixture
def scene(servers: Servers, tmp_path: Path) -> Callable[..., Scene]:
    """Makes the project of a case; `servers` may stand for others."""

    def make(source: str, target: str, mode: Mode, **changes: str) -> Scene:
        pair = Pair(source, target)  # type: ignore[arg-type]
        return Scene(tmp_path, pair, mode, replace(servers, **changes))

    return make
