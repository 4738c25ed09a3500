"""Incremental copies by a cursor, of every source: ties, late rows, rows without a value; nothing lost, nothing twice."""

from __future__ import annotations

import random
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import date, datetime, timedelta
from typing import Any, cast

import pytest

from tests.connectors.kits import KITS
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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each kind of source plays every second scene; a session with the next seed plays the others."""
    if "scene" in metafunc.fixturenames:
        seed = int(metafunc.config.getoption("seed"))
        pairs = [
            (name, scene)
            for i, name in enumerate(READING)
            for j, scene in enumerate(dict.fromkeys(SCENES))
            if (i + j + seed) % 2
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
