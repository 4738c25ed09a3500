"""Logging: one JSON object a line, with the run's context in it and no secret in it.

Until somebody says where records go (`emit_to`), as the command line does, they go to Python's own `logging`, to the
logger `windlass`. Every line has `time`, `level` and `event`, then `run`, `pipeline`, `task` and `attempt` where there
is one, then the fields of the event. What masking.py knows as a secret is masked wherever it would appear.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO, TypeAlias

from windlass.masking import MASK, SECRETS
from windlass.printable import one_line_of_json

__all__ = [
    "MASK",
    "Record",
    "add_secret",
    "bind",
    "bound",
    "debug",
    "emit_to",
    "error",
    "event",
    "info",
    "json_lines",
    "level_of",
    "mask",
    "mask_all",
    "masked",
    "time_of",
    "timestamp",
    "to_logging",
    "warning",
]

Record: TypeAlias = dict[str, object]

_NO_CONTEXT: Mapping[str, object] = {}
_context: ContextVar[Mapping[str, object]] = ContextVar("context", default=_NO_CONTEXT)

Sink: TypeAlias = Callable[[Record], None]


def json_lines(stream: TextIO) -> Sink:
    """A sink that writes JSON lines. Whoever stops reading them, or fills the disk, stops no run."""

    def write(record: Record) -> None:
        with suppress(OSError, ValueError):
            stream.write(one_line_of_json(record) + "\n")
            stream.flush()

    return write


def to_logging(record: Record) -> None:
    """A sink for programs that use windlass as a library: the event with its fields as the message of a log record."""
    import logging

    fields = (f"{name}={value}" for name, value in record.items() if name not in ("time", "level", "event"))
    level = logging.getLevelNamesMapping()[str(record["level"]).upper()]
    logging.getLogger("windlass").log(level, "%s", " ".join([str(record["event"]), *fields]))


_sink: Sink = to_logging


def emit_to(sink: Sink) -> None:
    """Send every record to `sink`, from now on, instead of to `logging`."""
    global _sink
    _sink = sink


@contextmanager
def bind(**fields: object) -> Iterator[None]:
    """Put the fields into every record that is logged inside the block."""
    token = _context.set({**_context.get(), **fields})
    try:
        yield
    finally:
        _context.reset(token)


def bound() -> Mapping[str, object]:
    """The fields that every record has here."""
    return _context.get()


def add_secret(text: str | None) -> None:
    """Mask this text wherever it would be logged, printed in an error, or reported."""
    SECRETS.add(text)


def mask(text: str) -> str:
    """The text with every known secret replaced."""
    return SECRETS.mask(text)


def mask_all(texts: Sequence[str]) -> list[str]:
    """The texts with every known secret replaced, many of them faster than one by one."""
    return SECRETS.mask_all(texts)


def masked(value: object) -> object:
    """The value as JSON can say it, with every known secret replaced in all the text in it."""
    return SECRETS.masked(value)


def event(level: str, name: str, **fields: object) -> None:
    """Log one event. A field that is None is left out."""
    record: Record = {"time": timestamp(), "level": level, **_context.get(), "event": name}
    record.update((key, value) for key, value in fields.items() if value is not None)
    _sink({key: masked(value) for key, value in record.items()})


def debug(name: str, **fields: object) -> None:
    event("debug", name, **fields)


def info(name: str, **fields: object) -> None:
    event("info", name, **fields)


def warning(name: str, **fields: object) -> None:
    event("warning", name, **fields)


def error(name: str, **fields: object) -> None:
    event("error", name, **fields)


def timestamp() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_LEVELS = {
    "trace": "debug",
    "notice": "info",
    "warn": "warning",
    "err": "error",
    "critical": "error",
    "fatal": "error",
    "alert": "error",
    "emergency": "error",
    "panic": "error",
    **{level: level for level in ("debug", "info", "warning", "error")},
}


def level_of(said: object) -> str:
    """One of our four levels for what a record of somebody else's says: a word of a logger's, or a number of pino's."""
    if type(said) is int:
        return "error" if said >= 50 else "warning" if said >= 40 else "info" if said >= 30 else "debug"
    return _LEVELS.get(said.lower(), "info") if isinstance(said, str) else "info"


def time_of(said: object) -> str | None:
    """The time in UTC that a record of somebody else's has; None where it says none, or not in which time zone."""
    try:
        when = datetime.fromisoformat(said) if isinstance(said, str) else None
        if when is None or when.utcoffset() is None:
            return None
        return when.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError):
        return None
