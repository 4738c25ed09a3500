"""What the tests of the examples share: a look into a dev service after the run, and runs of drugs."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.conftest import Output
from windlass.connections import Address
from windlass.devservices import DevServices
from windlass.plan.compiler import compile_project
from windlass.spec import load_project
from windlass.state_folder import StateFolder

Windlass = Callable[..., Output]
Example = Callable[[str], Path]


@pytest.fixture
def query() -> Callable[[Path, str, str], list[tuple[Any, ...]]]:
    """Ask the dev service that a run has left behind, without any of windlass's own SQL."""

    def ask(project: Path, connection: str, sql: str) -> list[tuple[Any, ...]]:
        plan = next(p for p in compile_project(load_project(project)).values() if connection in p.connections)
        services = DevServices(StateFolder.of(project).path, project)
        try:
            return asyncio.run(rows_of(services.start(connection, plan.connections[connection]), sql))
        finally:
            services.close()

    return ask


async def rows_of(address: Address, sql: str) -> list[tuple[Any, ...]]:
    """Ask a Postgres, without any of windlass's own SQL."""
    connection = await asyncpg.connect(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password,
        database=address.database,
    )
    try:
        return [tuple(row) for row in await connection.fetch(sql)]
    finally:
        await connection.close()


@dataclass(frozen=True)
class Linked:
    """What the drugs example made of some files."""

    root: Path
    nodes: dict[str, dict[str, Any]]
    links: list[dict[str, Any]]
    decisions: list[dict[str, Any]]

    def mentions(self) -> set[tuple[str, str, str | None]]:
        return {(link["source"], link["target"], link["date"]) for link in self.links}

    def decided(self, row: str) -> list[tuple[str, str | None, str | None]]:
        return [(d["what"], d.get("field"), d.get("after")) for d in self.decisions if d["row"] == row]


@pytest.fixture
def linked(windlass: Windlass, example: Example) -> Callable[..., Linked]:
    """Run the drugs example, over files of a test's own: the list of sources is made of their names.

    Those of a folder `instead` take the place of the files that have their names.
    """

    def run(files: dict[str, str | bytes] | None = None, *, instead: Path | None = None) -> Linked:
        root = example("drugs")
        if files is not None:
            put_sources(root, files)
        if instead is not None:
            shutil.copytree(instead, root / "data", dirs_exist_ok=True)
        done = windlass("-C", root, "run", "orchestrator")
        assert done.code == 0, done.stdout + done.stderr
        data = json.loads((root / "processed_data" / "graph.json").read_text(encoding="utf-8"))
        lines = (root / "processed_data" / "decisions.ndjson").read_text(encoding="utf-8").splitlines()
        nodes = {node["id"]: node for node in data["nodes"]}
        assert len(nodes) == len(data["nodes"]), "two nodes have the same id"
        return Linked(root, nodes, data["links"], [json.loads(line) for line in lines])

    return run


def put_sources(root: Path, files: dict[str, str | bytes]) -> None:
    """Have the project import these files, and no others."""
    sources = []
    for name, content in files.items():
        data = content if isinstance(content, bytes) else content.encode()
        (root / "data" / name).write_bytes(data)
        table, _, kind = name.partition(".")
        sources.append(
            {"source_type": kind, "source_id": table, "source": f"data/{name}", "dest_table": table}
        )
    (root / "config" / "sources.json").write_text(json.dumps({"sources": sources}))
