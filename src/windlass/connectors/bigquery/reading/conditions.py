"""Which rows a reading is about, as far as BigQuery can leave out others: those that it leaves in are told apart here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from windlass.connectors.bigquery.fields import Field
from windlass.connectors.bigquery.sql import literal, name
from windlass.connectors.cursors import Mark
from windlass.connectors.source import Reading, Since
from windlass.units import parse_duration

__all__ = ["conditions"]

_TIMES = ("DATE", "DATETIME", "TIMESTAMP")
_NUMBERS = ("INT64", "NUMERIC", "BIGNUMERIC")


def conditions(reading: Reading, fields: Sequence[Field]) -> Iterator[str]:
    """SQL that is true for all rows of the reading."""
    known = {field.name: field for field in fields}
    if reading.interval is not None and (field := known.get(reading.interval.column)) is not None:
        yield from _within(field, *reading.interval.interval)
    if reading.since is not None and (field := known.get(reading.since.cursor or "")) is not None:
        yield from _not_below(field, reading.since)


def _within(field: Field, start: datetime, end: datetime) -> Iterator[str]:
    if field.type in _TIMES and not field.repeated:
        v = name(field.name)
        yield f"{v} >= {_moment(start - timedelta(days=1), field.type)}"
        yield f"{v} < {_moment(end + timedelta(days=1), field.type)}"


def _not_below(field: Field, since: Since) -> Iterator[str]:
    """Rows past the last mark less the lookback, and, for whoever asks about them, rows without a value."""
    last = Mark.from_json(since.last)
    if last is None or last.cursor != field.name or field.repeated:
        return  # a mark of another cursor is refused by whoever tells new rows
    bound = _bound(field, last, since.lookback)
    if bound is not None:
        v = name(field.name)
        yield f"({v} >= {bound} OR {v} IS NULL)"


def _bound(field: Field, last: Mark, lookback: float | str | None) -> str | None:
    if field.type in _NUMBERS and last.family == "number":
        number = Decimal(last.highest) - Decimal(str(lookback or 0))
        return f"{number:f}" if field.type == "INT64" else f"{field.type} {literal(f'{number:f}')}"
    if field.type in _TIMES and last.family == "time":
        back = timedelta(seconds=parse_duration(str(lookback)) if lookback else 0)
        try:
            return _moment(datetime.fromisoformat(last.highest) - back, field.type)
        except (ValueError, OverflowError):
            return None
    if field.type == "STRING" and last.family == "text":
        return literal(last.highest)
    return None


def _moment(moment: datetime, kind: str) -> str:
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    text = moment.astimezone(UTC).replace(tzinfo=None)
    if kind == "DATE":
        return f"DATE {literal(text.date().isoformat())}"
    return f"{kind} {literal(text.isoformat(' ') + ('+00' if kind == 'TIMESTAMP' else ''))}"
