"""A Spark with Connect, and copies by it and by the process of the task, side by side."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from tests.conftest import server_of
from windlass.connections import Address, parse_address
from windlass.connectors.workers import ThisProcess


@pytest.fixture(scope="session")
def spark() -> Address:
    """The cluster that `WINDLASS_TEST_SPARK` names, such as sc://127.0.0.1:15099. Its machines have this Python and these folders."""
    address = parse_address(server_of("WINDLASS_TEST_SPARK"), "WINDLASS_TEST_SPARK", "spark")
    return replace(address, settings={"python": sys.executable})


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> int:
    """Let pieces be small, so that files of some kilobytes are cut. Returns their size."""
    size = 4_000
    monkeypatch.setattr("windlass.engine.spread.pieces.SIZE", size)
    monkeypatch.setattr("windlass.engine.spread.cutting._LARGE", 2 * size)
    return size


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process be the engine: what pieces are and how they are put together is the same."""
    monkeypatch.setattr("windlass.engine.spread.spreading._workers", lambda job, engine: ThisProcess())
