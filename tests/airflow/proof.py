"""The project that the tests run on Airflow: all examples and the pipelines of `project/`, in one folder."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from tests.airflow.client import Up
from tests.conftest import ROOT
from tests.faults.checker import query
from windlass.connections import parse_address
from windlass.connectors.postgres.session import Session
from windlass.devservices import DevServices
from windlass.plan.model import Connection
from windlass.state_folder import StateFolder

__all__ = ["EXAMPLES", "Databases", "Proof", "gate", "make_project"]

EXAMPLES = ("pg2pg", "drugs", "taxi")
_OWN = Path(__file__).parent / "project"
_MADE = (".windlass", "node_modules", "__pycache__", "downloads", "imported_data", "processed_data")
_GATE = 42


class Databases:
    """The dev services of a project, asked without any of windlass's own SQL."""

    def __init__(self, project: Path) -> None:
        self._services = DevServices(StateFolder.of(project).path, project)
        self._declared = yaml.safe_load((project / "windlass.yaml").read_text())["connections"]

    def url(self, connection: str) -> str:
        dev = self._declared[connection].get("dev", {})
        service = Connection(type="postgres", dev=dev)
        return self._services.start(connection, service).uri()

    def ask(self, connection: str, *statements: str) -> list[tuple[Any, ...]]:
        """The rows of the last statement."""
        return [tuple(row) for row in query(self.url(connection), *statements)]

    def close(self) -> None:
        self._services.close()


@dataclass
class Proof:
    """The Airflow that is up, the databases of its project, and the password that nobody may see."""

    up: Up
    databases: Databases
    canary: str

    def run(self, pipeline: str, conf: dict[str, object] | None = None) -> str:
        """Trigger a pipeline, and see it succeed. Returns the id of the run."""
        run = self.up.trigger(pipeline, conf)
        state = self.up.wait(pipeline, run)
        tasks = {name: task["state"] for name, task in self.up.tasks(pipeline, run).items()}
        assert (state, set(tasks.values())) == ("success", {"success"}), (pipeline, run, tasks)
        return run


def make_project(folder: Path) -> tuple[Databases, str]:
    """Put the project together. Returns its databases and the password of its connection `vault`."""
    connections: dict[str, Any] = {}
    for source in (*(ROOT / "examples" / name for name in EXAMPLES), _OWN):
        shutil.copytree(source, folder, ignore=shutil.ignore_patterns(*_MADE), dirs_exist_ok=True)
        connections |= yaml.safe_load((source / "windlass.yaml").read_text()).get("connections", {})
    connections["pg_x"]["dev"]["init"].append("sql/sources.sql")
    (folder / "windlass.yaml").write_text(yaml.safe_dump({"project": "proof", "connections": connections}))
    canary = f"canary{secrets.token_hex(8)}"
    databases = Databases(folder)
    _write_addresses(folder, databases, canary)
    return databases, canary


def _write_addresses(folder: Path, databases: Databases, canary: str) -> None:
    """What the project finds in its `.env`: a user for `vault`, and `nowhere`."""
    databases.ask("pg_x", f"CREATE ROLE etl LOGIN SUPERUSER PASSWORD '{canary}'", "SELECT 1")
    server = urlsplit(databases.url("pg_x"))
    vault = f"postgresql://etl:{canary}@{server.hostname}:{server.port}{server.path}"
    lines = (f"WINDLASS_CONN_VAULT={vault}", "WINDLASS_CONN_NOWHERE=postgresql://etl@127.0.0.1:1/stock")
    (folder / ".env").write_text("\n".join(lines) + "\n")


@contextmanager
def gate(url: str) -> Iterator[Callable[[], bool]]:
    """Holds every reader of the view `gated` in the middle. Yields a question: does one wait there?"""
    waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' AND NOT granted"
    session = Session(parse_address(url, "the test"))
    try:
        session.execute(f"SELECT pg_advisory_lock({_GATE})")
        yield lambda: bool(query(url, waiting))
    finally:
        session.close()
