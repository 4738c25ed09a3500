"""Clocks that are set back between loads, or that of one machine ahead of another's: the last load stays the last."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

import windlass.ledger
from tests.connectors.apis import Api, answer
from tests.connectors.database import Database
from tests.connectors.kits import KITS
from windlass.connectors.http.options.limits import RateLimit
from windlass.connectors.http.turns import SharedTurns
from windlass.plan.model import Incremental
from windlass.testing import Copier, Kit, NdjsonKit, destination_of
from windlass.testing.reading import ROWS
from windlass.web_session import Session

AHEAD = timedelta(days=400)


class ClockAhead(datetime):
    """The clock of a machine that is wrong."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + AHEAD


@pytest.mark.parametrize("name", [name for name, kit in KITS.items() if kit.writes() and name != "postgres"])
def test_the_last_load_is_the_last_whatever_its_clock_said(
    make_kit: Callable[[str], Kit], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kit = make_kit(name)
    source = (origin := NdjsonKit(kit.copier)).source([ROWS[0]])
    incremental = Incremental(cursor="id")
    with monkeypatch.context() as patch:
        patch.setattr(windlass.ledger, "datetime", ClockAhead)
        nanoseconds = time.time_ns
        patch.setattr(time, "time_ns", lambda: nanoseconds() + int(AHEAD.total_seconds() * 1e9))
        kit.copier(source, kit.destination("append"), incremental=incremental)
    for number in (7, 8):
        origin.add(source, (number, *ROWS[0][1:]))
        result = kit.copier(source, kit.destination("append"), incremental=incremental)
        assert result.counts.read == 1
    assert len(kit.rows()) == 3


def test_the_last_load_is_the_last_whatever_the_server_s_clock_said(
    postgres: Database, copier: Copier
) -> None:
    copier.addresses["y"] = postgres.address
    to = destination_of(connection="y", table="t", mode="append")
    source = (origin := NdjsonKit(copier)).source([ROWS[0]])
    incremental = Incremental(cursor="id")
    copier(source, to, incremental=incremental)
    postgres.run("UPDATE _windlass_loads SET committed_at = committed_at + interval '400 days'")
    for number in (7, 8):
        origin.add(source, (number, *ROWS[0][1:]))
        assert copier(source, to, incremental=incremental).counts.read == 1


def test_a_clock_that_is_set_back_takes_the_turns_of_an_api_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_700_000_000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    turns, limit = SharedTurns(tmp_path / "turns"), RateLimit(calls=2, per=60.0)
    assert [turns.take(limit, 600) for _ in range(3)] == [0, 0, 60]
    now[0] -= 3600
    assert turns.take(limit, 600) == 60
    turns.hold(100)
    now[0] -= 3600
    assert turns.is_held()
    now[0] += 101
    assert not turns.is_held()
    now[0] += 3600
    assert turns.take(limit, 600) == 0


def test_when_to_come_back_is_said_by_the_clock_of_the_server(
    make_api: Callable[..., Api], read: Callable[..., list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(Session, "pause", lambda _, seconds: waited.append(seconds))
    there = datetime.now(UTC) + AHEAD
    said = [f"Retry-After: {format_datetime(there + timedelta(seconds=7), usegmt=True)}"]
    dated = [*said, f"Date: {format_datetime(there, usegmt=True)}"]
    api = make_api(answer("", *dated, status="429 X"), answer('[{"id":1}]'))
    assert read(api, retry={"attempts": 2}) == [{"id": 1}]
    assert waited == [7]
