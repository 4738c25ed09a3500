"""Text of a database that keeps whatever bytes it was given: a row in which some are not UTF-8 is bad.

A relation of such rows has one column more, which says which of the others it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from windlass.connectors.rows import Column, Reason, RowFault

__all__ = ["NOT_UTF8", "not_utf8_faults"]

NOT_UTF8 = "__windlass_not_utf8"
"""The column, an integer: the place of the first column that is not UTF-8, counted from 0, or NULL."""


def not_utf8_faults(columns: Sequence[Column]) -> list[RowFault]:
    """What is wrong with a row of which that column says so."""
    return [
        RowFault(f"{NOT_UTF8} = {i}", Reason.WRONG_ENCODING, f"column {column.name!r} is not UTF-8")
        for i, column in enumerate(columns)
    ]
