"""Incremental copies by a cursor, of every source: ties, late rows, rows without a value; nothing lost, nothing twice."""

from __future__ import annotations

import random
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from tests.connectors.kits import KITS
from windlass.connections import Address
from windlass.connectors import cursors
from windlass.errors import Code, FatalError
from windlass.plan.model import Incremental, Mode
from windlass.testing import NAMES, Copier, Kit, Row, SqliteKit, destination_of, source_of
from windlass.testing.reading import ROWS

MakeKit = Callable[[str], Kit]
READING = [name for name, kit in KITS.items() if kit.reads() and name != "postgres"]
DAY, MOMENT = date(2024, 2, 27), datetime(2024, 2, 27, 23, 59, 59, 999990)
TABLE = '(id bigint, name text, amount numeric(12,2), ok boolean, day date, "at" timestamp)'
CURSORS: dict[str, tuple[Callable[[int], object], Any]] = {
    "id": (lambda n: n, 3),
    "amount": (lambda n: f"{n / 4:.2f}", 0.75),
    "day": (lambda n: str(DAY + timedelta(days=n)), "3d"),
    "at": (lambda n: str(MOMENT + timedelta(microseconds=n * 250_000)), "750ms"),
    "name": (lambda n: f"{n:06}", None),
}
"""What the n-th value of a cursor is, and a lookback of three such values."""


class Scene:
    """A source that grows, and an oracle that knows how many rows were put into it; each has a token of its own."""

    def __init__(self, kit: Kit, cursor: str, lookback: Any, mode: Mode, seed: int) -> None:
        self.kit, self.cursor, self.source = kit, cursor, kit.source([])
        self.into = SqliteKit(kit.copier)
        self.destination = self.into.destination(mode)
        self.incremental = kit.incremental(cursor)  # a source may not do without any
        if lookback is not None:
            self.incremental = Incremental(cursor=cursor, lookback=lookback)
        self._value, self._token = CURSORS[cursor][0], "name" if cursor == "id" else "id"
        self._late = 3 if lookback is not None else 0
        self._random, self._highest, self._put = random.Random(seed), 100, 0
        with closing(sqlite3.connect(kit.copier.addresses["target_of_sqlite"].database)) as file:
            file.execute(f"CREATE TABLE target {TABLE}")

    def play(self) -> None:
        for _ in range(5):
            self.add(self._random.randrange(4))
            self.load()

    def add(self, count: int) -> None:
        """Rows at the highest value, a little past it, or late."""
        for _ in range(count):
            at = self._highest + self._random.choice([0, 0, 1, 2, *range(-self._late, 0)])
            self._highest = max(self._highest, at)
            self._put += 1
            tokens = {"id": self._put, "name": f"row {self._put}"}
            row = {**dict(zip(NAMES, ROWS[0], strict=True)), **tokens, self.cursor: self._value(at)}
            self.kit.add(self.source, cast("Row", tuple(row.values())))

    def load(self) -> None:
        if self._put:
            self.kit.copier(self.source, self.destination, incremental=self.incremental)
        tokens = self.into.query(f"SELECT {self._token} FROM target")
        assert len(tokens) == len(set(tokens)) == self._put


SCENES: list[tuple[str, bool, Mode]] = [
    *(
        (cursor, late, "append")
        for cursor, (_, distance) in CURSORS.items()
        for late in (False, distance is not None)
    ),
    *((cursor, late, "merge") for cursor in ("day", "at") for late in (False, True)),
]


NOT_PLAYED = {
    **dict.fromkeys(("mysql", "mssql", "oracle"), ("name",)),
    "adbcpostgres": ("name", "amount"),  # its driver gives numbers of any size as text
    "adbcsqlite": ("name", "amount"),  # its driver takes a type from values: 25 is an integer, 25.25 is not
}
"""Cursors of text, which have no lookback, of sources that need one; and those whose type is another at each load."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each kind of source plays every second scene; a session with the next seed plays the others."""
    if "scene" in metafunc.fixturenames:
        seed = int(metafunc.config.getoption("seed"))
        pairs = [
            (name, scene)
            for i, name in enumerate(READING)
            for j, scene in enumerate(dict.fromkeys(SCENES))
            if (i + j + seed) % 2 and scene[0] not in NOT_PLAYED.get(name, ())
        ]
        ids = [
            f"{name}-{cursor}-{'late' if late else 'in order'}-{mode}" for name, (cursor, late, mode) in pairs
        ]
        metafunc.parametrize(("name", "scene"), pairs, ids=ids)


def test_random_schedules_lose_nothing_and_read_nothing_twice(
    make_kit: MakeKit, name: str, scene: tuple[str, bool, Mode], pytestconfig: pytest.Config
) -> None:
    cursor, late, mode = scene
    lookback = CURSORS[cursor][1] if late else None
    Scene(make_kit(name), cursor, lookback, mode, int(pytestconfig.getoption("seed"))).play()


@pytest.fixture
def csv_into_sqlite(copier: Copier) -> Callable[..., int]:
    """Appends (or merges) what a CSV file says now. Returns how many rows were read."""

    def load(content: str, mode: Mode = "append", task: str = "t", **incremental: Any) -> int:
        (copier.folder / "in.csv").write_text(content, encoding="utf-8")
        destination = destination_of(
            connection="sqlite", table=task, mode=mode, key=["id"] if mode == "merge" else []
        )
        wanted = Incremental(**{"cursor": "at", **incremental})
        return int(copier(source_of(path="in.csv"), destination, incremental=wanted).counts.read)

    return load


@pytest.fixture
def sqlite_into_sqlite(copier: Copier, tmp_path: Path) -> Callable[..., int]:
    """Appends the rows that a table has now, given as CSV. Returns how many were read."""
    copier.addresses["from"] = Address("sqlite", database=str(tmp_path / "from.db"))
    source = source_of(connection="from", table="t")

    def load(content: str, task: str = "t", **incremental: Any) -> int:
        rows = [line.split(",") for line in content.split()[1:]]
        with closing(sqlite3.connect(tmp_path / "from.db")) as file:
            file.execute("CREATE TABLE IF NOT EXISTS t (id integer, at)")
            file.execute("DELETE FROM t")
            file.executemany(
                "INSERT INTO t VALUES (?, CASE WHEN ?2 LIKE '%-%' THEN ?2 ELSE CAST(?2 AS integer) END)", rows
            )
            file.commit()
        destination = destination_of(connection="sqlite", table=f"{task}_of_sqlite", mode="append")
        wanted = Incremental(cursor="at", **incremental)
        return int(copier(source, destination, incremental=wanted).counts.read)

    return load


@pytest.mark.parametrize(
    ("content", "incremental", "says"),
    [
        ("id,at\n1,5\n2,\n3,\n", {}, "the cursor 'at' has no value in 2 rows"),
        ("id,at\n1,inf\n", {}, "is infinity somewhere, and nothing is past that"),
        ("id,at\n1,1.5\n2,nan\n", {}, "is nan somewhere"),
        ("id,at\n1,x9\n2,x10\n", {}, "text of 2 to 3 characters"),
        ("id,at\n1,5\n", {"lookback": "1h"}, "`lookback: 1h` does not fit the cursor 'at'"),
        ("id,at\n1,2024-01-01\n", {"lookback": 5}, "`lookback: 5` does not fit the cursor 'at'"),
        ("id,at\n1,abc\n", {"lookback": 5}, "`lookback: 5` does not fit the cursor 'at'"),
        ("id,at\n1,5\n", {"cursor": None}, "cannot tell which of its rows are new without a cursor"),
    ],
)
def test_what_a_cursor_cannot_tell_is_refused(
    csv_into_sqlite: Callable[..., int], content: str, incremental: dict[str, Any], says: str
) -> None:
    with pytest.raises(FatalError, match=re.escape(says)) as caught:
        csv_into_sqlite(content, **incremental)
    assert (caught.value.code, bool(caught.value.hint)) == (Code.CURSOR, True)


@pytest.mark.parametrize(
    ("then", "incremental", "says"),
    [
        ("id,at\n1,5\n1,5\n", {}, "1 row came at at = 5 the same in every column"),
        ("id,at,more\n1,5,x\n", {}, "its columns have changed since the last load"),
        ("id,at\n1,2024-01-01\n", {}, "had values of another kind (number) at the last load"),
        ("id,at\n1,5\n", {"cursor": "id"}, "went by the cursor 'at', and this one goes by 'id'"),
    ],
)
def test_what_cannot_be_told_from_the_last_load_is_refused(
    csv_into_sqlite: Callable[..., int], then: str, incremental: dict[str, Any], says: str
) -> None:
    assert csv_into_sqlite("id,at\n1,5\n") == 1
    with pytest.raises(FatalError, match=re.escape(says)):
        csv_into_sqlite(then, **incremental)


def test_too_many_ties_to_remember_are_refused_in_an_append(
    csv_into_sqlite: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cursors, "MOST_REMEMBERED", 2)
    ties = "id,at\n1,5\n2,5\n3,5\n"
    with pytest.raises(FatalError, match="has more than 2 rows at the highest value of 'at'"):
        csv_into_sqlite(ties)
    assert csv_into_sqlite(ties, "merge") == 3


def test_rows_without_a_value_are_left_out_or_read_each_time(csv_into_sqlite: Callable[..., int]) -> None:
    content = "id,at\n1,5\n2,\n"
    for read in (1, 0):
        assert csv_into_sqlite(content, nulls="skip") == read
    for _ in range(2):
        assert csv_into_sqlite(content, "merge", "other", nulls="read") == 2  # one of them a tie


def test_ids_that_are_text_of_one_length_are_a_cursor(csv_into_sqlite: Callable[..., int]) -> None:
    first = "id,at\n1,01HV0000\n"
    assert [csv_into_sqlite(first), csv_into_sqlite(f"{first}2,01HV0001\n3,01HV0000\n")] == [1, 2]


@pytest.mark.parametrize(
    ("contents", "incremental", "read"),
    [
        (["1,5", "", "1,5"], {}, [1, 0, 0]),
        (["1,5 2,5", "2,5", "3,5", "1,5 2,5 3,5", "1,5 2,5 3,5 4,6"], {}, [2, 0, 1, 0, 1]),
        (
            ["1,5 2,9", "2,9 3,10", "1,5 2,9 3,10", "2,9 4,8", "1,5 3,10 4,8"],
            {"lookback": 9},
            [2, 1, 0, 1, 0],
        ),
        (["1,1 2,9", "2,9", "3,20", "1,1 2,9 3,20 4,12"], {"lookback": 9}, [2, 0, 1, 1]),
    ],
    ids=["all", "ties", "late", "too late"],
)
@pytest.mark.parametrize("kind", ["csv", "sqlite"])
def test_a_row_that_goes_away_and_comes_back_was_loaded(
    csv_into_sqlite: Callable[..., int],
    sqlite_into_sqlite: Callable[..., int],
    kind: str,
    contents: list[str],
    incremental: dict[str, Any],
    read: list[int],
) -> None:
    """A partition that is detached and attached again, a file that is taken out of its folder for a while."""
    load = {"csv": csv_into_sqlite, "sqlite": sqlite_into_sqlite}[kind]
    rows = [content.replace(" ", "\n") for content in contents]
    assert [load(f"id,at\n{content}\n", **incremental) for content in rows] == read


def test_a_longer_lookback_does_not_bring_back_what_was_loaded(csv_into_sqlite: Callable[..., int]) -> None:
    content = "id,at\n1,1\n2,90\n3,100\n"
    assert csv_into_sqlite(content) == 3
    assert csv_into_sqlite(f"{content}4,95\n", lookback=50) == 0
    assert csv_into_sqlite(f"{content}4,95\n5,100\n6,101\n", lookback=50) == 2
    assert csv_into_sqlite(f"{content}4,95\n5,100\n6,101\n7,100\n8,99\n", lookback=1000) == 1
    assert csv_into_sqlite("id,at\n9,160\n10,155\n", lookback=1) == 2
    assert csv_into_sqlite(f"{content}11,160\n12,155\n", lookback=50) == 1


def test_an_append_after_a_merge_refuses_what_nobody_counted(csv_into_sqlite: Callable[..., int]) -> None:
    assert csv_into_sqlite("id,at\n1,5\n", "merge") == 1
    with pytest.raises(
        FatalError, match="the last load was a merge, which keeps no account of the rows at at = 5"
    ):
        csv_into_sqlite("id,at\n1,5\n2,6\n")


def test_rows_that_went_away_are_remembered_up_to_a_bound(
    csv_into_sqlite: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cursors, "MOST_REMEMBERED", 2)
    assert csv_into_sqlite("id,at\n1,5\n2,6\n", lookback=9) == 2
    with pytest.raises(FatalError, match="has more than 2 rows within `lookback`"):
        csv_into_sqlite("id,at\n3,7\n4,7\n", lookback=9)


def test_a_source_without_rows_changes_nothing(
    csv_into_sqlite: Callable[..., int], sqlite_into_sqlite: Callable[..., int]
) -> None:
    """A day without data: a file with a header alone, an empty table."""
    for load in (csv_into_sqlite, sqlite_into_sqlite):
        contents = ["", "1,2024-01-02", "", "1,2024-01-02\n2,2024-01-03"]
        read = [load(f"id,at\n{content}\n", task="moments", lookback="1d") for content in contents]
        assert read == [0, 1, 0, 1]
