"""Networks that halt, crawl and drop packets: everything takes longer, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.checker import Reader
from tests.faults.lossy import LossyNetwork
from tests.faults.proxy import HaltingProxy, Proxy
from tests.faults.scene import Mode, Scene, changes_once, finished

_KINDS = [
    ("pg", "pg", "append"),
    ("csv", "pg", "merge"),
    ("pg", "pg", "replace"),
    ("pg", "parquet", "append"),
]
_IDS = ["-".join(kind) for kind in _KINDS]


@pytest.mark.one_of(2)
@pytest.mark.parametrize(("source", "target", "mode"), _KINDS, ids=_IDS)
def test_a_connection_that_halts_and_crawls_loses_and_doubles_nothing(
    source: str, target: str, mode: Mode, scene: Callable[..., Scene], request: pytest.FixtureRequest
) -> None:
    seed = request.config.getoption("seed")
    play = scene(source, target, mode)
    end = play.seed()
    before = end.key()
    with HaltingProxy(play.servers.source, seed) as from_, HaltingProxy(play.database, seed + 1) as to:
        play.environment |= {"WINDLASS_CONN_X": from_.url, "WINDLASS_CONN_Y": to.url}
        with Reader(end) as reader:
            done = play.call(*play.run(1))
        assert from_.pauses + to.pauses > 0
    assert (done.code, done.task["attempts"]) == (0, 1), str(done)
    play.check(end)
    changes_once(reader, before, end.key())


@pytest.mark.one_of(2)
@pytest.mark.parametrize(("source", "target", "mode"), _KINDS, ids=_IDS)
def test_a_network_that_drops_packets_loses_and_doubles_nothing(
    source: str, target: str, mode: Mode, scene: Callable[..., Scene], request: pytest.FixtureRequest
) -> None:
    if why_not := LossyNetwork.why_not():
        pytest.skip(why_not)
    play = scene(source, target, mode)
    end = play.seed()
    before = end.key()
    with LossyNetwork(request.config.getoption("seed")) as network:
        inside = [network.listening_socket() for _ in range(2)]
        with (
            Proxy(play.servers.source, "silence", lambda *_: False, listening=inside[0]) as from_,
            Proxy(play.database, "silence", lambda *_: False, listening=inside[1]) as to,
        ):
            play.environment |= {"WINDLASS_CONN_X": from_.url, "WINDLASS_CONN_Y": to.url}
            with Reader(end) as reader:
                running = network.inside(lambda: play.start(*play.run(1)))
                done = finished(running)
            assert network.dropped() > 0
    assert (done.code, done.task["attempts"]) == (0, 1), str(done)
    play.check(end)
    changes_once(reader, before, end.key())
