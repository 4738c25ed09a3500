"""The transaction of a load, which may be open or not."""

from __future__ import annotations

from collections.abc import Callable

from windlass.connectors.mysql.session import Session
from windlass.errors import RetryableError, WindlassError

__all__ = ["Transaction"]


class Transaction:
    """The one transaction that a session can have."""

    def __init__(self, session: Session) -> None:
        self._session, self.is_open = session, False

    def begin(self) -> None:
        self._session.execute("BEGIN")
        self.is_open = True

    def commit(self) -> None:
        self._session.execute("COMMIT")
        self.is_open = False

    def commit_and_go_on(self) -> None:
        self._session.execute("COMMIT AND CHAIN")

    def roll_back(self) -> None:
        """Undo what is not committed, if there is anything."""
        if self.is_open:
            self._session.execute("ROLLBACK")
            self.is_open = False

    def whole(self, place: Callable[[], int]) -> int:
        """Bring rows in, or nothing of them."""
        self._session.execute("SAVEPOINT windlass_part")
        try:
            placed = place()
        except RetryableError:  # a deadlock has undone all of it
            raise
        except WindlassError:
            self._session.execute("ROLLBACK TO SAVEPOINT windlass_part")
            raise
        self._session.execute("RELEASE SAVEPOINT windlass_part")
        return placed
