"""A crowd: several loads of one destination at once, each of which something happens to."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import duckdb

from tests.conftest import plain_environment
from tests.faults.checker import query
from tests.faults.proxy import Proxy
from tests.faults.scene import kill
from tests.warm import Warm

ENDS = ("pg", "pg", "pg", "sqlite", "duckdb", "out.csv", "out.parquet", "folder/")
KINDS = ("append", "merge", "replace", "incremental")
_PLACES = (
    "during-recovery",
    "before-staging",
    "mid-copy",
    "before-ledger",
    "after-ledger",
    "before-commit",
    "mid-rename",
    "after-commit",
)
_ROWS = 60
_TIMEOUT, _LONGEST = 120.0, 1.5
_TRIES = 6


@dataclass
class Load:
    """A load that has to come to its end, whatever happens to its starts."""

    task: str
    kind: str
    key: str
    ids: range
    codes: list[int] = field(default_factory=list)
    """How its starts ended."""

    @property
    def name(self) -> tuple[str, str]:
        return self.task, self.key


class Crowd:
    """The project of one case: a task for each load; incremental ones have one task, and a source that grows."""

    def __init__(self, folder: Path, dice: random.Random, database: str, warm: Warm, number: int) -> None:
        self.folder, self.dice, self.database, self.warm = folder / "project", dice, database, warm
        self.end, self.table = dice.choice(ENDS), f"crowd_{number}"
        self.happened: Counter[str] = Counter()
        kinds = [kind for kind in KINDS if (self.end, kind) != ("folder/", "merge")]
        kinds = dice.choice([kinds, kinds, ["append"], [dice.choice(kinds)]])
        self.loads = [self._load(place, dice.choice(kinds)) for place in range(dice.randint(2, 6))]
        self._write()

    def _load(self, place: int, kind: str) -> Load:
        begin = 1000 * (place + 1)
        task = "growing" if kind == "incremental" else f"load{place}"
        return Load(task, kind, f"key{place}", range(begin, begin + _ROWS))

    def _write(self) -> None:
        (self.folder / "pipelines").mkdir(parents=True)
        tasks = {}
        for load in self.loads:
            to: dict[str, Any] = {"mode": "append" if load.kind == "incremental" else load.kind}
            to |= {"key": ["id"]} if load.kind == "merge" else {}
            named = {"pg": "y", "sqlite": "z", "duckdb": "d"}.get(self.end)
            to |= {"connection": named, "table": self.table} if named else {"path": self.end}
            copy: dict[str, Any] = {"from": {"path": f"{load.task}.csv"}, "to": to}
            copy["select"] = {"id": {"type": "bigint"}, "name": {}}
            if load.kind == "incremental":
                copy["incremental"] = {"cursor": "id"}
            tasks[load.task] = {"copy": copy}
            self._add_rows(load)
        connections = {"y": {"type": "postgres"}, "z": {"type": "sqlite"}, "d": {"type": "duckdb"}}
        (self.folder / "windlass.yaml").write_text(json.dumps({"project": "p", "connections": connections}))
        (self.folder / "pipelines" / "p.yaml").write_text(json.dumps({"pipeline": "p", "tasks": tasks}))

    def _add_rows(self, load: Load) -> None:
        file = self.folder / f"{load.task}.csv"
        before = file.read_text() if file.exists() else "id,name\n"
        beside = file.with_suffix(".new")
        beside.write_text(before + "".join(f"{i},name of {i}\n" for i in load.ids))
        beside.replace(file)

    # --- what happens ---

    def play(self) -> None:
        """Start all of them, some twice, and let something happen to each."""
        starts = [load for load in self.loads for _ in range(2 if self.dice.random() < 0.2 else 1)]
        self.dice.shuffle(starts)
        plans = [(load, random.Random(self.dice.random())) for load in starts]
        with ThreadPoolExecutor(len(plans)) as at_once:
            ended = [at_once.submit(self._start, *plan) for plan in plans]
        for one in ended:
            one.result()

    def finish(self) -> None:
        """Start each until it says that it is done; nothing happens to them any more. Then one of them once more: it
        removes what starts of loads that were done already have left, and changes nothing."""
        for load in self.dice.sample(self.loads, len(self.loads)):
            for _ in range(_TRIES):
                if 0 in load.codes:
                    break
                load.codes.append(self._run(load, self._address, "")[0])
            assert 0 in load.codes, f"{load} is never done"
        assert self._run(self.dice.choice(self.loads), self._address, "")[0] == 0

    def _start(self, load: Load, dice: random.Random) -> None:
        what = dice.choice(("nothing", "kill", "kill", "stop", "fail", "cut", "cut", "pause", "end-sessions"))
        if what in ("cut", "end-sessions") and self.end != "pg":
            what = "kill"
        time.sleep(dice.random() * 0.3)
        self.happened[what] += 1
        failpoint = ""
        if what == "fail":
            failpoint = f"{dice.choice(_PLACES)}:kill"
        elif dice.random() < 0.7:
            failpoint = f"{dice.choice(_PLACES)}:sleep={dice.random() * 0.4:.3f}"
        with ExitStack() as opened:
            address = self._address
            if what == "cut":
                address = opened.enter_context(_cut(self.database, dice)).url
            code, out = self._run(load, address, failpoint, what, dice)
        load.codes.append(code)
        is_told = code <= 0 or code == 3 or (code == 1 and "W0401" in out)
        assert is_told, f"{load} {what} {failpoint}: exit code {code}\n{out}"

    def _run(
        self, load: Load, address: str, failpoint: str, what: str = "", dice: random.Random | None = None
    ) -> tuple[int, str]:
        environment = {
            **plain_environment(),
            "WINDLASS_RUN_ID": load.key,
            "WINDLASS_RUN_KEY": load.key,
            "WINDLASS_CONN_Y": f"{address}?silence=1",
            "WINDLASS_CONN_Z": f"sqlite:///{self.folder / 'file.sqlite'}",
            "WINDLASS_CONN_D": f"duckdb:///{self.folder / 'file.duckdb'}",
            "TMPDIR": str(self.folder.parent),
            **({"WINDLASS_FAILPOINT": failpoint} if failpoint else {}),
        }
        command = ("windlass", "-C", str(self.folder), "exec", "p", load.task)
        started = self.warm.start(*command, cwd=self.folder, env=environment)
        if dice is not None:
            self._disturb(started.pid, what, dice)
        done = started.wait(_TIMEOUT)
        return done.returncode, done.stdout + done.stderr

    def _disturb(self, pid: int, what: str, dice: random.Random) -> None:
        time.sleep(dice.random() * _LONGEST)
        if what == "kill":
            kill(pid)
        elif what == "end-sessions":
            sql = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {_OURS}"
            with suppress(asyncpg.PostgresError, OSError):
                query(self.database, sql)
        elif what in ("stop", "pause"):
            kill(pid, signal.SIGSTOP)
            time.sleep(dice.random() * (_LONGEST if what == "pause" else 2 * _LONGEST))
            kill(pid, signal.SIGCONT if what == "pause" or dice.random() < 0.5 else signal.SIGKILL)

    @property
    def _address(self) -> str:
        return self.database

    # --- what is there afterwards ---

    def check(self) -> None:
        found, entries = Counter(self._ids()), list(self._entries())
        assert sorted(name for name, _ in entries) == sorted(load.name for load in self.loads), entries
        by_name = {load.name: load for load in self.loads}
        expected: Counter[int] = Counter()
        incremental = {i for load in self.loads if load.kind == "incremental" for i in load.ids}
        is_first = True
        for name, _ in sorted(entries, key=lambda entry: entry[1]):
            load = by_name[name]
            if load.kind == "replace":
                expected = Counter(load.ids)
            elif load.kind == "incremental":  # the first has all rows, those after it find none that are new
                expected += Counter(incremental) if is_first else Counter()
                is_first = False
            elif load.kind == "merge":
                expected |= Counter(load.ids)
            else:
                expected += Counter(load.ids)
        assert found == expected, (
            f"missing {list(expected - found)[:5]}, too many {list(found - expected)[:5]}"
        )
        assert not (left := list(self._left())), left

    def _ids(self) -> list[int]:
        if self.end == "pg":
            return [row[0] for row in query(self.database, f"SELECT id FROM {self.table}")]
        if self.end == "sqlite":
            with closing(sqlite3.connect(self.folder / "file.sqlite")) as file:
                return [row[0] for row in file.execute(f"SELECT id FROM {self.table}")]
        with closing(duckdb.connect()) as reader:
            if self.end == "duckdb":
                reader.execute(f"ATTACH '{self.folder / 'file.duckdb'}' AS d (READ_ONLY)")
                sql = f"SELECT id FROM d.{self.table}"
            else:
                pattern = "*.parquet" if self.end.endswith("/") else ""
                sql = f"SELECT id FROM '{self.folder / self.end}{'/' if pattern else ''}{pattern}'"
            return [row[0] for row in reader.execute(sql).fetchall()]

    def _entries(self) -> Iterator[tuple[tuple[str, str], str]]:
        """The task and run key of each entry of the ledger, and when it was committed."""
        sql = "SELECT task, run_key, CAST(committed_at AS {}) FROM {}_windlass_loads WHERE destination = '{}'"
        if self.end == "pg":
            rows = [tuple(r) for r in query(self.database, sql.format("text", "", f"public.{self.table}"))]
        elif self.end == "sqlite":
            with closing(sqlite3.connect(self.folder / "file.sqlite")) as file:
                rows = file.execute(sql.format("TEXT", "", self.table)).fetchall()
        elif self.end == "duckdb":
            with closing(duckdb.connect()) as reader:
                reader.execute(f"ATTACH '{self.folder / 'file.duckdb'}' AS d (READ_ONLY)")
                rows = reader.execute(sql.format("VARCHAR", "d.", self.table)).fetchall()
        else:
            name = f".{self.end}.windlass.json"
            if self.end.endswith("/"):
                name = f"{self.end}.windlass-manifest.json"
            loads = json.loads((self.folder / name).read_text())["loads"]
            rows = [(load["task"], load["run_key"], load["committed_at"]) for load in loads]
        for task, key, moment in rows:
            yield (task, key), moment

    def _left(self) -> Iterator[str]:
        """What should not be there any more."""
        for path in self.folder.rglob("*"):
            if "windlass-tmp" in path.name or path.name.endswith(("-journal", "-wal", ".wal", ".tmp")):
                yield str(path)
        if self.end == "pg":
            turns = f"SELECT task, run_key FROM _windlass_turns WHERE destination = 'public.{self.table}'"
            yield from map(str, query(self.database, turns))


_OURS = "datname = current_database() AND application_name LIKE 'windlass%'"


def _cut(server: str, dice: random.Random) -> Proxy:
    """A proxy that at some moment resets the connection or falls silent; some never say that an end has closed."""
    limit = dice.choice((dice.randint(200, 6000), dice.randint(200, 20_000)))
    passed = [0]

    def watch(piece: bytes, _to_server: bool) -> bool:
        passed[0] += len(piece)
        return passed[0] > limit

    cut: Any = dice.choice(("reset", "silence"))
    return Proxy(server, cut, watch, hand_on=dice.random() < 0.3, keeps_open=dice.random() < 0.3)


def database_on(server: str, make: Callable[[str], str]) -> str:
    """A database for the crowds of this process."""
    key = (urlsplit(server).port, os.getpid())
    if key not in _databases:
        _databases[key] = make(server)
    return _databases[key]


_databases: dict[tuple[int | None, int], str] = {}
