"""Whose turn it is at a measurement, where the server knows neither locks nor transactions.

Each load has a claim, a point of `windlass_writers`, and draws a number as in Lamport's bakery ("A New Solution of Dijkstra's
Concurrent Programming Problem", 1974), which needs no more than a register for each. A later start of the same load
revokes the claims of the earlier ones. Loads that only append go side by side; one that has to be alone, as
it deletes points or looks how far the last one came, waits for all others. A claim
gives signs of life; one without is revoked, too. Before each request a load looks whether its claim still stands: a
process that was paused in between may still write what it has sent, the same points as whoever took over.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from windlass.connectors.influxdb.client import Connection
from windlass.connectors.influxdb.influxql import name, text
from windlass.connectors.influxdb.lines import line
from windlass.errors import WindlassError
from windlass.ledger import LedgerEntry, fenced
from windlass.turns import Heartbeat, SignsOfLife, Waiting

__all__ = ["Turn", "revoke", "take_turn"]

_MEASUREMENT = "windlass_writers"
_REMEMBERED = "7d"


@dataclass(frozen=True)
class _Claim:
    """What a load says of itself. `made` identifies it: nanoseconds since 1970."""

    made: int
    key: str
    load_id: str
    called: str
    alone: bool
    number: int = 0
    """Drawn; 0 while it is still drawing."""

    stands: bool = True
    signs: int = 0

    @property
    def place(self) -> tuple[int, int]:
        return self.number, self.made


class Turn:
    """The turn of one load, with signs of life until it leaves."""

    def __init__(self, writers: _Writers, claim: _Claim) -> None:
        self._writers, self._claim, self._signs = writers, claim, 0
        self._heart = Heartbeat(writers.silence, self._give_sign)

    def check(self) -> None:
        """Raise FencedError when a later start of the same load has taken over, or somebody took this one for gone."""
        if not self._writers.stands(self._claim):
            raise fenced(self._writers.measurement)

    def leave(self) -> None:
        """Let others have the turn."""
        self._heart.stop()
        self._writers.note(self._claim, stands=False)

    def _give_sign(self) -> None:
        self._signs += 1
        self._writers.note(self._claim, signs=self._signs)


def take_turn(connection: Connection, measurement: str, entry: LedgerEntry, *, alone: bool) -> Turn:
    """Wait for the turn of a load. Raises RetryableError when that takes too long."""
    writers = _Writers(connection, measurement)
    mine = writers.draw(_Claim(time.time_ns(), json.dumps(entry.key), entry.load_id, entry.name, alone))
    turn = Turn(writers, mine)
    try:
        _wait(writers, mine)
    except BaseException:
        with suppress(WindlassError):  # then others wait until there is no sign of life
            turn.leave()
        raise
    return turn


def _wait(writers: _Writers, mine: _Claim) -> None:
    """Revoke earlier starts of the same load and what is gone, and wait for the others that have to go first."""
    waiting, signs = Waiting(writers.measurement), SignsOfLife(writers.silence)
    while True:
        standing = writers.standing()
        if all(claim.made != mine.made for claim in standing):
            raise fenced(writers.measurement)
        before = [claim for claim in standing if _goes_first(claim, mine)]
        ended = [c for c in before if signs.are_missing(c.made, c.signs) or (c.key == mine.key and c.number)]
        for claim in ended:
            writers.note(claim, stands=False)
        if len(ended) == len(before):
            return
        waiting.pause([claim.called for claim in before if claim not in ended])


def revoke(connection: Connection, measurement: str, entry: LedgerEntry, loads: Iterable[str]) -> None:
    """Let the starts of a load with these ids commit no more."""
    writers, ids = _Writers(connection, measurement), set(loads)
    for claim in writers.standing():
        if claim.key == json.dumps(entry.key) and claim.load_id in ids:
            writers.note(claim, stands=False)


def _goes_first(other: _Claim, mine: _Claim) -> bool:
    """Whether another claim may come first, and matters: it is of the same load, or one has to be alone."""
    matters = other.key == mine.key or other.alone or mine.alone
    return matters and other.made != mine.made and (other.number == 0 or other.place < mine.place)


class _Writers:
    """The claims on one measurement."""

    def __init__(self, connection: Connection, measurement: str) -> None:
        self._connection, self.measurement, self.silence = connection, measurement, connection.silence

    def draw(self, claim: _Claim) -> _Claim:
        """Make a claim known, with a number above all that there are."""
        self._write(claim, _fields(claim))
        highest = max((other.number for other in self.standing()), default=0)
        self.note(claim, number=highest + 1)
        return replace(claim, number=highest + 1)

    def standing(self) -> list[_Claim]:
        return self._found(f"AND {name('stands')} = true AND time > now() - {_REMEMBERED}")

    def stands(self, claim: _Claim) -> bool:
        return any(found.stands for found in self._found(f"AND time = {claim.made}"))

    def note(self, claim: _Claim, **values: bool | int) -> None:
        """Change what a claim says: the other fields of its point stay."""
        self._write(claim, values)

    def _write(self, claim: _Claim, values: dict[str, Any]) -> None:
        self._connection.write(line(_MEASUREMENT, {"measurement": self.measurement}, values, claim.made))

    def _found(self, more: str) -> list[_Claim]:
        where = f"{name('measurement')} = {text(self.measurement)} {more}"
        found = self._connection.query(f"SELECT * FROM {name(_MEASUREMENT)} WHERE {where}")
        names = _Claim.__dataclass_fields__
        return [
            _Claim(**{key: value for key, value in {**row, "made": row["time"]}.items() if key in names})
            for series in found
            for row in series.rows()
        ]


def _fields(claim: _Claim) -> dict[str, Any]:
    return {key: value for key, value in claim.__dict__.items() if key != "made"}
