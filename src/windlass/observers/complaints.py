"""What the libraries of observers log, as records of ours."""

from __future__ import annotations

import logging

from windlass import logs

__all__ = ["take_complaints"]


def take_complaints(observer: str) -> None:
    """Have what the library of that name complains of logged as everything else is, and not printed between that."""
    logger = logging.getLogger(observer)
    if not any(isinstance(handler, _Complaints) for handler in logger.handlers):
        logger.addHandler(_Complaints(observer))
        logger.propagate = False


class _Complaints(logging.Handler):
    """Logs the first of each module: a collector that is away is away."""

    def __init__(self, observer: str) -> None:
        super().__init__(logging.WARNING)
        self._observer = observer
        self._seen: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        if record.name not in self._seen:
            self._seen.add(record.name)
            logs.warning("not_sent", observer=self._observer, error=record.getMessage().partition("\n")[0])
