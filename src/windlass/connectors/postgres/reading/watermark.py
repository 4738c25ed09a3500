"""How far an incremental copy may read: never past what an open transaction may still commit.

A transaction takes its value of the cursor (from a sequence or the clock) before it commits, and others
overtake it. Reading up to the highest visible value would skip its rows for ever. So, in this order:

1. note the highest visible value;
2. note which other transactions hold a write lock on the table now. Whoever may still commit a value up
   to the noted one took it before step 1: it holds that lock now, or has ended;
3. wait a little for those to end. When all have, everything up to the noted value is complete. If not, a
   cursor of the clock is complete up to when the oldest of them began, any other cursor not at all.

The rows are read in a snapshot taken after this, so whatever had ended by then is in it. Transactions
that begin to write later take higher values and need not be waited for.
"""

from __future__ import annotations

import time
from datetime import datetime

from windlass import logs
from windlass.connectors.postgres.catalog import PgColumn
from windlass.connectors.postgres.session import Session
from windlass.connectors.scratch import identifier, literal

__all__ = ["watermark"]

_PATIENCE, _POLL = 5.0, 0.1

_WRITERS = """
SELECT DISTINCT l.virtualtransaction AS id FROM pg_locks l
WHERE l.locktype = 'relation' AND l.granted AND l.pid <> pg_backend_pid()
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
  AND ($1::text IS NULL OR l.relation = to_regclass($1::text)
       OR l.relation IN (SELECT relid FROM pg_partition_tree(to_regclass($1::text))))
"""

_STILL_OPEN = """
SELECT min(a.xact_start) AS since FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.virtualtransaction = ANY ($1::text[])
"""


def watermark(session: Session, from_clause: str, cursor: PgColumn, table: str | None) -> str | None:
    """The highest value of the cursor, as text, up to which nothing can be added any more, or None.

    `table` is the table's name as SQL; None for a query, whose tables are not known: then every writer
    of the database counts.
    """
    name = identifier(cursor.name)
    highest: str | None = session.value(f"SELECT max({name})::text FROM {from_clause}")
    if highest is None:
        return None
    since = _wait_for_writers(session, table)
    if since is None:
        return highest
    logs.warning("open_transactions", since=since.isoformat(), reading="only what they cannot add to")
    if cursor.base not in ("timestamptz", "timestamp", "date"):
        return None
    sql = f"SELECT max({name})::text FROM {from_clause} WHERE {name} < {literal(since.isoformat())}::timestamptz"
    complete: str | None = session.value(sql)
    return complete


def _wait_for_writers(session: Session, table: str | None) -> datetime | None:
    """When the oldest of the transactions began that write now and outlast our patience, if any does."""
    writers = [row["id"] for row in session.fetch(_WRITERS, table)]
    deadline = time.monotonic() + _PATIENCE
    while writers:
        since: datetime | None = session.value(_STILL_OPEN, writers)
        if since is None or time.monotonic() > deadline:
            return since
        time.sleep(_POLL)
    return None
