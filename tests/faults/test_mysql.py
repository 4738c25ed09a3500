"""kill -9 at every named place of a load into MySQL: it happens once, and nothing is left beside."""

from __future__ import annotations

import csv
import json
import signal
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Output
from tests.connectors.mysql_database import MysqlDatabase

MODES = ("append", "replace", "merge", "delete_insert", "new")
COMMITTED = {
    "before-staging": False,
    "mid-copy": False,
    "before-ledger": False,
    "before-commit": False,
    "after-ledger": False,
    "after-commit": True,
}
"""Every failpoint, and whether the load counts once it is reached."""

_DAY = date(2026, 2, 1)
_BAD_LINES = 3
_EXECUTE = ("exec", "load", "load", "--logical-date", "2026-02-01")

OLD = [(number, f"old {number}", _DAY + timedelta(number % 2)) for number in range(1, 301)]
NEW = [(number, f"new {number}", _DAY) for number in range(301, 2701)]

Windlass = Callable[..., Output]


class Scene:
    """A project with one copy from a file into a table that has the old rows; or none, if it is `new`."""

    def __init__(self, folder: Path, mysql: MysqlDatabase, mode: str) -> None:
        self.folder, self.mode, self._mysql = folder, mode, mysql
        self.environment = {"WINDLASS_CONN_M": mysql.address.uri(), "WINDLASS_RUN_ID": "scheduled"}
        if mode != "new":
            values = ", ".join(f"({i}, '{name}', '{day}')" for i, name, day in OLD)
            mysql.run(
                "CREATE TABLE t (id int PRIMARY KEY, name text, day date)", f"INSERT INTO t VALUES {values}"
            )
        self._write_project()

    def _write_project(self) -> None:
        with (self.folder / "new.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("id", "name", "day"))
            rows.writerows(NEW)
            rows.writerows((f"{number}x", "bad", "2026-02-01") for number in range(_BAD_LINES))
        options: dict[str, dict[str, Any]] = {"merge": {"key": ["id"]}, "delete_insert": {"interval": "day"}}
        mode = "append" if self.mode == "new" else self.mode
        copy = {
            "from": {"path": "new.csv"},
            "to": {"connection": "m", "table": "t", "mode": mode, **options.get(mode, {})},
            "select": {"id": {"type": "int"}, "name": {"type": "text"}, "day": {"type": "date"}},
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
        project = {"project": "faults", "connections": {"m": {"type": "mysql"}}}
        (self.folder / "windlass.yaml").write_text(json.dumps(project))

    @property
    def before(self) -> Counter[tuple[Any, ...]]:
        return Counter() if self.mode == "new" else Counter(OLD)

    @property
    def after(self) -> Counter[tuple[Any, ...]]:
        if self.mode == "delete_insert":
            return Counter([*(row for row in OLD if row[2] != _DAY), *NEW])
        return Counter(NEW if self.mode in ("replace", "new") else [*OLD, *NEW])

    def rows(self) -> Counter[tuple[Any, ...]]:
        return Counter(self._mysql.rows("SELECT * FROM t")) if "t" in self.tables() else Counter()

    def tables(self) -> list[str]:
        return [str(row[0]) for row in self._mysql.rows("SHOW TABLES")]

    def check(self) -> None:
        """The rows are right, the ledger has its entry, and nothing else is left."""
        assert self.rows() == self.after
        entries = self._mysql.rows("SELECT rows_read, rows_written FROM _windlass_loads")
        assert entries == [(len(NEW) + _BAD_LINES, len(NEW))]
        assert self.tables() == ["_windlass_loads", "_windlass_turns", "t"]


@pytest.mark.one_of(5)
@pytest.mark.parametrize(("failpoint", "mode"), list(product(COMMITTED, MODES)))
def test_a_load_happens_once_wherever_it_is_killed(
    tmp_path: Path, mysql: MysqlDatabase, windlass: Windlass, failpoint: str, mode: str
) -> None:
    stage = Scene(tmp_path, mysql, mode)
    environment = {**stage.environment, "WINDLASS_FAILPOINT": f"{failpoint}:kill"}
    killed = windlass(*_EXECUTE, cwd=stage.folder, env=environment)
    assert killed.code in (-signal.SIGKILL, 128 + signal.SIGKILL), killed
    assert stage.rows() == (stage.after if COMMITTED[failpoint] else stage.before)
    for _ in range(2):
        done = windlass(*_EXECUTE, cwd=stage.folder, env=stage.environment)
        assert done.code == 0, done
        stage.check()
