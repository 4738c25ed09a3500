"""Rows in quarantine: how many of each reason, and the first of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from msgspec import Struct

from windlass.pages.clipping import clipped, clipped_value

__all__ = ["BadRow", "Quarantined", "quarantined"]

_COUNTED = 200_000
_SHOWN = 20
_LONGEST = 500


class BadRow(Struct, frozen=True):
    """One row: where it came from, what is wrong with it, and the row itself."""

    place: str
    reason: str
    column: str
    message: str
    record: str


class Quarantined(Struct, frozen=True):
    """What waits in the quarantine of one task."""

    waiting: int
    counted_all: bool
    reasons: tuple[tuple[str, int], ...]
    """Reason codes and rows, the most frequent first."""

    rows: tuple[BadRow, ...]
    file: str | None
    """None when everything was replayed since."""


def quarantined(file: Path, first: list[dict[str, Any]]) -> Quarantined | None:
    """What a quarantine file holds. `first` are the rows that the task itself told of, should it be gone."""
    reasons: Counter[str] = Counter()
    shown: list[BadRow] = []
    rows = _rows(file)
    for row in islice(rows, _COUNTED):
        reasons[str(row.get("reason"))] += 1
        if len(shown) < _SHOWN:
            shown.append(_bad_row(row))
    if reasons:
        ended = next(rows, None) is None
        return Quarantined(reasons.total(), ended, tuple(reasons.most_common()), tuple(shown), str(file))
    if first:
        return Quarantined(0, True, (), tuple(map(_bad_row, first[:_SHOWN])), None)
    return None


def _rows(file: Path) -> Iterator[Mapping[str, Any]]:
    """The rows, as far as they can be read: the file is not ours, people fix rows in it."""
    if not file.exists():  # as good as always
        return
    from windlass.engine.quarantine import read_quarantine

    try:
        yield from read_quarantine(file)
    except (OSError, ValueError):
        return


def _bad_row(row: Mapping[str, Any]) -> BadRow:
    place = str(row.get("source") or "")
    if row.get("line") is not None:
        place += f":{row['line']}"
    elif row.get("offset") is not None:
        place += f", byte {row['offset']}"
    record = row.get("record")
    raw = row.get("raw") if record is None else record
    return BadRow(
        place=place,
        reason=str(row.get("reason") or ""),
        column=str(row.get("column") or ""),
        message=clipped(str(row.get("message") or ""), _LONGEST),
        record="" if raw is None else clipped_value(raw, _LONGEST),
    )
