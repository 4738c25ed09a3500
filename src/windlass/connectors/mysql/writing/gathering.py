"""Rows on their way into a table."""

from __future__ import annotations

from windlass import failpoints
from windlass.connectors.mysql.session import Session
from windlass.connectors.mysql.writing.engine import MysqlEngine
from windlass.connectors.mysql.writing.inserts import Inserts
from windlass.connectors.mysql.writing.transaction import Transaction
from windlass.connectors.rows import Counts, Meter, Rows

__all__ = ["Gathering"]

_AT_ONCE = 64 << 20  # bytes in a transaction, where it can be several: a long one is slow to undo


class Gathering:
    """Inserts rows."""

    def __init__(self, session: Session, transaction: Transaction) -> None:
        self._session, self._transaction, self._engine = session, transaction, MysqlEngine(session)

    def gather(
        self, rows: Rows, target: str, counts: Counts, meter: Meter, number: str | None = None
    ) -> None:
        """Insert them; in transactions of some size, committed, where none is open: nobody sees the table yet then."""
        longest = int(self._session.value("SELECT @@max_allowed_packet"))
        in_pieces, since_commit = not self._transaction.is_open, 0  # of rows that nobody sees yet
        if in_pieces:
            self._transaction.begin()
        for batch, written in Inserts(self._engine, target, rows, longest, number).send():
            counts.written += written
            counts.bytes += batch.nbytes
            meter(batch.num_rows, batch.nbytes)
            failpoints.reach("mid-copy")
            since_commit += batch.nbytes
            if in_pieces and since_commit > _AT_ONCE:
                self._transaction.commit_and_go_on()
                since_commit = 0
        if in_pieces:
            self._transaction.commit()
