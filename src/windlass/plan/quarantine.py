"""Where the bad rows of a copy can go: they are written while the load holds its destination."""

from __future__ import annotations

from windlass.plan.model import Copy

__all__ = ["why_not_there"]


def why_not_there(copy: Copy, *, same_database: bool, form: str) -> str | None:
    """Why the rows in quarantine cannot go where the copy says, if they cannot: the load would wait for itself.

    `same_database` is about the connections of the two, and `form` about the destination's address.
    """
    to, destination = copy.quarantine, copy.destination
    if to is None:
        return None
    if to.path is not None:
        written = destination.options.get("path")
        same_place = same_database or to.connection is destination.connection is None
        return _why_not_in_file(to.path, written) if written and same_place else None
    if not same_database:
        return None
    if to.table == destination.table:
        return f"{to.table} is the table that the copy writes"
    if form == "file":
        return f"the copy has the file of {destination.connection!r} for itself until it ends"
    return None


def _why_not_in_file(path: str, written: str) -> str | None:
    if path == written:
        return f"{path} is what the copy writes"
    if written.endswith("/") and path.startswith(written):
        return f"{path} is in what the copy writes, {written}"
    return None
