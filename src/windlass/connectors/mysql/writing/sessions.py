"""Sessions that write: nothing is changed without a word in them, and SQL is written as in the standard."""

from __future__ import annotations

from typing import Any

from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.mysql.session import Session

__all__ = ["as_ours", "writing_session"]

_MODE = (
    *(
        "STRICT_ALL_TABLES",
        "STRICT_TRANS_TABLES",
        "NO_ZERO_DATE",
        "NO_ZERO_IN_DATE",
        "ERROR_FOR_DIVISION_BY_ZERO",
    ),
    *("NO_AUTO_VALUE_ON_ZERO", "NO_ENGINE_SUBSTITUTION", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES"),
)
_SETTINGS = (
    f"SET sql_mode = '{','.join(_MODE)}'",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",  # which locks no rows but those that it changes
    "SET lock_wait_timeout = 300",  # for tables, where it is a day
)


def writing_session(end: ConnectedEnd[Any]) -> Session:
    session = Session(end.address)
    try:
        return as_ours(session)
    except BaseException:
        session.close()
        raise


def as_ours(session: Session) -> Session:
    """Set a session up so that nothing is changed without a word, and SQL is written as in the standard."""
    for setting in _SETTINGS:
        session.execute(setting)
    return session
