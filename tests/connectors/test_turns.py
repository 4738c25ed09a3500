"""Loads of one destination at the same time: those that cannot go side by side follow each other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.connectors.database import Database
from windlass import failpoints, logs
from windlass.connectors.postgres.session import Session
from windlass.errors import Code, ExitCode, FencedError, RetryableError
from windlass.plan.model import Destination, Incremental
from windlass.testing import Copier, destination_of, source_of

ENDS = ("postgres", "sqlite", "duckdb", "file.parquet", "file.csv", "folder/")
PATIENT = 60.0


@pytest.fixture
def to(request: pytest.FixtureRequest, copier: Copier) -> Callable[..., Destination]:
    """Makes `to: {…}` for an end of that name."""

    def make(end: str, mode: str, **options: Any) -> Destination:
        if mode == "merge":
            options["key"] = ["id"]
        if end in ("postgres", "sqlite", "duckdb"):
            if end == "postgres":
                copier.addresses["postgres"] = request.getfixturevalue("postgres").address
            return destination_of(end, table="t", mode=mode, **options)
        return destination_of(path=end, mode=mode, **options)

    return make


def rows_of(copier: Copier, end: str, request: pytest.FixtureRequest) -> list[int]:
    """The ids that are there, read without the engine's destination."""
    import duckdb

    if end == "postgres":
        database: Database = request.getfixturevalue("postgres")
        return [row[0] for row in database.rows("SELECT id FROM t ORDER BY id")]
    with closing(duckdb.connect()) as reader:
        path = copier.folder / {"sqlite": "file.db", "duckdb": "file.duckdb"}.get(end, end)
        if end == "sqlite":
            import sqlite3

            with closing(sqlite3.connect(path)) as file:
                return [row[0] for row in file.execute("SELECT id FROM t ORDER BY id")]
        if end == "duckdb":
            reader.execute(f"ATTACH '{path}' AS d (READ_ONLY)")
            sql = "SELECT id FROM d.t ORDER BY id"
        else:
            name = f"{path}/*.parquet" if end.endswith("/") else str(path)
            sql = f"SELECT id FROM '{name}' ORDER BY id"
        return [row[0] for row in reader.execute(sql).fetchall()]


def write_rows(copier: Copier, number: int, count: int = 40) -> Any:
    """A source with ids that no other number has."""
    name = f"in{number}.csv"
    ids = range(number * 1000, number * 1000 + count)
    (copier.folder / name).write_text("id\n" + "".join(f"{i}\n" for i in ids))
    return source_of(path=name)


@pytest.mark.one_of(3)
@pytest.mark.parametrize("mode", ["append", "replace", "merge"])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("seeded", [True, False])
def test_different_loads_at_once_all_come_to_their_end(
    copier: Copier,
    to: Callable[..., Destination],
    end: str,
    mode: str,
    seeded: bool,
    request: pytest.FixtureRequest,
) -> None:
    if (end, mode) == ("folder/", "merge"):
        pytest.skip("a folder cannot be merged into")
    destination = to(end, mode)
    if seeded:
        copier(write_rows(copier, 9), destination)
    sources = [write_rows(copier, number) for number in range(4)]
    with ThreadPoolExecutor(4) as at_once:
        results = list(at_once.map(lambda source: copier(source, destination), sources))
    assert [result.counts.written for result in results] == [40] * 4
    found = rows_of(copier, end, request)
    if mode == "replace":
        assert found in [list(range(n * 1000, n * 1000 + 40)) for n in range(4)]
    else:
        numbers = [0, 1, 2, 3, 9] if seeded else [0, 1, 2, 3]
        assert found == [i for n in numbers for i in range(n * 1000, n * 1000 + 40)]
    assert not [path for path in copier.folder.iterdir() if "windlass-tmp" in path.name]


class Held:
    """A load that waits in the middle until it is let go, in a thread of its own."""

    def __init__(self, copy: Callable[[Callable[[int, int], None]], object]) -> None:
        self.errors: list[BaseException] = []
        self._reached, self._go_on = threading.Event(), threading.Event()

        def meter(_rows: int, _bytes: int) -> None:
            self._reached.set()
            assert self._go_on.wait(PATIENT)

        def work() -> None:
            try:
                copy(meter)
            except Exception as exc:  # noqa: BLE001 - it is looked at where it is waited for
                self.errors.append(exc)

        self._thread = threading.Thread(target=work)
        self._thread.start()
        assert self._reached.wait(PATIENT)

    def let_go(self) -> list[BaseException]:
        self._go_on.set()
        self._thread.join()
        return self.errors


@pytest.mark.parametrize("end", ENDS)
def test_who_waits_says_for_whom_and_may_try_again_when_that_takes_too_long(
    copier: Copier, to: Callable[..., Destination], end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination, first, second = to(end, "replace"), write_rows(copier, 1), write_rows(copier, 2)
    held = Held(lambda meter: copier(first, destination, run_key="the first", meter=meter))
    said: list[logs.Record] = []
    monkeypatch.setattr(logs, "_sink", said.append)
    monkeypatch.setenv("WINDLASS_WAIT_FOR_TURN", "0.2")
    with pytest.raises(RetryableError, match=r"is being loaded by test\.copy the first") as caught:
        copier(second, destination, run_key="the second")
    assert (caught.value.code, caught.value.exit_code) == (Code.NO_TURN, ExitCode.RETRYABLE)
    assert [line["behind"] for line in said if line["event"] == "waits_for_turn"] == [["test.copy the first"]]
    assert held.let_go() == []
    assert copier(second, destination, run_key="the second").counts.written == 40


@pytest.mark.parametrize("end", ["postgres", "folder/"])
def test_appends_go_side_by_side(
    copier: Copier, to: Callable[..., Destination], end: str, request: pytest.FixtureRequest
) -> None:
    destination, sources = to(end, "append"), [write_rows(copier, number) for number in range(3)]
    copier(sources[0], destination)
    held = Held(lambda meter: copier(sources[1], destination, meter=meter))
    copier(sources[2], destination)
    assert held.let_go() == []
    assert rows_of(copier, end, request) == [i for n in range(3) for i in range(n * 1000, n * 1000 + 40)]


@pytest.mark.parametrize("end", [end for end in ENDS if end != "duckdb"])  # which has one process at a time
def test_a_later_start_of_the_same_load_takes_over(
    copier: Copier, to: Callable[..., Destination], end: str, request: pytest.FixtureRequest
) -> None:
    destination, source = to(end, "replace"), write_rows(copier, 1)
    held = Held(lambda meter: copier(source, destination, run_key="same", meter=meter))
    copier(source, destination, run_key="same")
    assert [type(error) for error in held.let_go()] == [FencedError]
    assert rows_of(copier, end, request) == list(range(1000, 1040))


@pytest.mark.parametrize("end", ENDS)
def test_an_incremental_load_reads_how_far_the_last_one_came_once_it_has_its_turn(
    copier: Copier, to: Callable[..., Destination], end: str, request: pytest.FixtureRequest
) -> None:
    destination = to(end, "append")
    source = write_rows(copier, 1)
    incremental = Incremental(cursor="id")
    held = Held(lambda meter: copier(source, destination, incremental=incremental, meter=meter))
    with ThreadPoolExecutor(1) as at_once:
        waiting = at_once.submit(copier, source, destination, incremental=incremental)
        assert held.let_go() == []
        assert waiting.result().counts.written == 0
    assert rows_of(copier, end, request) == list(range(1000, 1040))


def test_a_writer_that_is_cut_off_right_after_its_arrival_blocks_nobody(
    copier: Copier, to: Callable[..., Destination], postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its session stays on the server, and knows nothing of it."""
    destination, source = to("postgres", "replace"), write_rows(copier, 1)
    cut: list[Session] = []

    class CutError(Exception):
        pass

    def reach(name: str) -> None:
        if name == "during-recovery":
            raise CutError

    with monkeypatch.context() as patched:
        patched.setattr(failpoints, "reach", reach)
        patched.setattr(Session, "close", lambda session: cut.append(session))
        with pytest.raises(CutError):
            copier(source, destination, run_key="same")
    assert cut
    assert postgres.value("SELECT count(*) FROM _windlass_turns") == 1
    assert copier(source, destination, run_key="same").counts.written == 40
    assert postgres.value("SELECT count(*) FROM _windlass_turns") == 0
    for session in cut:
        session.close()


def test_a_load_whose_session_is_gone_is_waited_for_by_nobody(
    copier: Copier, to: Callable[..., Destination], postgres: Database
) -> None:
    destination, source = to("postgres", "replace"), write_rows(copier, 1)
    held = Held(lambda meter: copier(source, destination, run_key="one", meter=meter))
    postgres.run("SELECT pg_terminate_backend(split_part(backend, '@', 1)::int) FROM _windlass_turns")
    assert copier(source, destination, run_key="another").counts.written == 40
    assert [type(error) for error in held.let_go()] == [RetryableError]


def test_only_the_latest_long_mark_is_kept(
    copier: Copier, to: Callable[..., Destination], request: Any
) -> None:
    (copier.folder / "in.csv").write_text("day\n" + "2025-03-01\n" * 500)
    for end in ENDS:
        destination = to(end, "append")
        for key in ("a", "b", "c"):
            copier(source_of(path="in.csv"), destination, incremental=Incremental(cursor="day"), run_key=key)
        assert _long_marks(copier.folder, end, request) == 1, end


def _long_marks(folder: Path, end: str, request: Any) -> int:
    import json

    import duckdb

    if end == "postgres":
        database: Database = request.getfixturevalue("postgres")
        return int(database.value("SELECT count(*) FROM _windlass_loads WHERE length(cursor) > 4096"))
    if end in ("sqlite", "duckdb"):
        with closing(duckdb.connect()) as reader:
            if end == "duckdb":
                reader.execute(f"ATTACH '{folder / 'file.duckdb'}' AS d (READ_ONLY)")
                sql = 'SELECT "cursor" FROM d._windlass_loads'
                return sum(len(row[0] or "") > 4096 for row in reader.execute(sql).fetchall())
        import sqlite3

        with closing(sqlite3.connect(folder / "file.db")) as file:
            sql = 'SELECT "cursor" FROM _windlass_loads'
            return sum(len(row[0] or "") > 4096 for row in file.execute(sql))
    manifest = folder / (f"{end}.windlass-manifest.json" if end.endswith("/") else f".{end}.windlass.json")
    return sum(len(load["cursor"] or "") > 4096 for load in json.loads(manifest.read_text())["loads"])


def test_waiting_has_an_end_that_is_a_number(
    copier: Copier, to: Callable[..., Destination], monkeypatch: pytest.MonkeyPatch
) -> None:
    from windlass.errors import UsageError

    for text in ("soon", "-1", "nan"):
        monkeypatch.setenv("WINDLASS_WAIT_FOR_TURN", text)
        with pytest.raises(UsageError, match="expected a number of seconds"):
            copier(write_rows(copier, 1), to("file.csv", "replace"))


def test_the_queue_is_in_the_order_of_arrival(
    copier: Copier, to: Callable[..., Destination], postgres: Database
) -> None:
    """An append that comes after a replace waits behind it, and does not go beside the append before."""
    sources = [write_rows(copier, number) for number in range(4)]
    copier(sources[0], to("postgres", "append"))
    held = Held(lambda meter: copier(sources[1], to("postgres", "append"), meter=meter))
    with ThreadPoolExecutor(2) as at_once:
        replacing = at_once.submit(copier, sources[2], to("postgres", "replace"))
        _until(lambda: postgres.value("SELECT count(*) FROM _windlass_turns") == 2)
        appending = at_once.submit(copier, sources[3], to("postgres", "append"))
        _until(lambda: postgres.value("SELECT count(*) FROM _windlass_turns") == 3)
        assert not appending.done()
        assert held.let_go() == []
        replacing.result()
        appending.result()
    assert [row[0] // 1000 for row in postgres.rows("SELECT id FROM t ORDER BY id")] == [2] * 40 + [3] * 40


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENT
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_start_that_finds_its_load_done_leaves_no_turn(
    copier: Copier, to: Callable[..., Destination], postgres: Database
) -> None:
    source = write_rows(copier, 1)
    for _ in range(2):
        copier(source, to("postgres", "append"), run_key="same")
        assert postgres.value("SELECT count(*) FROM _windlass_turns") == 0
