"""A connection that is cut or falls silent: in the middle of the rows, and at the commit."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Literal

import pytest

from tests.faults.checker import Reader
from tests.faults.outcomes import Outcomes
from tests.faults.proxy import COMMIT, Cut, Proxy
from tests.faults.scene import Pair, Scene, Servers, changes_once, finished
from windlass.connections import parse_address
from windlass.connectors.postgres.session import Session

_SILENCE = "?silence=2"  # seconds after which windlass asks whether the server still is there
_MUCH = 100_000


class _Rows:
    """The moment when so much has passed that rows must be among it."""

    def __init__(self) -> None:
        self._passed = 0

    def __call__(self, piece: bytes, _to_server: bool) -> bool:
        self._passed += len(piece)
        return self._passed > _MUCH


class _Commit:
    """The moment of the commit."""

    def __call__(self, piece: bytes, to_server: bool) -> bool:
        return to_server and COMMIT in piece


@dataclass(frozen=True)
class Case:
    """What happens to the connection with one of the two ends, and when."""

    pair: Pair
    end: Literal["source", "target"]
    cut: Cut
    moment: Literal["mid-copy", "before-commit", "after-commit"]

    def __str__(self) -> str:
        return f"{self.cut}-{self.moment}-{self.pair}-{self.end}"


_PG, _CSV, _PARQUET = Pair("pg", "pg"), Pair("csv", "pg"), Pair("pg", "parquet")
_CUTS: list[Cut] = ["reset", "silence"]
CASES = [
    *(Case(_PG, "source", cut, "mid-copy") for cut in _CUTS),
    *(Case(_PG, "target", cut, "mid-copy") for cut in _CUTS),
    *(Case(_CSV, "target", cut, "mid-copy") for cut in _CUTS),
    *(Case(_PARQUET, "source", cut, "mid-copy") for cut in _CUTS),
    *(Case(_PG, "target", cut, "before-commit") for cut in _CUTS),
    *(Case(_PG, "target", cut, "after-commit") for cut in _CUTS),
    *(Case(_CSV, "target", cut, "after-commit") for cut in _CUTS),
]


@pytest.mark.one_of(2)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_lost_connection_loses_and_doubles_nothing(case: Case, outcomes: Outcomes) -> None:
    outcomes.check(case)


def play(case: Case, folder: Path, servers: Servers) -> None:
    """The run tries again; but a commit of which only the answer was lost is found out to be one."""
    scene = Scene(folder, case.pair, "append", servers)
    name = "WINDLASS_CONN_X" if case.end == "source" else "WINDLASS_CONN_Y"
    watch = _Rows() if case.moment == "mid-copy" else _Commit()
    end = scene.seed()
    before = end.key()
    is_committed = case.moment == "after-commit"
    with Proxy(scene.environment[name], case.cut, watch, hand_on=is_committed) as proxy:
        scene.environment[name] = proxy.url + _SILENCE
        with Reader(end) as reader:
            done = scene.call(*scene.run(1))
            assert proxy.was_cut.is_set()
            assert done.code == 0, str(done)
            assert done.task["attempts"] == (1 if is_committed else 2), str(done)
            scene.check(end)
            again = scene.call(*scene.execute(1))
    assert '"already-loaded"' in again.stdout
    scene.check(end)
    changes_once(reader, before, end.key())
    scene.remove()


def test_a_server_that_says_nothing_at_all_ends_the_task(
    scene: Callable[..., Scene], servers: Servers
) -> None:
    play = scene("csv", "pg", "replace")
    end = play.seed()
    before = end.key()
    with Proxy(play.database, "silence", _Rows(), everything=True) as proxy:
        play.environment["WINDLASS_CONN_Y"] = proxy.url + _SILENCE
        done = play.call(*play.execute(1))
        assert done.code == 3, str(done)
        assert "lost the connection" in done.stdout
        assert end.key() == before
    play.environment["WINDLASS_CONN_Y"] = play.database
    assert play.call(*play.execute(1)).code == 0
    play.check(end)


@pytest.mark.one_of(2)
@pytest.mark.parametrize("comes_back", [True, False], ids=["comes-back", "never-comes-back"])
@pytest.mark.parametrize("arrives", [True, False], ids=["commit-arrived", "commit-on-its-way"])
def test_a_server_that_is_out_of_reach_during_the_commit(
    arrives: bool, comes_back: bool, scene: Callable[..., Scene]
) -> None:
    """Nothing of any connection passes any more; a COMMIT that is on its way arrives too late."""
    play = scene("pg", "pg", "append")
    end = play.seed()
    before, stamp = end.key(), end.stamp()
    with Proxy(play.database, "silence", _Commit(), hand_on=arrives, everything=True) as proxy:
        play.environment["WINDLASS_CONN_Y"] = proxy.url + "?silence=3"
        running = play.start(*play.execute(1))
        assert running.stdout is not None
        seen = list(takewhile(lambda line: '"commit_unsettled"' not in line, running.stdout))
        if comes_back:
            proxy.come_back()
        done = finished(running)
        assert proxy.was_cut.is_set(), seen
        if comes_back:
            proxy.resend()
        assert (end.stamp() != stamp) == (end.key() != before) == arrives
        if comes_back:
            assert (done.code == 0) == arrives, str(done)
            assert f'"committed": {str(arrives).lower()}' in done.stdout
        else:
            assert "whether the rows are in public.dst is not known" in done.stdout
            assert "start the same run again once the server answers" in done.stdout
        assert done.code in (0, 3)
        play.environment["WINDLASS_CONN_Y"] = play.database
        again = play.call(*play.execute(1))
    assert again.code == 0, str(again)
    assert ('"already-loaded"' in again.stdout) == arrives
    play.check(end)


def test_a_long_statement_is_not_taken_for_silence(servers: Servers) -> None:
    session = Session(parse_address(f"{servers.target}?silence=2", "a test"))
    try:
        assert session.value("SELECT 7 FROM pg_sleep(6)") == 7
    finally:
        session.close()


def test_the_kernel_ends_a_connection_that_nobody_acknowledges(servers: Servers) -> None:
    session = Session(parse_address(f"{servers.target}?silence=20", "a test"))
    try:
        sock = session.connection._transport.get_extra_info("socket")  # type: ignore[attr-defined]
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 20_000
    finally:
        session.close()


@pytest.mark.parametrize("source", ["pg", "csv"])
def test_a_commit_counts_though_the_end_of_the_connection_is_never_seen(
    source: str, scene: Callable[..., Scene]
) -> None:
    """Nobody tells windlass that the server has closed: as behind a firewall that drops the flow."""
    play = scene(source, "pg", "append")
    end = play.seed()
    with Proxy(play.database, "silence", lambda *_: False, keeps_open=True) as proxy:
        play.environment["WINDLASS_CONN_Y"] = proxy.url
        done = play.call(*play.execute(1))
        assert done.code == 0, str(done)
        play.check(end)


@pytest.mark.parametrize("arrives", [True, False], ids=["commit-arrived", "commit-lost"])
def test_a_lost_commit_is_settled_though_the_end_of_a_connection_is_never_seen(
    arrives: bool, scene: Callable[..., Scene]
) -> None:
    play = scene("csv", "pg", "append")
    end = play.seed()
    with Proxy(play.database, "silence", _Commit(), hand_on=arrives, keeps_open=True) as proxy:
        play.environment["WINDLASS_CONN_Y"] = proxy.url + _SILENCE
        done = play.call(*play.execute(1))
        assert proxy.was_cut.is_set()
        assert f'"committed": {str(arrives).lower()}' in done.stdout, str(done)
        assert done.code == (0 if arrives else 3), str(done)
        assert play.call(*play.execute(1)).code == 0
    play.check(end)


def test_a_dead_writer_whose_connection_is_kept_open_loses_its_turn(scene: Callable[..., Scene]) -> None:
    """Another load gets it once the lease has run out."""
    play = scene("csv", "pg", "replace")
    end = play.seed()
    with Proxy(play.database, "silence", _Rows(), keeps_open=True) as proxy:
        play.environment["WINDLASS_CONN_Y"] = proxy.url + "?silence=1"
        dead = play.start(*play.execute(1))
        assert proxy.was_cut.wait(60)
        dead.kill()
        finished(dead)
        play.environment["WINDLASS_CONN_Y"] = play.database
        done = play.call(*play.execute(2))
        assert done.code == 0, str(done)
        assert "waits_for_turn" in done.stdout
    play.check(end)
