"""Two Postgres servers for all fault tests, with a database for every case."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.faults.checker import query
from tests.faults.scene import NEW, Mode, Pair, Scene, Servers, asyncpg_copy
from windlass.devservices import DevServices
from windlass.plan.model import Connection

Outcomes: TypeAlias = Mapping[Hashable, "Future[None]"]

_AT_ONCE = 3


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


@pytest.fixture(scope="session")
def outcomes(
    request: pytest.FixtureRequest, servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Outcomes]:
    """The cases of all chosen tests, a few at a time: each is what `play` of the test's module does."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    chosen = [
        (item.module.play, item.callspec.params["case"]) for item in items if "outcomes" in item.fixturenames
    ]
    root = tmp_path_factory.mktemp("cases")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield {
            case: pool.submit(play, case, root / str(number), servers)
            for number, (play, case) in enumerate(chosen)
        }
        pool.shutdown(cancel_futures=True)


@pytest.fixture
def scene(servers: Servers, tmp_path: Path) -> Callable[..., Scene]:
    """Makes the project of a case; `other` servers may be source or target, and the task have other options."""

    def make(
        source: str,
        target: str,
        mode: Mode,
        *,
        other: dict[str, str] | None = None,
        options: dict[str, object] | None = None,
    ) -> Scene:
        pair = Pair(source, target)  # type: ignore[arg-type]
        return Scene(tmp_path, pair, mode, replace(servers, **other or {}), options=options)

    return make


def pytest_report_header(config: pytest.Config) -> str:
    return f"random faults: {config.getoption('faults')} of seed {config.getoption('seed')}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    from tests.faults.test_random import landed

    if landed:
        what = ", ".join(f"{count} {moment}" for moment, count in sorted(landed.items()))
        first = terminalreporter.config.getoption("seed")
        terminalreporter.write_line(f"random kills from seed {first} on: {sum(landed.values())} ({what})")
