"""Whose turn it is at a table: a load holds a named lock of the server until its session ends.

So nobody holds a turn whose session is gone, and whoever has the lock knows that no earlier writer can commit any more. A
second start of the same load does not wait: it ends the session of the first one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress

from windlass import logs
from windlass.connectors.mysql.session import Session
from windlass.connectors.mysql.writing.ledger import Ledger, Writer
from windlass.connectors.scratch import literal
from windlass.errors import WindlassError
from windlass.ledger import LedgerEntry
from windlass.turns import Waiting

__all__ = ["Turns"]

_UNDOING = 60  # seconds that the server is given to undo what a session has written that was ended


class Turns:
    """The turns at one table."""

    def __init__(self, session: Session, ledger: Ledger) -> None:
        self._session, self._ledger = session, ledger
        name = hashlib.sha256(ledger.destination.encode()).hexdigest()[:40]
        self._lock = literal(f"windlass_{name}")  # at most 64 characters, and one name for the whole server

    def take(self, entry: LedgerEntry) -> Writer | None:
        """Wait for the turn of a load. Returns the writer before, which can commit nothing any more.

        Raises RetryableError when that takes too long.
        """
        waiting = Waiting(self._ledger.destination)
        while not self._acquired():
            writer, holder = self._ledger.writer(), self._holder()
            if holder is None:
                continue
            if writer is not None and writer.session == holder and writer.entry.key == entry.key:
                self._end(holder)
                if self._acquired(_UNDOING):
                    break
            waiting.pause([writer.entry.name if writer is not None else "another load"])
        return self._ledger.writer()

    def take_from(self, loads: Sequence[str]) -> Writer | None:
        """The latest writer, if it is one of the starts of these ids, which can commit nothing any more then.

        Other writers are left alone.
        """
        waiting = Waiting(self._ledger.destination)
        while (writer := self._ledger.writer()) is not None and writer.entry.load_id in loads:
            if self._holder() == writer.session:
                self._end(writer.session)
            if self._acquired(_UNDOING):
                return self._ledger.writer()
            waiting.pause([writer.entry.name])
        return None

    def leave(self) -> None:
        """Let others have the turn."""
        self._session.rows(f"SELECT RELEASE_LOCK({self._lock})")

    def _acquired(self, seconds: int = 0) -> bool:
        return bool(self._session.value(f"SELECT GET_LOCK({self._lock}, {seconds})"))

    def _holder(self) -> int | None:
        """The session that has the turn."""
        found = self._session.value(f"SELECT IS_USED_LOCK({self._lock})")
        return None if found is None else int(found)

    def _end(self, session: int) -> None:
        logs.warning("fenced_earlier_writer", destination=self._ledger.destination, session=session)
        with suppress(WindlassError):  # it has just ended, or is another user's, and then is waited for
            self._session.execute(f"KILL CONNECTION {session}")
