"""kill -9 at every named place of a load into BigQuery, on an emulator.

Until the script that commits has been sent, the table is as it was; from then on the load is there. What a kill of the server
would do, the emulator cannot tell: it has no transactions that others do not see.
"""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Output
from windlass.connections import Address
from windlass.connectors.bigquery.client import Connection

MODES = ("append", "replace", "merge", "delete_insert")
COMMITTED = {
    "during-recovery": False,
    "before-staging": False,
    "mid-copy": False,
    "before-ledger": False,
    "before-commit": False,
    "after-ledger": True,
    "after-commit": True,
}
"""Every failpoint, and whether the load counts once it is reached."""

_DAY = date(2026, 2, 1)
_EXECUTE = ("exec", "load", "load", "--logical-date", "2026-02-01")
OLD = [(number, f"old {number}", date(2026, 2, 1 + number % 2)) for number in range(1, 11)]
NEW = [(number, f"new {number}", _DAY) for number in range(6, 16)]


class Scene:
    """A project with one copy from a file into a table that has the old rows."""

    def __init__(self, folder: Path, address: Address, mode: str) -> None:
        self.folder, self.mode, self.connection = folder, mode, Connection(address)
        options = {**address.options, "silence": "1"}
        uri = replace(address, options=options).uri()
        self.environment = {"WINDLASS_CONN_B": uri, "WINDLASS_RUN_ID": "scheduled"}
        self._write_project()
        self.connection.run("CREATE TABLE t (id INT64, name STRING, day DATE)")
        values = ", ".join(f"({number}, '{name}', DATE '{day}')" for number, name, day in OLD)
        self.connection.run(f"INSERT INTO t (id, name, day) VALUES {values}")

    def _write_project(self) -> None:
        lines = [f"{number},{name},{day}" for number, name, day in NEW]
        (self.folder / "new.csv").write_text("\n".join(["id,name,day", *lines, "x,bad,2026-02-01", ""]))
        options: dict[str, Any] = {"key": ["id"]} if self.mode == "merge" else {}
        if self.mode == "delete_insert":
            options = {"interval": "day"}
        copy = {
            "from": {"path": "new.csv"},
            "to": {"connection": "b", "table": "t", "mode": self.mode, **options},
            "on_bad_row": "quarantine",
        }
        pipeline = {
            "pipeline": "load",
            "schedule": "@daily",
            "start": "2026-01-01",
            "tasks": {"load": {"copy": copy}},
        }
        (self.folder / "pipelines").mkdir()
        (self.folder / "pipelines" / "load.yaml").write_text(json.dumps(pipeline))
        project = {"project": "faults", "connections": {"b": {"type": "bigquery"}}}
        (self.folder / "windlass.yaml").write_text(json.dumps(project))

    def rows(self) -> Counter[tuple[Any, ...]]:
        return Counter(self.connection.rows("SELECT id, name, day FROM t"))

    @property
    def expected(self) -> Counter[tuple[Any, ...]]:
        if self.mode == "replace":
            return Counter(NEW)
        if self.mode == "append":
            return Counter([*OLD, *NEW])
        if self.mode == "merge":
            return Counter({row[0]: row for row in [*OLD, *NEW]}.values())
        return Counter([*(row for row in OLD if row[2] != _DAY), *NEW])

    def check(self) -> None:
        """The rows are right, the ledger has its entry, and no stage is left."""
        assert self.rows() == self.expected
        entries = self.connection.rows("SELECT rows_read, rows_written FROM _windlass_loads")
        assert set(entries) == {(len(NEW) + 1, len(NEW))}
        found = self.connection.client.list_tables(self.connection.dataset, timeout=60)
        assert sorted(table.table_id for table in found) == ["_windlass_loads", "_windlass_turn_t", "t"]


@pytest.fixture
def scene(tmp_path: Path, bigquery: Address) -> Iterator[Callable[[str], Scene]]:
    made: list[Scene] = []

    def make(mode: str) -> Scene:
        made.append(Scene(tmp_path, bigquery, mode))
        return made[-1]

    yield make
    for each in made:
        with closing(each.connection):
            pass


@pytest.mark.one_of(14)
@pytest.mark.parametrize(("failpoint", "mode"), list(product(COMMITTED, MODES)))
def test_a_load_happens_once_wherever_it_is_killed(
    scene: Callable[[str], Scene], windlass: Callable[..., Output], failpoint: str, mode: str
) -> None:
    stage = scene(mode)
    environment = {**stage.environment, "WINDLASS_FAILPOINT": f"{failpoint}:kill"}
    killed = windlass(*_EXECUTE, cwd=stage.folder, env=environment)
    assert killed.code in (-signal.SIGKILL, 128 + signal.SIGKILL), killed
    assert stage.rows() == (stage.expected if COMMITTED[failpoint] else Counter(OLD))
    for _ in range(2):
        done = windlass(*_EXECUTE, cwd=stage.folder, env=stage.environment)
        assert done.code == 0, done
        stage.check()
