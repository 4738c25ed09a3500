"""Two Postgres servers for all fault tests, with a database for every case."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.faults.checker import query
from tests.faults.outcomes import Outcomes
from tests.faults.scene import NEW, Mode, Pair, Scene, Servers, asyncpg_copy
from tests.warm import Warm
from windlass.devservices import DevServices
from windlass.plan.model import Connection


@pytest.fixture(scope="session")
def servers(shared: Path, warm: Warm) -> Iterator[Servers]:
    """A source that has the rows, and a target: the same two for all workers."""
    folder = shared / "servers"
    services = DevServices(folder, folder)
    source, target = (
        services.start(name, Connection(type="postgres")).uri() for name in ("source", "target")
    )
    with (folder / "rows").open("a") as rows:
        fcntl.flock(rows, fcntl.LOCK_EX)
        if not Path(rows.name).read_text():
            for url in (source, target):
                query(url, "ALTER ROLE postgres SET synchronous_commit = on", "SELECT 1")  # a commit is one
            asyncpg_copy(source, "src", NEW)
            rows.write("are there")
    yield Servers(source, target, warm)
    services.close()


@pytest.fixture(scope="session")
def outcomes(request: pytest.FixtureRequest, servers: Servers, shared: Path) -> Iterator[Outcomes]:
    """The cases of all chosen tests, in their order: each is what `play` of the test's module does."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    chosen = [
        (item.module.play, item.callspec.params["case"]) for item in items if "outcomes" in item.fixturenames
    ]
    plays = [(case, partial(play, case, servers=servers)) for play, case in chosen]
    outcomes = Outcomes(plays, shared / "cases")
    yield outcomes
    outcomes.close()


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
        chosen = {"source": servers.source, "target": servers.target, **(other or {})}
        return Scene(tmp_path, pair, mode, Servers(**chosen, warm=servers.warm), options=options)

    return make


def pytest_report_header(config: pytest.Config) -> str:
    return f"random faults: {config.getoption('faults')} of seed {config.getoption('seed')}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    from tests.faults.test_random import landed

    if landed:
        what = ", ".join(f"{count} {moment}" for moment, count in sorted(landed.items()))
        first = terminalreporter.config.getoption("seed")
        terminalreporter.write_line(f"random kills from seed {first} on: {sum(landed.values())} ({what})")
