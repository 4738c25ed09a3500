"""Rows that come late: what no snapshot shows of the transactions that are still open."""

from __future__ import annotations

from windlass.connectors.cursors import required_cursor
from windlass.connectors.source import Since
from windlass.errors import Code, FatalError

__all__ = ["require_lookback"]


def require_lookback(since: Since, name: str, server: str) -> str:
    """The name of the cursor. Raises FatalError when nothing says how late a row may come."""
    cursor = required_cursor(since, name)
    if since.lookback is None:
        raise FatalError(
            f"{name}: {server} does not show which rows will still be committed below the highest {cursor!r}",
            hint="say for how long a transaction may be open, such as `incremental: {cursor: …, lookback: 1h}`, or how "
            "many numbers it may be behind, such as `lookback: 1000`",
            code=Code.CURSOR,
        )
    return cursor
