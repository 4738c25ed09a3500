"""What the libraries of observers log, as records of ours."""

from __future__ import annotations

import logging
from collections.abc import Callable

from windlass import logs

__all__ = ["take_complaints"]


def take_complaints(library: str, heard: Callable[[str], None] = lambda _: None) -> None:
    """Have what a library complains of logged as everything else is, and not printed between that.

    `heard` is called with the name of the module, each time.
    """
    logger = logging.getLogger(library)
    logger.handlers = [_Complaints(library, heard)]
    logger.propagate = False


class _Complaints(logging.Handler):
    """Logs the first of each module: a collector that is away is away."""

    def __init__(self, library: str, heard: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._library, self._heard = library, heard
        self._seen: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        if record.name not in self._seen:
            self._seen.add(record.name)
            logs.warning("not_sent", observer=self._library, error=record.getMessage().partition("\n")[0])
        self._heard(record.name)
