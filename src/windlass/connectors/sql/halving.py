"""Inserting rows of which some are refused: by halves, until every bad one stands alone."""

from __future__ import annotations

from collections.abc import Callable

from windlass.errors import RetryableError, WindlassError

__all__ = ["insert_by_halves"]


def insert_by_halves(
    first: int,
    last: int,
    insert: Callable[[int, int], int],
    refused: Callable[[int, WindlassError], int],
) -> int:
    """Insert the rows [first, last). Returns how many went in.

    `insert` brings in a range whole, or raises and leaves nothing of it. `refused` is called for a range
    of one that was refused; it raises again what is not about the row, or returns how many went in
    after all. With b bad rows among n, about b · log2(n) inserts fail.
    """
    if first >= last:
        return 0
    try:
        return insert(first, last)
    except RetryableError:  # a full disk, a lost connection: not about rows
        raise
    except WindlassError as exc:
        if last - first == 1:
            return refused(first, exc)
    middle = (first + last) // 2
    return insert_by_halves(first, middle, insert, refused) + insert_by_halves(middle, last, insert, refused)
